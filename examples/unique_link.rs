//! A link that the user opens. Messengers, mail services and scanners open links, too,
//! some of them as a browser does: so it shows a page with one button, and what the user
//! presses is the action.

use axum::{Form, Router, extract::Query, response::Html, routing::get};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmed, CorrelationId, Credentials, MessageFeedback, TrackedAction, link_query,
    simulator::Simulator,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

#[derive(serde::Deserialize)]
struct Link {
    id: u64,
}

impl TrackedAction for Link {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some(self.id.to_string().into())
    }
}

async fn page(Query(link): Query<Link>) -> Html<String> {
    let id = link.id;
    Html(format!(
        r#"<!doctype html><html lang="en"><title>Confirm</title>
<form method="post"><input type="hidden" name="id" value="{id}"><button>Confirm</button></form>"#
    ))
}

async fn pressed(_: Confirmed<Form<Link>>) -> &'static str {
    "Thank you!"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let twilio = Simulator::new();
    let server = twilio.serve().await?;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(server.base_url().as_str())
        .build()?;

    let app = Router::new().route("/confirm", get(page).post(pressed)).layer(feedback.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let link = format!("http://{}/confirm?id=14911840021375840233", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let http = reqwest::Client::new();
    let body = format!("Open to confirm: {link}");
    let text = [("To", "+15558675310"), ("From", "+15557122661"), ("Body", &*body)];
    let request = http
        .post(format!("{}/Accounts/{ACCOUNT}/Messages.json", server.base_url()))
        .basic_auth(ACCOUNT, Some("token"))
        .form(&text)
        .build()?;
    feedback
        .provide_layer()
        .correlate(link_query("id"))
        .layer(http.clone())
        .oneshot(request)
        .await?;

    // A preview, a scanner that looks like a browser, and then the user.
    for agent in ["WhatsApp/2.23.20.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0"] {
        http.get(&link).header("user-agent", agent).send().await?;
    }
    feedback.flush().await;
    println!("opened: {} reported", twilio.confirmed().len());
    http.post(&link).form(&[("id", "14911840021375840233")]).send().await?;
    feedback.flush().await;
    println!("pressed: {} reported", twilio.confirmed().len());
    Ok(())
}
