//! A temporary password that is used: the message is found by who logs in.

use axum::{Json, Router, http::StatusCode, routing::post};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    CorrelationId, Credentials, MessageFeedback, Tracked, TrackedAction, simulator::Simulator,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "correct-horse-battery-staple";

#[derive(serde::Deserialize)]
struct Login {
    user: String,
    password: String,
}

impl TrackedAction for Login {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some((&self.user).into())
    }
}

async fn log_in(login: Tracked<Json<Login>>) -> StatusCode {
    if login.password != PASSWORD {
        return StatusCode::UNAUTHORIZED;
    }
    login.confirm().await;
    StatusCode::OK
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let twilio = Simulator::new();
    let server = twilio.serve().await?;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(server.base_url().as_str())
        .build()?;

    let app = Router::new().route("/login", post(log_in)).layer(feedback.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The application texts the password.
    let http = reqwest::Client::new();
    let body = format!("Your temporary password is {PASSWORD}");
    let text = [("To", "+15558675310"), ("From", "+15557122661"), ("Body", &*body)];
    let request = http
        .post(format!("{}/Accounts/{ACCOUNT}/Messages.json", server.base_url()))
        .basic_auth(ACCOUNT, Some("token"))
        .form(&text)
        .build()?;
    let client = feedback.provide_layer().layer(http.clone());
    CorrelationId::scope("alice", client.oneshot(request)).await?;

    // The user logs in.
    for (user, password) in [("alice", "a guess"), ("bob", PASSWORD), ("alice", PASSWORD)] {
        let login = serde_json::json!({ "user": user, "password": password });
        let answer = http.post(format!("{site}/login")).json(&login).send().await?;
        feedback.flush().await;
        println!("{user}: {}, {} reported", answer.status().as_u16(), twilio.confirmed().len());
    }
    Ok(())
}
