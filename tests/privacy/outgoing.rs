//! Sends that go well and wrong, each way of saying an id.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Full};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tower::{Layer, Service, ServiceExt};
use tower_message_feedback::{
    Correlate, CorrelationId, MessageForm, conversation, link_query, recipient, simulator::Answer,
};

use crate::{
    app::{App, LABEL},
    markers::{
        CODE, EXTENSION_ID, GERMAN_USER, HEADER_ID, LINK_ID, MESSAGE, RULE_ID, SCOPE_ID, SENDER,
        SENDERS_TOKEN, USER,
    },
    said::{noted, noted_error},
    support::{AC, World, guarded},
};

const ID_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A create whose text has the code and a link with an id.
pub(crate) fn form(to: &str) -> String {
    let text = format!("{MESSAGE}{CODE} https://app.example/c?id={}", escaped(LINK_ID));
    format!("To={}&From={}&Body={}", escaped(to), escaped(SENDER), escaped(&text))
}

fn request(world: &World, form: String) -> Request<Full<Bytes>> {
    Request::post(format!("{}/Accounts/{AC}/Messages.json", world.server.base_url()))
        .header("authorization", format!("Bearer {SENDERS_TOKEN}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))
        .expect("a request")
}

/// What Twilio answers to a number that it does not like.
pub(crate) fn error_body() -> String {
    let text = format!("The 'To' number {USER} is not a valid phone number for {MESSAGE}{CODE}");
    json!({ "code": 21211, "message": text, "more_info": SENDER, "status": 400 }).to_string()
}

async fn send<C>(app: &App, rule: C, request: Request<Full<Bytes>>)
where
    C: Correlate + Clone + Send + Sync + 'static,
{
    let layer = app.world.feedback.provide_layer().correlate(rule).header(ID_HEADER).label(LABEL);
    send_through(noted(layer.layer(app.world.twilio.service())), request).await;
}

async fn send_through<S, R>(service: S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    R: http_body::Body<Data = Bytes, Error: std::error::Error + 'static> + std::fmt::Debug,
    S::Future: std::fmt::Debug,
{
    let mut service = service;
    let service = service.ready().await.expect("infallible");
    let future = noted(service.call(request));
    let response = guarded(future).await;
    let body = noted(response.expect("infallible").into_body());
    if let Err(error) = body.collect().await {
        noted_error(error);
    }
}

pub(crate) async fn sends(app: &App) {
    let world = &app.world;
    let plain = || request(world, form(USER));
    send(app, link_query("id"), plain()).await;
    send(app, recipient(), plain()).await;
    send(app, recipient(), request(world, form(&format!("whatsapp:{GERMAN_USER}")))).await;
    send(app, conversation(), plain()).await;
    let mut with_header = plain();
    with_header.headers_mut().insert(ID_HEADER, HEADER_ID.parse().expect("a value"));
    send(app, recipient(), with_header).await;
    let mut with_extension = plain();
    with_extension.extensions_mut().insert(noted(CorrelationId::new(EXTENSION_ID)));
    send(app, recipient(), with_extension).await;
    CorrelationId::scope(SCOPE_ID, send(app, recipient(), plain())).await;
    let rule = |form: &MessageForm<'_>| {
        noted(MessageForm::new(b"Body=x"));
        noted(*form);
        Some(CorrelationId::new(RULE_ID))
    };
    send(app, rule, plain()).await;
    assert_eq!(world.feedback.stats().sends.recorded, 8);

    // By a client, over a socket.
    let layer = noted(world.feedback.provide_layer().correlate(recipient()).label(LABEL));
    let client = noted(layer.layer(reqwest::Client::new()));
    let (head, _) = plain().into_parts();
    let request = reqwest::Client::new()
        .post(head.uri.to_string())
        .headers(head.headers)
        .body(form(GERMAN_USER))
        .build()
        .expect("a request");
    let answer = client.oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), 201);
}

pub(crate) async fn sends_that_fail(app: &App) {
    let world = &app.world;
    let before = world.feedback.stats().sends;
    let echo = form(USER);
    for answer in [
        Answer::status(400).with_body(error_body()),
        Answer::status(401).with_body(error_body()),
        Answer::status(429).with_body(error_body()),
        Answer::status(500).with_body(echo.clone()),
        // Not what Twilio answers: it echoes, lies, and is no JSON.
        Answer::status(201).with_body(echo.clone()),
        Answer::status(201).with_body(format!(r#"{{"sid":"{USER}","body":"{echo}"}}"#)),
        Answer::status(201).with_body(format!("<{echo}")),
        Answer::status(200).with_body(""),
        Answer::truncated(),
        Answer::reset(),
    ] {
        world.twilio.answer_create(noted(answer));
        send(app, link_query("id"), request(world, form(USER))).await;
    }
    // One that is never answered, and whose caller leaves.
    world.twilio.answer_create(noted(Answer::hang()));
    let hangs = send(app, link_query("id"), request(world, form(USER)));
    let left = tokio::time::timeout(Duration::from_millis(100), hangs).await;
    left.expect_err("it hangs");
    let after = world.feedback.stats().sends;
    assert!(after.receipt_unreadable >= before.receipt_unreadable + 4, "{after:?}");
    assert!(after.not_created >= before.not_created + 4, "{after:?}");
    assert_eq!(after.abandoned, before.abandoned + 1, "{after:?}");

    // What is left alone, and why.
    let mut elsewhere = request(world, form(USER));
    *elsewhere.uri_mut() =
        format!("https://evil.example/2010-04-01/Accounts/{AC}/Messages.json").parse().expect("it");
    let mut compressed = request(world, form(USER));
    compressed.headers_mut().insert("content-encoding", "gzip".parse().expect("a value"));
    let mut vouched = request(world, form(USER));
    vouched.headers_mut().insert("content-digest", "sha-256=:x:".parse().expect("a value"));
    let declined = request(world, form(USER) + "&ProvideFeedback=false");
    let nobody = request(world, format!("Body={}&ProvideFeedback=true", escaped(MESSAGE)));
    for left_alone in [elsewhere, compressed, vouched, declined, nobody] {
        send(app, recipient(), left_alone).await;
    }
    let after = world.feedback.stats().sends;
    let left_alone =
        [after.origin_not_allowed, after.form_unreadable, after.digest_present, after.declined];
    assert!(left_alone.iter().all(|count| *count > 0), "{after:?}");
}
