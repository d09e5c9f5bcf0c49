//! What passes, passes as it is.

use std::{
    io::Read,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use tower_message_feedback::{CorrelationId, simulator::Simulator};

use crate::support::*;

type Seen = Arc<Mutex<Vec<(http::request::Parts, Bytes)>>>;

/// An upstream that notes what it gets, and answers with a head that is its own.
async fn upstream() -> (Seen, String) {
    let seen = Seen::default();
    let noted = seen.clone();
    let router = Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        noted.lock().unwrap().push((parts, body));
        Response::builder()
            .status(418)
            .header("Twilio-Request-Id", "RQ1")
            .header("Set-Cookie", "a=1")
            .header("Set-Cookie", "b=2")
            .header("Connection", "x-hop")
            .header("X-Hop", "gone")
            .body(Body::from("short and stout"))
            .expect("an answer")
    });
    (seen, serve(router).await)
}

#[tokio::test]
async fn what_is_no_create_passes_with_every_header() {
    let (seen, origin) = upstream().await;
    let prefix = format!("{origin}/before");
    let world = World::before(Simulator::new(), &prefix, "recipient", |it| it).await;
    let request = world
        .client
        .put(format!("{}/v1/Services/a%2Fb;c?d=e%20f&d=g", world.url))
        .basic_auth("user", Some("password"))
        .header("User-Agent", "an SDK")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .header("I-Twilio-Idempotency-Token", "a token")
        .header("Connection", "close, x-mine")
        .header("X-Mine", "of this connection")
        .header("TE", "trailers")
        .body("a body");
    let answer = soon("an answer", request.send()).await.expect("an answer");
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["twilio-request-id"], "RQ1");
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    assert!(!answer.headers().contains_key("x-hop"));
    assert_eq!(answer.text().await.unwrap(), "short and stout");

    let seen = seen.lock().unwrap();
    let (parts, body) = &seen[0];
    assert_eq!(parts.method, "PUT");
    assert_eq!(parts.uri.to_string(), "/before/v1/Services/a%2Fb;c?d=e%20f&d=g");
    assert_eq!(body, "a body");
    let mut names: Vec<_> = parts.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "authorization",
        "content-length",
        "host",
        "i-twilio-idempotency-token",
        "user-agent",
        "x-twice",
    ];
    assert_eq!(names, expected);
    assert_eq!(parts.headers["host"], origin.strip_prefix("http://").unwrap());
    assert_eq!(parts.headers.get_all("x-twice").iter().count(), 2);
    assert_eq!(world.feedback.stats().sends, tower_message_feedback::SendStats::default());
}

#[tokio::test]
async fn what_is_not_ours_streams_both_ways() {
    let (sender, received) = tokio::sync::mpsc::channel::<Bytes>(1);
    let received = Arc::new(tokio::sync::Mutex::new(received));
    // Echoes each part as it comes.
    let router = Router::new().fallback(async |request: Request| {
        Response::new(Body::from_stream(request.into_body().into_data_stream()))
    });
    let origin = serve(router).await;
    let world = World::before(Simulator::new(), &origin, "recipient", |it| it).await;
    let parts = futures_util::stream::unfold(received, |received| async move {
        let part = received.lock().await.recv().await?;
        Some((Ok::<_, std::io::Error>(part), received))
    });
    let request = world.client.post(&world.url).body(reqwest::Body::wrap_stream(parts));
    let answering = tokio::spawn(request.send());
    sender.send(Bytes::from_static(b"one")).await.unwrap();
    let mut answer = soon("a head", answering).await.unwrap().expect("an answer");
    // The upload goes on while its answer is read.
    assert_eq!(soon("a part", answer.chunk()).await.unwrap().unwrap(), "one");
    sender.send(Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(soon("a part", answer.chunk()).await.unwrap().unwrap(), "two");
    drop(sender);
    assert_eq!(soon("the end", answer.chunk()).await.unwrap(), None);
}

#[tokio::test]
async fn a_create_is_tagged_and_nothing_else_is_changed() {
    let world = World::new().await;
    let sid = world.sent().await;
    let received = world.twilio.received();
    let sent = "To=%2B15558675310&From=%2B15557122661&Body=Your+code+is+123456";
    assert_eq!(received[0].body(), &format!("{sent}&ProvideFeedback=true"));
    assert_eq!(received[0].path(), format!("/2010-04-01/Accounts/{AC}/Messages.json"));
    let entry = world.feedback.lookup_sid(sid).await.unwrap().expect("an entry");
    assert_eq!(entry.label(), Some("login"));
    assert_eq!(world.feedback.lookup(CorrelationId::recipient(TO)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_asked_for_in_gzip_comes_in_gzip_and_is_read() {
    let world = World::new().await;
    let request = world.create().header("accept-encoding", "gzip");
    let answer = soon("an answer", request.send()).await.expect("an answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let bytes = answer.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let sid = json["sid"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn an_id_is_said_by_a_header_that_twilio_does_not_see() {
    for correlation in ["recipient", "header"] {
        let world = World::by(correlation).await;
        let request = world.create().header("Message-Feedback-Id", "attempt-42");
        assert_eq!(soon("an answer", request.send()).await.unwrap().status(), 201);
        assert_eq!(world.twilio.received()[0].header("message-feedback-id"), None);
        assert_eq!(world.confirm(&[("to", TO)]).await, (200, "unknown".into()));
        assert_eq!(world.confirm(&[("id", "attempt-42")]).await, (200, "queued".into()));
        world.reported(&[world.twilio.messages()[0].sid()]).await;
    }
}

#[tokio::test]
async fn a_link_in_the_text_says_the_id() {
    let world = World::by("link:id").await;
    let text = "Open to confirm: https://www.example.com/confirm?id=1234567890";
    let form = [("To", TO), ("From", FROM), ("Body", text)];
    let request = world.client.post(world.messages()).basic_auth(AC, Some(AUTH_TOKEN)).form(&form);
    assert_eq!(soon("an answer", request.send()).await.unwrap().status(), 201);
    assert_eq!(world.confirm(&[("id", "1234567890")]).await, (200, "queued".into()));
    world.reported(&[world.twilio.messages()[0].sid()]).await;
}

#[test]
fn what_it_correlates_by_is_said_in_three_ways() {
    for wrong in ["", "link", "link:", "recipients", "header:id", "recipient:"] {
        assert!(wrong.parse::<crate::app::Correlation>().is_err(), "{wrong}");
    }
}
