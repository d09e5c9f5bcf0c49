//! The wrapped service gets what came, when it is ready for it.

use axum::{Router, body::Bytes, extract::Request, routing::post};
use http::{HeaderMap, Method, Response, Uri, request::Parts};
use tower::Layer;
use tower_message_feedback::{
    CorrelationId,
    source::{IdSource, cookie, extension, header, path, path_template, query},
};
use tower_test::mock;

use crate::support::{Site, World, soon};

#[tokio::test]
async fn a_service_that_is_not_ready_holds_its_callers_back() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let confirm = world.feedback.confirm_layer(query("id"));
    let (mut service, mut handle) =
        mock::spawn_layer::<http::Request<()>, Response<()>, _>(confirm);
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.is_woken());
    assert!(service.poll_ready().is_ready());

    let request = http::Request::get("/?id=1").body(()).expect("a request");
    let mut answer = tokio::spawn(service.call(request));
    let (seen, respond) = handle.next_request().await.expect("a request");
    assert_eq!(seen.uri(), "/?id=1");
    assert!(service.poll_ready().is_pending());
    respond.send_response(Response::new(()));
    soon("an answer", &mut answer).await.expect("a task").expect("an answer");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_service_that_breaks_says_so_to_whoever_asks_whether_it_is_ready() {
    let world = World::new().await;
    let confirm = world.feedback.confirm_layer(query("id"));
    let (mut service, mut handle) =
        mock::spawn_layer::<http::Request<()>, Response<()>, _>(confirm);
    handle.send_error("broken");
    let std::task::Poll::Ready(Err(error)) = service.poll_ready() else { panic!("no error") };
    assert!(error.to_string().contains("broken"), "{error}");
}

/// The whole request, as the handler sees it.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> String {
    let kept: Vec<_> = headers.iter().filter(|(name, _)| *name != "host").collect();
    format!("{method} {uri} {kept:?} {body:?}")
}

#[tokio::test]
async fn method_uri_headers_and_body_reach_the_handler_as_they_came() {
    let world = World::new().await;
    let app = Router::new().route("/echo/{id}", post(echo).get(echo));
    let layered = app
        .clone()
        .layer(world.feedback.confirm_layer(header("x-attempt".parse().expect("a name"))))
        .layer(world.feedback.confirm_layer(cookie("c")))
        .layer(world.feedback.confirm_layer(path("id")))
        .layer(world.feedback.confirm_layer(path_template("/echo/{id}")))
        .layer(world.feedback.confirm_layer(query("id")));
    let bare = Site::axum(app).await;
    let with = Site::axum(layered).await;
    let large = "x".repeat(1_000_000);
    let mut replies = Vec::new();
    for site in [&bare, &with] {
        let request = site
            .request(Method::POST, "/echo/p%2f?id=a%2B+b&id=&x")
            .header("x-attempt", " h ")
            .header("cookie", "c=\"1\"; d=2")
            .header("cookie", "e")
            .body(large.clone());
        replies.push(site.send(request).await);
    }
    assert_eq!(replies[0].status, 200);
    assert!(replies[0].body.contains(&large));
    assert_eq!(replies[0], replies[1]);
    assert_eq!(world.confirms().unknown, 5);
}

#[tokio::test]
async fn extensions_reach_the_handler_as_an_outer_layer_left_them() {
    #[derive(Clone)]
    struct Session(u8);
    let world = World::new().await;
    let seen = |request: Request| async move {
        let id = request.extensions().get::<CorrelationId>().cloned();
        let session = request.extensions().get::<Session>().map(|session| session.0);
        assert!(id == Some("1".into()) && session == Some(7));
    };
    let app = Router::new()
        .route("/", post(seen))
        .layer(world.feedback.confirm_layer(extension()))
        .layer(axum::Extension(CorrelationId::new("1")))
        .layer(axum::Extension(Session(7)));
    assert_eq!(Site::axum(app).await.post_form("/", "x").await.status, 200);
}

#[tokio::test]
async fn a_source_leaves_the_head_as_it_was() {
    fn check(source: &impl IdSource, parts: &mut Parts) {
        let before = format!("{parts:?}");
        let _ = source.find(parts);
        let _ = source.find(parts);
        assert_eq!(format!("{parts:?}"), before);
    }
    let request = http::Request::get("/confirm/1?id=1")
        .header("cookie", "id=1")
        .header("id", "1")
        .extension(CorrelationId::new("1"));
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    check(&query("id"), &mut parts);
    check(&path("id"), &mut parts);
    check(&path_template("/confirm/{id}"), &mut parts);
    check(&header("id".parse().expect("a name")), &mut parts);
    check(&cookie("id"), &mut parts);
    check(&extension(), &mut parts);
    assert_eq!(parts.extensions.len(), 1);
}

#[tokio::test]
async fn debug_of_the_layer_and_its_service_shows_no_id_and_no_secret() {
    let world = World::new().await;
    let confirm = world.feedback.confirm_layer(query("id"));
    assert_eq!(format!("{confirm:?}"), "ConfirmLayer { .. }");
    assert_eq!(format!("{:?}", confirm.layer(7)), "Confirm { inner: 7, .. }");
}
