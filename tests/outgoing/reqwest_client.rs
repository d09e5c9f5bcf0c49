//! Around `reqwest::Client`.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use reqwest::{Client, Request, Response};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_message_feedback::{
    CorrelationId, ProvideFeedback, link_query, recipient, simulator::Answer,
};

use crate::support::*;

const ID_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

/// A create as an application makes it, without a link.
fn otp(twilio: &Twilio) -> reqwest::RequestBuilder {
    Client::new().post(twilio.uri()).basic_auth(AC, Some("token")).form(&[
        ("To", "+15558675310"),
        ("From", "+15557122661"),
        ("Body", "Your code is 123456"),
    ])
}

/// A create with the bytes of `form`.
fn raw(uri: &str, form: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    Client::new().post(uri).basic_auth(AC, Some("token")).header("content-type", FORM).body(form)
}

#[tokio::test]
async fn a_create_is_tagged_and_recorded_and_its_answer_is_as_it_was() {
    let twilio = twilio().await;
    let mut service: ProvideFeedback<Client, _> =
        twilio.feedback.provide_layer().correlate(link_query("id")).layer(Client::new());
    let request = raw(&twilio.uri(), LINK).build().unwrap();
    let ready = ServiceExt::<Request>::ready(&mut service).await.expect("ready");
    let response = soon(ready.call(request)).await.expect("an answer");
    assert_eq!(response.url().as_str(), twilio.uri());
    assert_eq!(response.version(), http::Version::HTTP_11);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("twilio-request-id"));
    assert_eq!(response.remote_addr(), Some(twilio.server.address()));
    let length: u64 = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(response.content_length(), Some(length));
    let sid = sid(response).await;

    assert_eq!(twilio.body(), format!("{LINK}{TAG}"));
    assert!(twilio.simulator.message(sid).unwrap().provide_feedback());
    assert_eq!(only(&twilio.feedback, LINK_ID).await.sid, sid);
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn the_length_is_right_when_it_is_given() {
    let twilio = twilio().await;
    let service = twilio.feedback.provide_layer().correlate(link_query("id")).layer(Client::new());
    let request = raw(&twilio.uri(), LINK).header("content-length", LINK.len()).build().unwrap();
    sid(soon(service.oneshot(request)).await.expect("an answer")).await;
    assert_eq!(twilio.body(), format!("{LINK}{TAG}"));
}

#[tokio::test]
async fn an_id_is_found_in_each_of_the_four_ways() {
    let twilio = twilio().await;
    let layer = twilio.feedback.provide_layer().header(ID_HEADER);
    let service = layer.clone().layer(Client::new());

    let request = otp(&twilio).header(ID_HEADER, "by header").build().unwrap();
    let by_header = sid(soon(service.clone().oneshot(request)).await.expect("an answer")).await;
    assert_eq!(only(&twilio.feedback, "by header").await.sid, by_header);
    assert_eq!(twilio.simulator.received()[0].header(ID_HEADER.as_str()), None);

    let send = service.clone().oneshot(otp(&twilio).build().unwrap());
    let sent = soon(CorrelationId::scope("by scope", send)).await;
    assert_eq!(only(&twilio.feedback, "by scope").await.sid, sid(sent.unwrap()).await);

    let service = layer.correlate(recipient()).layer(Client::new());
    let sent = soon(service.clone().oneshot(otp(&twilio).build().unwrap())).await;
    let by_rule = twilio.feedback.lookup(CorrelationId::recipient("+15558675310")).await.unwrap();
    assert_eq!(by_rule[0].sid, sid(sent.unwrap()).await);

    // reqwest keeps the extensions of an `http::Request`.
    let mut request = create(&twilio.uri(), OTP).map(|_| OTP);
    request.extensions_mut().insert(CorrelationId::from("by extension"));
    request.headers_mut().insert(ID_HEADER, "hidden".parse().unwrap());
    let request = Request::try_from(request).unwrap();
    let sent = soon(service.oneshot(request)).await;
    assert_eq!(only(&twilio.feedback, "by extension").await.sid, sid(sent.unwrap()).await);
    assert!(lookup(&twilio.feedback, "hidden").await.is_empty());
    assert_sends!(twilio.feedback, tagged: 4, recorded: 4);
}

#[tokio::test]
async fn what_is_not_tracked_is_as_without_the_layer() {
    let twilio = twilio().await;
    let service = twilio.feedback.provide_layer().correlate(link_query("id")).layer(Client::new());
    let send = |request: reqwest::RequestBuilder| {
        let service = service.clone();
        async move { soon(service.oneshot(request.build().unwrap())).await.expect("an answer") }
    };
    // No id.
    assert_eq!(send(raw(&twilio.uri(), OTP)).await.url().as_str(), twilio.uri());
    assert_eq!(twilio.body(), OTP);
    // The application said no.
    let no = format!("{LINK}&ProvideFeedback=False");
    send(raw(&twilio.uri(), no.clone())).await;
    assert_eq!(twilio.body(), no);
    // A stream, and one that is too long.
    let frames = [Ok::<_, std::convert::Infallible>(Bytes::from_static(LINK.as_bytes()))];
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(frames));
    assert_eq!(send(raw(&twilio.uri(), stream)).await.status(), 201);
    assert_eq!(twilio.body(), LINK);
    let long = format!("{LINK}&StatusCallback={}", "x".repeat(100_000));
    send(raw(&twilio.uri(), long.clone())).await;
    assert_eq!(twilio.body(), long);
    // Twilio refuses it.
    twilio.simulator.answer_create(Answer::status(500));
    assert_eq!(send(raw(&twilio.uri(), LINK)).await.status(), 500);
    assert_sends!(
        twilio.feedback,
        without_id: 1,
        declined: 1,
        form_unreadable: 2,
        tagged: 1,
        not_created: 1,
    );
    // No create at all.
    let other = format!("{}/Accounts/{AC}/Messages/{SM}/Feedback.json", twilio.server.base_url());
    let response = send(raw(&other, LINK)).await;
    assert_eq!((response.status().as_u16(), response.url().as_str()), (404, other.as_str()));
    assert_eq!(twilio.body(), LINK);
    let response = send(Client::new().get(twilio.uri()).basic_auth(AC, Some("token"))).await;
    assert_eq!(response.status(), 200);
    assert_eq!(twilio.feedback.stats().sends.without_id, 1);
}

#[tokio::test]
async fn the_timeout_of_a_request_stays_and_says_so() {
    let twilio = twilio().await;
    let service = twilio.feedback.provide_layer().correlate(link_query("id")).layer(Client::new());
    twilio.simulator.answer_create(Answer::hang());
    let request = raw(&twilio.uri(), LINK).timeout(Duration::from_millis(50)).build().unwrap();
    let error: reqwest::Error = soon(service.oneshot(request)).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.url().unwrap().as_str(), twilio.uri());
    assert_sends!(twilio.feedback, tagged: 1, not_created: 1);
}

#[tokio::test]
async fn the_timeout_of_a_request_holds_for_its_answers_body_too() {
    let (base_url, _open) = stalling_server().await;
    let feedback = feedback(&base_url);
    let service = feedback.provide_layer().correlate(link_query("id")).layer(Client::new());
    // The layer hands the answer on when reading it fails.
    let request = raw(&messages(&base_url), LINK).timeout(Duration::from_millis(400));
    let response = soon(service.oneshot(request.build().unwrap())).await.expect("a head");
    assert_eq!(response.status(), 201);
    let error = soon(response.bytes()).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);
}

/// A server that sends the head of an answer and half of its body.
async fn stalling_server() -> (String, tokio::task::JoinHandle<tokio::net::TcpStream>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let open = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        while !read.ends_with(TAG.as_bytes()) {
            let length = stream.read(&mut buffer).await.expect("a request");
            read.extend_from_slice(&buffer[..length]);
        }
        let answer = "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"sid\":";
        stream.write_all(answer.as_bytes()).await.expect("an open connection");
        // Open for as long as the test holds it.
        stream
    });
    (format!("http://{address}/2010-04-01"), open)
}

#[tokio::test]
async fn tower_layers_around_reqwest_and_errors_of_the_inner_service() {
    let twilio = twilio().await;
    let stack = ServiceBuilder::new()
        .timeout(Duration::from_secs(20))
        .layer(twilio.feedback.provide_layer().correlate(link_query("id")))
        .concurrency_limit(2)
        .service(Client::new());
    let request = raw(&twilio.uri(), LINK).build().unwrap();
    sid(soon(stack.oneshot(request)).await.expect("an answer")).await;

    #[derive(Debug, PartialEq)]
    struct OfTheClient(u32);
    let fails = service_fn(|_: Request| async { Err::<Response, _>(OfTheClient(7)) });
    let service = twilio.feedback.provide_layer().correlate(link_query("id")).layer(fails);
    let request = raw(&twilio.uri(), LINK).build().unwrap();
    assert_eq!(soon(service.oneshot(request)).await.unwrap_err(), OfTheClient(7));
    assert_sends!(twilio.feedback, tagged: 2, recorded: 1, not_created: 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_counts_as_abandoned() {
    let twilio = twilio().await;
    let mut service =
        twilio.feedback.provide_layer().correlate(link_query("id")).layer(Client::new());
    drop(Service::<Request>::call(&mut service, raw(&twilio.uri(), LINK).build().unwrap()));
    assert_sends!(twilio.feedback, tagged: 1, abandoned: 1);
}
