//! Status callbacks tell how far each message was delivered, and which message a send made
//! that was given up before Twilio had answered.
//!
//! Twilio is simulated.

use std::time::Duration;

use axum::{Router, routing::post};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    CorrelationId, Credentials, MessageFeedback,
    simulator::{Answer, Simulator},
    webhook::status_callback,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let twilio = Simulator::new();
    let api = twilio.serve().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(api.base_url().as_str())
        .status_callback(format!("{site}/twilio/status"))
        .build()?;
    let app = Router::new().route("/twilio/status", post(status_callback)).layer(feedback.layer());
    tokio::spawn(async move { axum::serve(listener, app).await });

    // Twilio takes the message, and its answer never comes.
    twilio.answer_create(Answer::normal().after(Duration::from_secs(3600)));
    let client = feedback.provide_layer().layer(reqwest::Client::new());
    let send = reqwest::Client::new()
        .post(format!("{}/Accounts/{ACCOUNT}/Messages.json", api.base_url()))
        .basic_auth(ACCOUNT, Some("token"))
        .form(&[("To", "+15558675310"), ("From", "+15557122661"), ("Body", "Your code is 081500")])
        .build()?;
    let send = CorrelationId::scope("attempt 1", client.oneshot(send));
    let given_up = tokio::time::timeout(Duration::from_millis(200), send).await.is_err();
    println!("given up: {given_up}, abandoned: {}", feedback.stats().sends.abandoned);

    let sid = twilio.messages()[0].sid();
    twilio.webhooks("token").deliver(sid).await?;
    let entry = feedback.lookup("attempt 1").await?.pop().ok_or("it is not tracked")?;
    let status = entry.message_status.ok_or("no callback came")?;
    println!("{status}, and status OK in the report: {}", status.is_ok());

    // The user enters the code that came after all.
    feedback.confirm("attempt 1").await;
    feedback.flush().await;
    println!("{} reported", twilio.confirmed().len());
    Ok(())
}
