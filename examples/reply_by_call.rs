//! "Call us to confirm your appointment": a user's call is the action, once they press 1.
//!
//! Twilio is simulated. With the real one, the number's webhook for incoming calls is set
//! to `/call`.

use axum::{Router, routing::post};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Credentials, MessageFeedback, conversation,
    simulator::Simulator,
    webhook::{IncomingCall, Twiml},
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

async fn called(call: IncomingCall) -> Twiml {
    match call.digits().as_deref() {
        None => Twiml::response(
            r#"<Gather numDigits="1"><Say>Press 1 to confirm your appointment.</Say></Gather>"#,
        ),
        Some("1") => {
            call.confirm().await;
            Twiml::say("Thank you!")
        }
        Some(_) => Twiml::say("Good bye."),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let twilio = Simulator::new();
    let server = twilio.serve().await?;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(server.base_url().as_str())
        .build()?;

    let app = Router::new().route("/call", post(called)).layer(feedback.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The application texts the user.
    let text = [
        ("To", "+15558675310"),
        ("From", "+15557122661"),
        ("Body", "Call us to confirm your appointment."),
    ];
    let http = reqwest::Client::new();
    let request = http
        .post(format!("{}/Accounts/{ACCOUNT}/Messages.json", server.base_url()))
        .basic_auth(ACCOUNT, Some("token"))
        .form(&text)
        .build()?;
    feedback.provide_layer().correlate(conversation()).layer(http).oneshot(request).await?;
    let sid = twilio.messages()[0].sid();

    // The user calls, and Twilio asks the application what to do.
    let call = twilio.webhooks("token").calls_to(format!("{site}/call")).call(sid)?;
    call.send().await?;
    feedback.flush().await;
    println!("called: {} reported", twilio.confirmed().len());
    for digit in ["2", "1"] {
        call.clone().with_field("Digits", digit).send().await?;
        feedback.flush().await;
        println!("pressed {digit}: {} reported", twilio.confirmed().len());
    }
    Ok(())
}
