//! When the upstream, or who asks, does not do as they should.

use std::{io, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_message_feedback::simulator::{Answer, Simulator};

use crate::{support::*, tls::over_tls};

/// What a caller without a client of HTTP gets for what it writes.
async fn raw(url: &str, request: &str) -> String {
    let address = url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).await.expect("a gateway");
    stream.write_all(request.as_bytes()).await.expect("an open connection");
    let mut answer = Vec::new();
    soon("an answer", stream.read_to_end(&mut answer)).await.expect("an answer");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn an_upstream_that_is_not_reached_is_a_502_in_twilios_shape() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream = format!("http://{gone}");
    let world = World::before(Simulator::new(), &upstream, "recipient", |it| it).await;
    let answer = soon("an answer", world.create().send()).await.unwrap();
    assert_eq!(answer.status(), 502);
    let body: serde_json::Value = answer.json().await.unwrap();
    let expected = serde_json::json!({
        "code": 502, "message": "gateway: the upstream is not reached", "status": 502,
    });
    assert_eq!(body, expected);
}

/// Twilio may have the message: whoever is told of a failure by a status may send again,
/// and the user gets two. Without the gateway the connection would be closed, too.
#[tokio::test]
async fn when_nobody_knows_whether_there_is_a_message_the_connection_is_closed() {
    for answer in [Answer::reset(), Answer::hang()] {
        let twilio = Simulator::new();
        let server = twilio.serve().await.unwrap();
        twilio.answer_create(answer);
        let upstream = format!("http://{}", server.address());
        let world = World::before(twilio, &upstream, "recipient", |mut settings| {
            settings.timeout = Duration::from_millis(200);
            settings
        })
        .await;
        let error = soon("the end", world.create().send()).await.unwrap_err();
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
        assert_eq!(world.twilio.received().len(), 1);
    }
}

#[tokio::test]
async fn twilios_own_errors_pass_as_they_are() {
    for (status, retry_after) in [(400, None), (429, Some("3")), (500, None), (503, None)] {
        let world = World::new().await;
        let body = format!(
            r#"{{"code":2{status},"message":"Invalid","more_info":"https://www.twilio.com/docs/errors/2{status}","status":{status}}}"#
        );
        let mut answer =
            Answer::status(status).with_body(body.clone()).with_header("twilio-request-id", "RQ7");
        if let Some(wait) = retry_after {
            answer = answer.with_header("retry-after", wait);
        }
        world.twilio.answer_create(answer);
        let answer = soon("an answer", world.create().send()).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["twilio-request-id"], "RQ7");
        assert_eq!(
            answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap()),
            retry_after
        );
        assert_eq!(answer.text().await.unwrap(), body);
        // None is sent a second time.
        assert_eq!(world.twilio.received().len(), 1);
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let world = World::new().await;
    let long = vec![b'a'; (1 << 20) + 1];
    let request = |body: reqwest::Body| {
        world.client.post(world.messages()).header("content-type", FORM).body(body)
    };
    let answer = soon("an answer", request(long.clone().into()).send()).await.unwrap();
    assert_eq!(answer.status(), 413);
    // One that does not say how long it is.
    let parts = long.chunks(1 << 16).map(|part| Ok::<_, io::Error>(Bytes::copy_from_slice(part)));
    let parts = futures_util::stream::iter(parts.collect::<Vec<_>>());
    let answer =
        soon("an answer", request(reqwest::Body::wrap_stream(parts)).send()).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(world.twilio.messages().is_empty());
}

#[tokio::test]
async fn it_is_no_tunnel() {
    let world = World::new().await;
    // As an SDK asks whose environment names the gateway as its proxy.
    let request = "CONNECT api.twilio.com:443 HTTP/1.1\r\nHost: api.twilio.com:443\r\n\r\n";
    let answer = raw(&world.url, &format!("{request}GET / HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
    assert!(world.twilio.received().is_empty());
}

#[tokio::test]
async fn who_leaves_while_the_upstream_works_leaves_nothing_behind() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    twilio.answer_create(Answer::hang());
    let upstream = format!("http://{}", server.address());
    let world = World::before(twilio, &upstream, "recipient", |it| it).await;
    let send = world.create().timeout(Duration::from_millis(200)).send();
    assert!(soon("the end", send).await.unwrap_err().is_timeout());
    soon("the gateway lets go", async {
        while world.feedback.stats().sends.abandoned == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_upstream_over_tls_is_trusted_by_its_certificate() {
    let twilio = Simulator::new();
    let (upstream, pem) = over_tls(&twilio).await;
    let trusting = |settings: crate::app::Settings| crate::app::Settings {
        upstream_ca: Some(pem.into()),
        ..settings
    };
    let world = World::before(twilio.clone(), &upstream, "recipient", trusting).await;
    world.sent().await;
    assert!(twilio.messages()[0].provide_feedback());

    // Mozilla's alone do not know it.
    let world = World::before(twilio, &upstream, "recipient", |it| it).await;
    let answer = soon("an answer", world.create().send()).await.unwrap();
    assert_eq!(answer.status(), 502);
}
