//! Scripted faults and the concurrency limit.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::stream::pending;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::ServiceExt;
use tower_message_feedback::simulator::{Answer, Simulator};

use crate::support::*;

/// All that the server writes before it closes the connection.
async fn raw(address: SocketAddr, path: &str, form: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        basic(AC, "token"),
        form.len(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    reading.await.expect("closed").unwrap();
    answer
}

#[tokio::test]
async fn a_reset_closes_the_connection_without_a_byte_and_does_nothing() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    twilio.answer_create(Answer::reset());
    assert_eq!(raw(server.address(), &messages(), TAGGED).await, b"");
    assert!(twilio.messages().is_empty());
    assert_eq!(twilio.received()[0].status(), None);

    twilio.answer_create(Answer::reset());
    let url = format!("{}/Accounts/{AC}/Messages.json", server.base_url());
    assert!(client().request(request(Method::POST, &url, TAGGED)).await.is_err());
    let response = client().request(request(Method::POST, &url, TAGGED)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED, "the server lives on");
}

#[tokio::test]
async fn a_reset_and_a_break_are_the_same_through_the_router() {
    let twilio = Simulator::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().nest("/twilio", twilio.router());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let path = format!("/twilio{}", messages());
    twilio.answer_create(Answer::reset());
    twilio.answer_create(Answer::truncated().with_body("0123456789"));
    assert_eq!(raw(address, &path, TAGGED).await, b"");
    let answer = raw(address, &path, TAGGED).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("content-length: 10\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n01234"), "{answer}");
    assert_eq!(twilio.messages().len(), 1);
}

#[tokio::test]
async fn without_a_socket_a_reset_is_no_success_even_to_who_ignores_the_body() {
    let twilio = Simulator::new();
    twilio.answer_create(Answer::reset());
    let response =
        twilio.service().oneshot(request(Method::POST, &messages(), TAGGED)).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(twilio.messages().is_empty());
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_after_the_work_was_done() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    twilio.answer_create(Answer::truncated());
    let answer = raw(server.address(), &messages(), TAGGED).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    assert_eq!(body.len(), length / 2, "{answer}");
    assert!(body.starts_with('{'), "{answer}");
    assert_eq!(twilio.messages().len(), 1);
    assert_eq!(twilio.received()[0].status(), Some(201));

    let sid = twilio.messages()[0].sid();
    for body in ["", "x", "xy"] {
        twilio.answer_feedback(Answer::truncated().with_body(body));
        let url = format!("{}/Accounts/{AC}/Messages/{sid}/Feedback", server.base_url());
        let request = request(Method::POST, &url, "Outcome=confirmed");
        let response = client().request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.into_body().collect().await.is_err(), "{body}");
    }
    assert_eq!(twilio.message(sid).unwrap().feedback_count(), 3);
}

#[tokio::test]
async fn without_a_socket_a_truncated_body_fails_half_way() {
    let twilio = Simulator::new();
    twilio.answer_create(Answer::truncated().with_body("0123456789"));
    let response =
        twilio.service().oneshot(request(Method::POST, &messages(), TAGGED)).await.unwrap();
    assert_eq!(response.headers()["content-length"], "10");
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "01234");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn retry_after_is_in_whole_seconds_rounded_up() {
    let twilio = Simulator::new();
    for (wait, header) in [(0, "0"), (1, "1"), (2000, "2"), (2001, "3")] {
        let wait = Duration::from_millis(wait);
        let answer = Answer::status(429).retry_after(Duration::from_secs(99)).retry_after(wait);
        twilio.answer_create(answer);
        let reply = create(&twilio, TAGGED).await;
        assert_eq!((reply.refusal(), reply.header("retry-after")), ((429, 20429), header));
        assert_eq!(reply.headers.get_all("retry-after").iter().count(), 1);
    }
}

#[tokio::test]
async fn a_repeated_create_makes_two_messages_and_answers_the_second() {
    let twilio = Simulator::new();
    twilio.answer_create(Answer::processed_twice());
    let sid = create(&twilio, TAGGED).await.sid();
    let sids: Vec<_> = twilio.messages().iter().map(|message| message.sid()).collect();
    assert_eq!((sids.len(), sids[1]), (2, sid));
    twilio.answer_feedback(Answer::processed_twice());
    assert_eq!(confirm(&twilio, sid).await.status, 200);
    assert_eq!(twilio.message(sid).unwrap().feedback_count(), 2);
    assert_eq!(twilio.confirmed(), [sid]);
    assert_eq!(twilio.received().len(), 2);

    twilio.answer_create(Answer::processed_twice());
    assert_eq!(create(&twilio, "To=x").await.status, 400);
    assert_eq!(twilio.messages().len(), 2);
}

#[tokio::test]
async fn beyond_the_limit_an_account_is_answered_429_and_nothing_is_done() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    let sid = create(&twilio, TAGGED).await.sid();
    assert_eq!(twilio.peak_concurrency(), 1);
    twilio.limit_concurrency(2);
    twilio.answer_create(Answer::hang());
    twilio.answer_feedback(Answer::hang());
    let url = format!("{}/Accounts/{AC}/Messages.json", server.base_url());
    let sending = tokio::spawn(client().request(request(Method::POST, &url, TAGGED)));
    let url = url.replace(".json", &format!("/{sid}/Feedback.json"));
    let confirming = client().request(request(Method::POST, &url, "Outcome=confirmed"));
    let confirming = tokio::spawn(confirming);
    twilio.wait_until(|twilio| twilio.received().len() == 3).await;

    // The answer that is queued is for a request that is let in.
    twilio.answer_create(Answer::status(503));
    for _ in 0..3 {
        let reply = create(&twilio, TAGGED).await;
        assert_eq!(reply.refusal(), (429, 20429));
        assert_eq!(reply.header("twilio-concurrent-requests"), "3");
    }
    assert_eq!(confirm(&twilio, sid).await.refusal(), (429, 20429));
    assert!(!twilio.received()[3].is_refused(), "the limit found no fault with it");
    assert_eq!((twilio.messages().len(), twilio.confirmed().len()), (1, 0));
    assert_eq!(twilio.peak_concurrency(), 3);

    // Another account has its own.
    let mut other = request(Method::GET, &messages().replace(AC, OTHER_AC), "");
    other.headers_mut().insert("authorization", basic(OTHER_AC, "x").parse().unwrap());
    assert_eq!(call(&twilio, other).await.status, 200);

    // Who goes away makes place.
    sending.abort();
    let free = async {
        while confirm(&twilio, sid).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), free).await.expect("a place is free");
    assert_eq!(create(&twilio, TAGGED).await.status, 503);
    twilio.limit_concurrency(0);
    assert_eq!(create(&twilio, TAGGED).await.status, 429);
    twilio.limit_concurrency(None);
    assert_eq!(create(&twilio, TAGGED).await.status, 201);
    confirming.abort();
}

#[tokio::test]
async fn who_was_turned_away_and_is_still_sending_holds_no_place() {
    let twilio = Simulator::new();
    twilio.limit_concurrency(1);
    twilio.answer_create(Answer::hang());
    let hanging = tokio::spawn({
        let twilio = twilio.clone();
        async move { create(&twilio, TAGGED).await }
    });
    twilio.wait_until(|twilio| twilio.received().len() == 1).await;
    let endless = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
    let sending = twilio.service().oneshot(request(Method::POST, &messages(), "").map(|_| endless));
    let sending = tokio::spawn(sending);
    twilio.wait_until(|twilio| twilio.peak_concurrency() == 2).await;
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    let reply = create(&twilio, TAGGED).await;
    assert_eq!((reply.status, reply.header("twilio-concurrent-requests")), (201, "2"));
    sending.abort();
}

#[tokio::test]
async fn debug_of_a_body_shows_no_text() {
    let twilio = Simulator::new();
    let body = Bytes::from_static(b"SECRET");
    for answer in [Answer::normal(), Answer::truncated()] {
        twilio.answer_create(answer.with_body(body.clone()));
        let request = request(Method::POST, &messages(), TAGGED);
        let response = twilio.service().oneshot(request).await.unwrap();
        assert!(!format!("{response:?}").contains("SECRET"));
    }
}
