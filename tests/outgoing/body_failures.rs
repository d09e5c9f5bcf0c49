//! Forms and answers that fail on the way, are too long or are streams: with a
//! real client and a real server.

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, Service, ServiceExt};
use tower_message_feedback::link_query;

use crate::{
    script::{Script, Step, data},
    support::*,
};

/// Sends `body` with and without the layer: both fail at once, and the server
/// sees no complete form.
async fn fails_either_way(body: impl Fn() -> Script) {
    let server = Server::start().await;
    let feedback = feedback(&server.base_url);
    let uri = messages(&server.base_url);

    let bare = soon(client().oneshot(post(&uri, body()))).await;
    assert!(bare.is_err(), "without the layer: {bare:?}");

    let mut service =
        feedback.provide_layer().correlate(link_query("id")).layer(client::<Script>());
    let layered = soon(service.ready().await.expect("ready").call(post(&uri, body()))).await;
    assert!(layered.is_err(), "with the layer: {layered:?}");

    assert_eq!(server.bodies(), Vec::<Bytes>::new());
    assert_sends!(feedback, form_failed: 1);

    // The client is none the worse for it.
    let form = Script::from(Bytes::from_static(LINK.as_bytes()));
    let response = soon(service.ready().await.expect("ready").call(post(&uri, form))).await;
    assert_eq!(response.expect("an answer").status(), 201);
    assert_eq!(server.bodies(), [format!("{LINK}{TAG}")]);
}

#[tokio::test]
async fn a_form_that_fails_half_way_fails_the_send_at_once() {
    let (half, _) = LINK.split_at(LINK.len() / 2);
    fails_either_way(|| Script::sized(LINK.len(), [data(half), Step::Fail(1)])).await;
    fails_either_way(|| Script::sized(LINK.len(), [data(half), Step::Yield, Step::Fail(1)])).await;
}

#[tokio::test]
async fn a_form_that_fails_and_then_says_it_is_over_fails_the_send_at_once() {
    let (half, _) = LINK.split_at(LINK.len() / 2);
    fails_either_way(|| Script::sized(LINK.len(), [data(half), Step::Fail(1)]).telling_end()).await;
}

#[tokio::test]
async fn a_form_that_fails_before_its_first_byte_fails_the_send_at_once() {
    fails_either_way(|| Script::sized(LINK.len(), [Step::Fail(1)])).await;
    fails_either_way(|| Script::sized(LINK.len(), [Step::Fail(1)]).telling_end()).await;
    fails_either_way(|| Script::sized(LINK.len(), [Step::Yield, Step::Fail(1)]).telling_end())
        .await;
}

#[tokio::test]
async fn a_form_that_ends_short_fails_the_send_at_once() {
    let (half, _) = LINK.split_at(LINK.len() / 2);
    fails_either_way(|| Script::sized(LINK.len(), [data(half)])).await;
    fails_either_way(|| Script::sized(LINK.len(), [])).await;
    fails_either_way(|| Script::sized(LINK.len(), [data(half), Step::Yield])).await;
}

#[tokio::test]
async fn a_form_that_says_too_little_of_itself_is_not_read_beyond_it() {
    // What it says is over after its first frame, and it is not.
    let hour = Step::Stall(std::time::Duration::from_secs(3600));
    let endless = Script::sized(10, [data(LINK), hour, data(LINK)]);
    let feedback = feedback(ORIGIN);
    let (seen, inner) = answering(|| Response::new(full("")));
    let service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
    let _ = soon(service.oneshot(post(&messages(ORIGIN), endless))).await.expect("infallible");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].1, "");
    assert_eq!(seen[0].0.uri.host(), None);
    assert_sends!(feedback, form_failed: 1);
}

#[tokio::test]
async fn a_length_that_the_application_gave_stays_when_the_form_fails() {
    let server = Server::start().await;
    let feedback = feedback(&server.base_url);
    let (half, _) = LINK.split_at(LINK.len() / 2);
    let mut request =
        post(&messages(&server.base_url), Script::sized(LINK.len(), [data(half), Step::Fail(1)]));
    request.headers_mut().insert("content-length", LINK.len().into());
    let service = feedback.provide_layer().correlate(link_query("id")).layer(client());
    assert!(soon(service.oneshot(request)).await.is_err());
    assert_eq!(server.bodies(), Vec::<Bytes>::new());
}

#[tokio::test]
async fn a_form_over_the_bound_reaches_the_server_whole_and_untouched() {
    let server = Server::start().await;
    let feedback = feedback(&server.base_url);
    let form = format!("{LINK}&StatusCallback={}", "x".repeat(2 * 1024 * 1024));
    let service = feedback.provide_layer().correlate(link_query("id")).layer(client());
    let response = soon(service.oneshot(create(&messages(&server.base_url), &form))).await;
    assert_eq!(response.expect("an answer").status(), 201);
    assert_eq!(server.bodies(), [form]);
    assert_sends!(feedback, form_unreadable: 1);
}

#[tokio::test]
async fn the_bound_on_a_form_is_the_builders() {
    for (max, tagged) in [(LINK.len(), true), (LINK.len() - 1, false)] {
        let feedback = builder(ORIGIN).max_form_bytes(max).build().unwrap();
        let (seen, inner) = answering(|| Response::new(full(&receipt())));
        let service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
        service.oneshot(create(&messages(ORIGIN), LINK)).await.expect("infallible");
        assert_eq!(seen.lock().unwrap()[0].1.ends_with(TAG.as_bytes()), tagged);
        assert_eq!(feedback.stats().sends.form_unreadable, u64::from(!tagged));
    }
}

#[tokio::test]
async fn a_form_of_unknown_size_streams_through_untouched() {
    let server = Server::start().await;
    let feedback = feedback(&server.base_url);
    let service = feedback.provide_layer().correlate(link_query("id")).layer(client());
    let (one, two) = LINK.split_at(30);
    let form = Script::new([data(one), Step::Yield, data(two)]);
    let response = soon(service.oneshot(post(&messages(&server.base_url), form))).await;
    assert_eq!(response.expect("an answer").status(), 201);
    assert_eq!(server.bodies(), [LINK]);
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen[0].0.headers["transfer-encoding"], "chunked");
    assert_sends!(feedback, form_unreadable: 1);
}

#[tokio::test]
async fn a_form_in_several_frames_is_tagged() {
    let server = Server::start().await;
    let feedback = feedback(&server.base_url);
    let service = feedback.provide_layer().correlate(link_query("id")).layer(client());
    let (one, two) = LINK.split_at(30);
    let steps = [Step::Yield, data(""), data(one), Step::Yield, data(two), Step::Yield];
    let form = Script::sized(LINK.len(), steps);
    let response = soon(service.oneshot(post(&messages(&server.base_url), form))).await;
    assert_eq!(response.expect("an answer").status(), 201);
    assert_eq!(server.bodies(), [format!("{LINK}{TAG}")]);
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

/// Answers one request on a socket with `answer`, byte for byte, and closes.
async fn answers_once(answer: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        while !read.ends_with(TAG.as_bytes()) && !read.ends_with(LINK.as_bytes()) {
            let length = stream.read(&mut buffer).await.expect("a request");
            read.extend_from_slice(&buffer[..length]);
        }
        stream.write_all(answer.as_bytes()).await.expect("an open connection");
        stream.shutdown().await.expect("an open connection");
    });
    format!("http://{address}/2010-04-01")
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_caller_at_the_same_byte() {
    let text = receipt();
    let (half, _) = text.split_at(60);
    let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{half}", text.len());
    let mut outcomes = Vec::new();
    for layered in [false, true] {
        let base_url = answers_once(answer.clone()).await;
        let feedback = feedback(&base_url);
        let request = create(&messages(&base_url), LINK);
        let mut body = if layered {
            let service = feedback.provide_layer().correlate(link_query("id")).layer(client());
            let response = soon(service.oneshot(request)).await.expect("an answer");
            assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);
            response.into_body().boxed()
        } else {
            soon(client().oneshot(request)).await.expect("an answer").into_body().boxed()
        };
        let mut bytes = Vec::new();
        let error = loop {
            match soon(body.frame()).await.expect("an error") {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().expect("data")),
                Err(error) => break error,
            }
        };
        let _: &hyper::Error = &error;
        outcomes.push((bytes, format!("{error:?}")));
    }
    assert_eq!(outcomes[0].0, half.as_bytes());
    assert_eq!(outcomes[0], outcomes[1]);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_the_clients_error() {
    let base_url = answers_once(String::new()).await;
    let feedback = feedback(&base_url);
    let service = feedback.provide_layer().correlate(link_query("id")).layer(client());
    let error = soon(service.oneshot(create(&messages(&base_url), LINK))).await.unwrap_err();
    let _: &hyper_util::client::legacy::Error = &error;
    assert!(!error.is_connect());
    assert_sends!(feedback, tagged: 1, not_created: 1);
}
