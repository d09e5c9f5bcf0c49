//! "Reply YES to confirm your appointment": a user's reply is the action.
//!
//! Twilio is simulated. With the real one, its webhook for incoming messages is set to
//! `/reply`, and whoever replied is the only one who can confirm.

use axum::{Router, routing::post};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Credentials, MessageFeedback, conversation,
    simulator::Simulator,
    webhook::{IncomingMessage, Twiml},
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

async fn replied(message: IncomingMessage) -> Twiml {
    if message.is_keyword() {
        return Twiml::empty(); // Twilio itself answers STOP and HELP
    }
    if !message.body().trim().eq_ignore_ascii_case("yes") {
        return Twiml::message("Please reply YES to confirm.");
    }
    message.confirm().await;
    Twiml::message("Thank you!")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let twilio = Simulator::new();
    let server = twilio.serve().await?;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(server.base_url().as_str())
        .build()?;

    let app = Router::new().route("/reply", post(replied)).layer(feedback.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The application texts the user.
    let text = [
        ("To", "+15558675310"),
        ("From", "+15557122661"),
        ("Body", "Reply YES to confirm your appointment."),
    ];
    let http = reqwest::Client::new();
    let request = http
        .post(format!("{}/Accounts/{ACCOUNT}/Messages.json", server.base_url()))
        .basic_auth(ACCOUNT, Some("token"))
        .form(&text)
        .build()?;
    feedback.provide_layer().correlate(conversation()).layer(http).oneshot(request).await?;
    let sid = twilio.messages()[0].sid();

    // The user replies, and Twilio tells the application.
    let phone = twilio.webhooks("token").replies_to(format!("{site}/reply"));
    let forged = phone.reply(sid, "yes")?.signed_with("a guess").send().await?;
    println!("forged: answered {}, {} reported", forged.status(), twilio.confirmed().len());
    for reply in ["Who is this?", "STOP", "yes"] {
        phone.reply(sid, reply)?.send().await?;
        feedback.flush().await;
        println!("{reply}: {} reported", twilio.confirmed().len());
    }
    Ok(())
}
