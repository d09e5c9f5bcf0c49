//! The phone beside the page: what the simulated Twilio would have sent. Its
//! texts are everyone's, so it has no place on a real site.

use axum::{
    Router,
    extract::State,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use tower_message_feedback::simulator::{Outcome, SimulatedMessage, Simulator};

use super::html::Escaped;

/// Texts that the phone shows.
const SHOWN: usize = 20;

pub fn router(twilio: Simulator) -> Router {
    Router::new()
        .route("/phone", get(phone))
        .route("/phone/version", get(version))
        .route("/phone.js", get(script))
        .with_state(twilio)
}

/// Reloads the phone when there is news. Without scripts it reloads anyway.
async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], include_str!("phone.js"))
}

/// Changes with each text and each confirmation.
async fn version(State(twilio): State<Simulator>) -> String {
    version_of(&twilio)
}

fn version_of(twilio: &Simulator) -> String {
    format!("{}-{}", twilio.messages().len(), twilio.confirmed().len())
}

async fn phone(State(twilio): State<Simulator>) -> Html<String> {
    // Read before the texts: what changes in between makes it reload.
    let version = version_of(&twilio);
    let messages = twilio.messages();
    // The newest first: the style shows the last line of a list that grows upwards.
    let bubbles: String = messages.iter().rev().take(SHOWN).map(bubble).collect();
    let bubbles = if bubbles.is_empty() {
        "<li class=\"none\">No texts yet.</li>".to_owned()
    } else {
        bubbles
    };
    Html(format!(
        "<!doctype html><html lang=\"en\" class=\"screen\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>\
         <title>Texts</title><link rel=\"stylesheet\" href=\"/style.css\">\
         <script src=\"/phone.js\" defer></script></head>\
         <body data-version=\"{version}\"><h1>Messages</h1>\
         <ul class=\"texts\" tabindex=\"0\" aria-label=\"Texts, the newest first\">{bubbles}</ul>\
         </body></html>"
    ))
}

fn bubble(message: &SimulatedMessage) -> String {
    let (class, knows) = match message.outcome() {
        Outcome::Confirmed => (" good", "Twilio knows: confirmed"),
        Outcome::Unconfirmed if message.provide_feedback() => ("", "unconfirmed"),
        Outcome::Unconfirmed => ("", "not tracked"),
    };
    format!(
        "<li><span class=\"to\">to {}</span><p>{}</p>\
         <strong class=\"badge{class}\">{knows}</strong></li>",
        Escaped(message.to()),
        with_links(message.body())
    )
}

/// The text as phones show it.
fn with_links(text: &str) -> String {
    let word = |word| {
        let shown = Escaped(word);
        if word.starts_with("http://") || word.starts_with("https://") {
            format!("<a href=\"{shown}\" target=\"_top\">{shown}</a>")
        } else {
            shown.to_string()
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
