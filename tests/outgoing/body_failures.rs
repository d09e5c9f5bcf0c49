//! Forms that fail on the way, through a real client to a real server.

use bytes::Bytes;
use http::Response;
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
    // An endless body.
    let endless = Script::sized(10, std::iter::repeat_n(data(LINK), 1_000_000));
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
