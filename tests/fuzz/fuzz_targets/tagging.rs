//! Which requests are tagged, and that every other byte of them stays as it was.
#![no_main]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{LazyLock, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower_layer::Layer;
use tower_message_feedback::{AccountSid, CorrelationId, ProvideFeedback};
use tower_message_feedback_fuzz::{AC, Input, build, builder, now, pairs};
use tower_service::Service;

const ORIGIN: &str = "https://api.twilio.com";
const CALLBACK: &str = "https://app.example/status";
const TAG: (&str, &str) = ("ProvideFeedback", "true");

/// Twilio, which takes no message and keeps the last request.
#[derive(Clone)]
struct Refuses;

static RECEIVED: Mutex<Option<Request<Full<Bytes>>>> = Mutex::new(None);

impl Service<Request<Full<Bytes>>> for Refuses {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        *RECEIVED.lock().unwrap() = Some(request);
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        ready(Ok(response))
    }
}

fn service(status_callback: bool) -> ProvideFeedback<Refuses> {
    let mut builder = builder();
    if status_callback {
        builder = builder.status_callback(CALLBACK);
    }
    let feedback = build(builder).unwrap();
    // With it every path's prefix is allowed.
    let base_url = format!("{ORIGIN}/2010-04-01").parse().unwrap();
    feedback.provide_layer().base_url(base_url).layer(Refuses)
}

static PLAIN: LazyLock<ProvideFeedback<Refuses>> = LazyLock::new(|| service(false));
static CALLED_BACK: LazyLock<ProvideFeedback<Refuses>> = LazyLock::new(|| service(true));

/// `…/Accounts/{AC}/[SMS/]Messages[.json|.xml]`, by its segments.
fn is_create(path: &str) -> bool {
    let mut segments: Vec<&str> = path.split('/').collect();
    match segments.pop() {
        Some("Messages" | "Messages.json" | "Messages.xml") => {}
        _ => return false,
    }
    if segments.last() == Some(&"SMS") {
        segments.pop();
    }
    segments.pop().is_some_and(|account| account.parse::<AccountSid>().is_ok())
        && segments.pop() == Some("Accounts")
        && !segments.is_empty()
}

/// The target of a create with a text somewhere in it, or the text alone.
fn target(choice: u8, text: &str) -> String {
    let sms = if choice & 8 == 0 { "" } else { "/SMS" };
    let suffix = ["", ".json", ".xml", ".csv"][usize::from(choice >> 4 & 3)];
    let pieces = ["/2010-04-01", "/Accounts/", AC, sms, "/Messages", suffix, ""];
    let place = usize::from(choice & 7);
    if place == pieces.len() {
        return text.to_owned();
    }
    [&pieces[..place], &[text], &pieces[place..]].concat().concat()
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choice = input.byte();
    let method = [Method::POST, Method::GET, Method::PUT][usize::from(choice & 3) % 3].clone();
    let (with_id, with_callback) = (choice & 4 == 0, choice & 8 != 0);
    let (with_length, with_digest) = (choice & 16 != 0, choice & 32 != 0);
    let (content_type, is_form) = [
        (Some("application/x-www-form-urlencoded"), true),
        (Some("Application/X-WWW-Form-URLEncoded ;charset=UTF-8"), true),
        (Some("application/json"), false),
        (None, false),
    ][usize::from(choice >> 6)];
    let target = target(input.byte(), &input.text());
    let form = input.rest();
    let Ok(uri) = format!("{ORIGIN}{target}").parse::<http::Uri>() else { return };
    let is_create = method == Method::POST && is_form && is_create(uri.path());

    let mut request = Request::new(Full::from(form.to_vec()));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert("content-type", content_type.parse().unwrap());
    }
    if with_length {
        headers.insert("content-length", form.len().into());
    }
    if with_digest {
        headers.insert("content-digest", "sha-256=:x:".parse().unwrap());
    }
    headers.insert("x-other", "kept".parse().unwrap());
    if with_id {
        request.extensions_mut().insert(CorrelationId::new("1"));
    }
    let (head, _) = request.clone().into_parts();

    let mut service = if with_callback { CALLED_BACK.clone() } else { PLAIN.clone() };
    let Ok(_) = now(service.call(request));
    let (received, body) = RECEIVED.lock().unwrap().take().expect("it is sent").into_parts();
    let body = now(http_body_util::BodyExt::collect(body)).unwrap().to_bytes();

    let before = pairs(form);
    let own: Vec<&str> =
        before.iter().filter(|(name, _)| name == TAG.0).map(|(_, value)| &**value).collect();
    let declined = own.iter().any(|value| !value.eq_ignore_ascii_case("true"));
    let tracked = is_create && with_id && !declined && !(own.is_empty() && with_digest);
    let mut after = before.clone();
    let mut added = 0;
    if tracked && own.is_empty() {
        after.push((TAG.0.into(), TAG.1.into()));
        added += 1;
    }
    let has_callback = before.iter().any(|(name, _)| name == "StatusCallback");
    if tracked && with_callback && !has_callback && !with_digest {
        after.push(("StatusCallback".into(), CALLBACK.into()));
        added += 1;
    }
    assert!(body.starts_with(form), "the application's own bytes changed");
    let mut sent = pairs(&body);
    if let (true, Some((name, url))) = (added > 0, sent.last_mut()) {
        // What it says of the message is for whoever it is called by.
        if name == "StatusCallback" {
            url.truncate(CALLBACK.len());
        }
    }
    assert_eq!(sent, after);
    if added == 0 {
        assert_eq!(body, form);
    }
    assert_eq!((&received.method, &received.uri), (&head.method, &head.uri));
    let mut expected = head.headers;
    if with_length {
        expected.insert("content-length", body.len().into());
    }
    assert_eq!(received.headers, expected);
});
