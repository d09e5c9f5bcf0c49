//! Which answers confirm, and that no answer is changed.

use std::convert::Infallible;

use axum::{
    Router,
    http::{Extensions, HeaderMap},
    response::{IntoResponse, Redirect},
    routing::get,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::sync::oneshot;
use tower::{Layer, ServiceExt, service_fn};
use tower_message_feedback::source::query;

use crate::support::{Site, World, soon};

/// Answers with the status that the path says.
async fn answer(axum::extract::Path(status): axum::extract::Path<u16>) -> impl IntoResponse {
    (StatusCode::from_u16(status).expect("a status"), [("x-own", "1")], format!("<{status}>"))
}

fn answers() -> Router {
    Router::new().route("/{status}", get(answer))
}

#[tokio::test]
async fn answers_of_2xx_and_3xx_confirm() {
    for status in [200, 201, 202, 204, 299, 301, 302, 303, 304, 307, 308] {
        let world = World::new().await;
        let sid = world.sent("1").await;
        let site = Site::axum(answers().layer(world.feedback.confirm_layer(query("id")))).await;
        assert_eq!(site.get(&format!("/{status}?id=1")).await.status, status);
        assert_eq!(world.confirms().queued, 1, "{status}");
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn answers_of_4xx_and_5xx_do_not_confirm_and_a_later_good_one_does() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let site = Site::axum(answers().layer(world.feedback.confirm_layer(query("id")))).await;
    for status in [400, 401, 403, 404, 410, 422, 429, 499, 500, 502, 503, 599] {
        let reply = site.get(&format!("/{status}?id=1")).await;
        assert_eq!((reply.status, reply.body), (status, format!("<{status}>")));
    }
    // No such route, and no such method.
    assert_eq!(site.get("/no/such?id=1").await.status, 404);
    assert_eq!(site.post_form("/200?id=1", "").await.status, 405);
    world.nothing_reported().await;
    site.get("/200?id=1").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_predicate_of_the_applications_own_decides_instead() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let only = world.feedback.confirm_layer(query("id")).when(
        |status: StatusCode, headers: &HeaderMap, _: &Extensions| {
            status == StatusCode::SEE_OTHER || headers.contains_key("x-right")
        },
    );
    let app = answers()
        .route("/right", get(|| async { (StatusCode::NOT_FOUND, [("x-right", "1")]) }))
        .route("/welcome", get(|| async { Redirect::to("/home") }))
        .layer(only);
    let site = Site::axum(app).await;
    for status in [200, 302, 404, 500] {
        site.get(&format!("/{status}?id=1")).await;
    }
    world.nothing_reported().await;
    site.get("/welcome?id=1").await;
    world.reported(&sids[..1]).await;
    assert_eq!(site.get("/right?id=2").await.status, 404);
    world.reported(&sids).await;
}

#[tokio::test]
async fn a_predicate_sees_what_the_handler_left_in_the_extensions() {
    #[derive(Clone)]
    struct RightCode;
    let world = World::new().await;
    let sid = world.sent("1").await;
    let right = |_: StatusCode, _: &HeaderMap, extensions: &Extensions| {
        extensions.get::<RightCode>().is_some()
    };
    let app = Router::new()
        .route("/wrong", get(|| async {}))
        .route("/right", get(|| async { axum::Extension(RightCode) }))
        .layer(world.feedback.confirm_layer(query("id")).when(right));
    let site = Site::axum(app).await;
    site.get("/wrong?id=1").await;
    world.nothing_reported().await;
    site.get("/right?id=1").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_handler_that_panics_confirms_nothing() {
    let world = World::new().await;
    world.sent("1").await;
    async fn broken() -> &'static str {
        std::panic::resume_unwind(Box::new("broken"))
    }
    let confirm = world.feedback.confirm_layer(query("id"));
    let app = Router::new().route("/confirm", get(broken).layer(confirm));
    let site = Site::axum(app).await;
    let closed = site.try_send(site.request(http::Method::GET, "/confirm?id=1")).await;
    assert!(closed.is_err());
    world.nothing_reported().await;
}

#[tokio::test]
async fn a_service_that_fails_confirms_nothing_and_keeps_its_error() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    let world = World::new().await;
    world.sent("1").await;
    let broken = service_fn(|_: Request<()>| async { Err::<Response<()>, _>(Broken) });
    let service = world.feedback.confirm_layer(query("id")).layer(broken);
    let request = Request::get("/confirm?id=1").body(()).expect("a request");
    assert_eq!(service.oneshot(request).await.expect_err("an error"), Broken);
    world.nothing_reported().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_handler_is_done_confirms_nothing() {
    let world = World::new().await;
    world.sent("1").await;
    let (begun, has_begun) = oneshot::channel();
    let (_hold, ended) = oneshot::channel::<()>();
    let (dropped, is_dropped) = oneshot::channel::<()>();
    let once = std::sync::Arc::new(std::sync::Mutex::new(Some((begun, ended, dropped))));
    let handler = move || async move {
        let (begun, ended, _dropped) = once.lock().expect("a lock").take().expect("once");
        begun.send(()).expect("a test");
        let _ = ended.await;
        "done"
    };
    let confirm = world.feedback.confirm_layer(query("id"));
    let site = Site::axum(Router::new().route("/confirm", get(handler).layer(confirm))).await;
    let stream = site.ask("/confirm?id=1").await;
    soon("the handler", has_begun).await.expect("a handler");
    drop(stream);
    soon("the end of the handler", is_dropped).await.expect_err("it was dropped");
    world.nothing_reported().await;
    assert_eq!(world.confirms().deferred, 0);
}

#[tokio::test]
async fn an_answer_is_the_same_with_the_layer_and_without() {
    let world = World::new().await;
    let layered = answers().layer(world.feedback.confirm_layer(query("id")));
    let site = Site::axum(Router::new().nest("/with", layered).nest("/bare", answers())).await;
    for status in [200, 204, 303, 304, 404, 500] {
        world.sent(status.to_string()).await;
        let query_string = format!("{status}?id={status}");
        let bare = site.get(&format!("/bare/{query_string}")).await;
        let with = site.get(&format!("/with/{query_string}")).await;
        assert_eq!(with, bare);
        assert_eq!(with.header("x-own"), "1");
    }
    assert_eq!(world.confirms().queued, 4);
}

#[tokio::test]
async fn frames_trailers_and_a_bodys_error_pass_untouched() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let stream = service_fn(|_: Request<Empty<Bytes>>| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "42".parse().expect("a value"));
        let frames = [
            Ok(Frame::data(Bytes::from_static(b"one"))),
            Ok(Frame::data(Bytes::from_static(b"two"))),
            Ok(Frame::trailers(trailers)),
            Err("cut off"),
        ];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        Ok::<_, Infallible>(Response::new(body))
    });
    let service = world.feedback.confirm_layer(query("id")).layer(stream);
    let request = Request::get("/confirm?id=1").body(Empty::new()).expect("a request");
    let mut body = service.oneshot(request).await.expect("an answer").into_body();
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        frames.push(frame.map(|frame| match frame.into_data() {
            Ok(data) => String::from_utf8_lossy(&data).into_owned(),
            Err(frame) => format!("{:?}", frame.trailers_ref().expect("trailers")["x-sum"]),
        }));
    }
    let expected = [Ok("one".into()), Ok("two".into()), Ok("\"42\"".into()), Err("cut off")];
    assert_eq!(frames, expected);
    world.reported(&[sid]).await;
}
