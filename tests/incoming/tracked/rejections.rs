//! It rejects as what it wraps does, and names the fix where the layer lacks.

use std::error::Error;

use axum::{
    Form, Json, Router,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query},
    response::IntoResponse,
    routing::{get, post},
};
use http::Method;
use serde::Deserialize;
use tower_message_feedback::{
    Confirmed, CorrelationId, MessageFeedback, Tracked, TrackedAction, TrackedRejection,
};

use crate::support::{Link, Login, Site, World};

#[derive(Deserialize)]
struct Number(u32);

impl TrackedAction for Number {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some(self.0.to_string().into())
    }
}

async fn body<E: FromRequest<()> + Send>(_: E) {}

async fn head<E: FromRequestParts<()> + Send>(_: E) {}

fn bare() -> Router {
    Router::new()
        .route("/form", post(body::<Form<Login>>))
        .route("/json", post(body::<Json<Login>>))
        .route("/query", get(head::<Query<Login>>))
        .route("/path/{number}", get(head::<Path<Number>>))
}

fn tracked() -> Router {
    Router::new()
        .route("/form", post(body::<Tracked<Form<Login>>>))
        .route("/json", post(body::<Tracked<Json<Login>>>))
        .route("/query", get(head::<Tracked<Query<Login>>>))
        .route("/path/{number}", get(head::<Tracked<Path<Number>>>))
}

fn confirmed() -> Router {
    Router::new()
        .route("/form", post(body::<Confirmed<Form<Login>>>))
        .route("/json", post(body::<Confirmed<Json<Login>>>))
        .route("/query", get(head::<Confirmed<Query<Login>>>))
        .route("/path/{number}", get(head::<Confirmed<Path<Number>>>))
}

#[tokio::test]
async fn a_rejection_is_the_inner_extractors_own() {
    let world = World::new().await;
    world.sent("a1").await;
    let limit = DefaultBodyLimit::max(1_000);
    let bare = Site::axum(bare().layer(limit)).await;
    let layer = || world.feedback.layer();
    let large = format!("attempt=a1&code={}", "x".repeat(1_000));
    let large_json = format!(r#"{{"attempt":"a1","code":"{}"}}"#, "x".repeat(1_000));
    for app in [tracked(), confirmed()] {
        let site = Site::axum(app.layer(layer()).layer(limit)).await;
        let mut statuses = Vec::new();
        for (method, path, content_type, body) in [
            (Method::POST, "/form", "text/plain", "attempt=a1&code=4711"),
            (Method::POST, "/form", "application/x-www-form-urlencoded", "attempt=a1"),
            (Method::POST, "/form", "application/x-www-form-urlencoded", &large),
            (Method::POST, "/json", "text/plain", "{}"),
            (Method::POST, "/json", "application/json", r#"{"attempt":"a1""#),
            (Method::POST, "/json", "application/json", r#"{"attempt":"a1"}"#),
            (Method::POST, "/json", "application/json", &large_json),
            (Method::GET, "/query?attempt=a1", "text/plain", ""),
            (Method::GET, "/path/a1", "text/plain", ""),
        ] {
            let request = |site: &Site| {
                site.request(method.clone(), path)
                    .header("content-type", content_type)
                    .body(body.to_owned())
            };
            let own = bare.send(request(&bare)).await;
            assert!(!own.body.is_empty());
            assert_eq!(site.send(request(&site)).await, own, "{path} {body}");
            statuses.push(own.status);
        }
        assert_eq!(statuses, [415, 422, 413, 415, 400, 422, 413, 400, 400]);
    }
    world.nothing_reported().await;
}

#[tokio::test]
async fn without_the_layer_the_answer_is_500_and_names_the_fix() {
    async fn option(_: Option<Tracked<Json<Login>>>) {}
    async fn handle(_: MessageFeedback) {}
    async fn option_parts(_: Option<Tracked<Path<Link>>>) {}
    let app = tracked()
        .nest("/confirmed", confirmed())
        .route("/option", post(option))
        .route("/parts/{id}", get(option_parts))
        .route("/handle", post(handle));
    let site = Site::axum(app).await;
    let good = "attempt=a1&code=4711";
    let json = r#"{"attempt":"a1","code":"4711"}"#;
    let replies = [
        site.post_form("/form", good).await,
        site.post_json("/json", json).await,
        site.get("/query?attempt=a1&code=1").await,
        site.get("/path/1").await,
        site.post_form("/confirmed/form", good).await,
        site.get("/confirmed/query?attempt=a1&code=1").await,
        site.post_json("/option", json).await,
        site.get("/parts/1").await,
        site.post_form("/handle", "").await,
        // The inner rejection does not hide it.
        site.post_form("/form", "").await,
    ];
    for reply in replies {
        assert_eq!(reply.status, 500);
        assert!(reply.body.contains("`.layer(feedback.layer())`"), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_rejection_shows_its_cause_to_code_too() {
    let request = |body: &'static str| {
        http::Request::post("/")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body))
            .expect("a request")
    };
    let missing = Tracked::<Json<Login>>::from_request(request("{}"), &()).await;
    let missing = missing.expect_err("no layer");
    let TrackedRejection::MissingLayer(layer) = &missing else { panic!("{missing:?}") };
    assert_eq!(layer.body_text(), missing.to_string());
    assert_eq!(layer.status(), missing.into_response().status());

    let world = World::new().await;
    let (texts, mut rejected) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |action: Result<Tracked<Json<Login>>, TrackedRejection<_>>| async move {
        let rejection: TrackedRejection<axum::extract::rejection::JsonRejection> =
            action.expect_err("a rejection");
        let own = matches!(rejection, TrackedRejection::Inner(_));
        let text = (own, rejection.to_string(), rejection.source().map(ToString::to_string));
        texts.send(text).expect("a test");
    };
    let app = Router::new().route("/", post(handler)).layer(world.feedback.layer());
    assert_eq!(Site::axum(app).await.post_json("/", "{").await.status, 200);
    let (own, text, source) = rejected.recv().await.expect("a rejection");
    let bare = Json::<Login>::from_request(request("{"), &()).await.expect_err("a rejection");
    assert!(own);
    assert_eq!(text, bare.to_string());
    assert_eq!(source, bare.source().map(ToString::to_string));
}
