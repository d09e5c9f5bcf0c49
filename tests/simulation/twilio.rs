//! Twilio on a host of its own, and what arrives there.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tower::{ServiceExt, service_fn};
use tower_message_feedback::{Credentials, simulator::Simulator};

use crate::{
    journal::{Event, Journal},
    net::{BoxError, serve},
};

pub(crate) const HOST: &str = "twilio";
pub(crate) const BASE_URL: &str = "http://twilio";

/// Two accounts, and what they send; a person has the one or the other.
pub(crate) const ACCOUNTS: [(&str, &str); 2] = [
    ("AC0123456789abcdef0123456789abcdef", "token-of-the-first"),
    ("ACfedcba9876543210fedcba9876543210", "token-of-the-second"),
];

pub(crate) fn credentials() -> impl Iterator<Item = Credentials> {
    ACCOUNTS.iter().map(|(sid, token)| Credentials::auth_token(sid, token).expect("credentials"))
}

pub(crate) fn account(id: u64) -> usize {
    usize::from(id % 5 == 0)
}

/// The form of a send, as the application writes it.
pub(crate) fn form(send: u64, id: u64, opts_out: bool) -> String {
    let body = format!("https%3A%2F%2Flogin.example%2Fgo%3Fid%3Dlogin-{id}%26send%3D{send}");
    let feedback = if opts_out { "&ProvideFeedback=false" } else { "" };
    format!("To=%2B15558675310&From=%2B15557122661&Body={body}{feedback}")
}

/// The number of the send, and of the id, in a message's text.
pub(crate) fn numbers(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once("id=login-")?;
    let (id, send) = rest.split_once("&send=")?;
    Some((send.parse().ok()?, id.parse().ok()?))
}

/// What an account is let in with.
pub(crate) fn basic(account: &str) -> Option<String> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let (sid, token) = ACCOUNTS.iter().find(|(sid, _)| *sid == account)?;
    Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{sid}:{token}"))))
}

pub(crate) async fn run(simulator: Simulator, journal: Arc<Journal>) -> io::Result<()> {
    serve(service_fn(move |request: Request<Incoming>| {
        let (simulator, journal) = (simulator.clone(), journal.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            arrived(&journal, &parts, &body);
            let request = Request::from_parts(parts, Full::new(body));
            let response = simulator.service().oneshot(request).await;
            Ok::<_, BoxError>(response.unwrap_or_else(|never| match never {}))
        }
    }))
    .await
}

fn arrived(journal: &Journal, parts: &http::request::Parts, body: &Bytes) {
    let segments: Vec<&str> = parts.uri.path().split('/').collect();
    let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let account = segments.get(3).copied().unwrap_or_default();
    let is_authorized = authorization.is_some() && authorization == basic(account).as_deref();
    if let Some("Feedback.json") = segments.last().copied() {
        let sid = segments.get(5).and_then(|sid| sid.parse().ok());
        let sid = sid.expect("feedback on a message");
        assert_eq!(&body[..], b"Outcome=confirmed", "the only thing we ever say");
        journal.note(Event::Feedback { sid, is_authorized });
        return;
    }
    let text = std::str::from_utf8(body).expect("ASCII");
    let numbers = form_urlencoded_body(text).as_deref().and_then(numbers);
    let (send, id) = numbers.expect("an application sends nothing else");
    let is_tagged = text.ends_with("&ProvideFeedback=true");
    let bare = [form(send, id, false), form(send, id, true)];
    let is_changed = !is_authorized
        || !bare
            .iter()
            .any(|bare| text.strip_suffix("&ProvideFeedback=true").unwrap_or(text) == bare);
    journal.note(Event::Create { send, is_tagged, is_changed });
}

/// The text of a message in a create's form.
fn form_urlencoded_body(form: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.strip_prefix("Body="))?;
    Some(percent_decoded(value))
}

fn percent_decoded(text: &str) -> String {
    text.replace("%3A", ":")
        .replace("%2F", "/")
        .replace("%3F", "?")
        .replace("%3D", "=")
        .replace("%26", "&")
}
