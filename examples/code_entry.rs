//! A code that the user enters. A wrong one reports nothing; of several that were sent,
//! the message whose code was entered is the one that is confirmed.

use std::sync::{Arc, Mutex};

use axum::{Form, Router, extract::State, http::StatusCode, routing::post};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    CorrelationId, Credentials, MessageFeedback, Tracked, simulator::Simulator,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

/// The codes that were sent for the one login attempt of this example.
type Codes = Arc<Mutex<Vec<String>>>;

#[derive(serde::Deserialize)]
struct Entered {
    code: String,
}

async fn enter(State(codes): State<Codes>, form: Tracked<Form<Entered>>) -> StatusCode {
    let place = codes.lock().expect("codes").iter().position(|code| *code == form.code);
    let Some(place) = place else { return StatusCode::UNAUTHORIZED };
    form.confirm_id(format!("attempt-42/{place}")).await;
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

    let codes = Codes::default();
    let app = Router::new().route("/enter", post(enter)).layer(feedback.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    let app = app.with_state(codes.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The user asks for a code, and twice for another.
    let http = reqwest::Client::new();
    let client = feedback.provide_layer().layer(http.clone());
    for (place, code) in ["471100", "081500", "123400"].into_iter().enumerate() {
        codes.lock().expect("codes").push(code.to_owned());
        let body = format!("Your code is {code}.");
        let text = [("To", "+15558675310"), ("From", "+15557122661"), ("Body", &*body)];
        let request = http
            .post(format!("{}/Accounts/{ACCOUNT}/Messages.json", server.base_url()))
            .basic_auth(ACCOUNT, Some("token"))
            .form(&text)
            .build()?;
        CorrelationId::scope(format!("attempt-42/{place}"), client.clone().oneshot(request))
            .await?;
    }

    // The second message arrives first.
    for code in ["999999", "081500"] {
        let form = [("code", code)];
        let answer = http.post(format!("{site}/enter")).form(&form).send().await?;
        feedback.flush().await;
        println!("{code}: {}, {} reported", answer.status().as_u16(), twilio.confirmed().len());
    }
    let second = twilio.messages()[1].sid();
    println!("the second message is confirmed: {}", twilio.confirmed() == [second]);
    Ok(())
}
