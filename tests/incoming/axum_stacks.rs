//! Where axum lets a layer or an extractor stand.

use axum::{
    Json, Router,
    extract::{FromRef, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use axum_extra::extract::{Cached, Form as ExtraForm, Query as ExtraQuery, WithRejection};
use tower_message_feedback::{
    Confirmed, CorrelationId, MessageFeedback, Tracked, TrackedAction, TrackedRejection,
    source::{path, query},
};

use crate::support::{Link, Login, Site, World};

async fn thank_you() -> &'static str {
    "Thank you!"
}

async fn clicked(_: Confirmed<Query<Link>>) -> &'static str {
    "Thank you!"
}

#[tokio::test]
async fn a_fallback_is_layered_as_a_route_is() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let app = Router::new()
        .route("/other", get(thank_you))
        .fallback(thank_you)
        .layer(world.feedback.confirm_layer(query("id")));
    let site = Site::axum(app).await;
    assert_eq!(site.get("/anywhere?id=1").await.status, 200);
    world.reported(&sids[..1]).await;

    // A fallback with a status of its own is no good answer.
    let missing = || async { StatusCode::NOT_FOUND };
    let app = Router::new().fallback(missing).layer(world.feedback.confirm_layer(query("id")));
    assert_eq!(Site::axum(app).await.get("/anywhere?id=2").await.status, 404);
    world.reported(&sids[..1]).await;

    let app = Router::new().fallback(clicked).layer(world.feedback.layer());
    assert_eq!(Site::axum(app).await.get("/anywhere?id=2").await.status, 200);
    world.reported(&sids).await;
}

#[tokio::test]
async fn nested_routers_are_layered_inside_and_outside() {
    for inside in [true, false] {
        let world = World::new().await;
        let sids = [world.sent("1").await, world.sent("2").await, world.sent("3").await];
        let links = Router::new()
            .route("/layer", get(thank_you).layer(world.feedback.confirm_layer(query("id"))))
            .route("/path/{id}", get(thank_you).layer(world.feedback.confirm_layer(path("id"))))
            .route("/clicked", get(clicked));
        let app = if inside {
            Router::new().nest("/a", Router::new().nest("/b", links.layer(world.feedback.layer())))
        } else {
            Router::new().nest("/a", Router::new().nest("/b", links)).layer(world.feedback.layer())
        };
        let site = Site::axum(app).await;
        for path in ["/a/b/layer?id=1", "/a/b/path/2", "/a/b/clicked?id=3"] {
            assert_eq!(site.get(path).await.body, "Thank you!");
        }
        world.reported(&sids).await;
    }
}

#[derive(Clone)]
struct App {
    feedback: MessageFeedback,
    greeting: &'static str,
}

impl FromRef<App> for MessageFeedback {
    fn from_ref(app: &App) -> Self {
        app.feedback.clone()
    }
}

impl FromRef<App> for &'static str {
    fn from_ref(app: &App) -> Self {
        app.greeting
    }
}

#[tokio::test]
async fn the_handle_is_a_part_of_the_state() {
    async fn by_state(State(feedback): State<MessageFeedback>, link: Query<Link>) -> StatusCode {
        let confirmed =
            feedback.confirm(link.id.as_deref().unwrap_or_default()).await.is_confirmed();
        if confirmed { StatusCode::OK } else { StatusCode::NOT_FOUND }
    }
    async fn beside(
        State(greeting): State<&'static str>,
        _: Confirmed<Query<Link>>,
    ) -> &'static str {
        greeting
    }
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let app = Router::new()
        .route("/by-state", get(by_state))
        .route("/beside", get(beside))
        .layer(world.feedback.layer())
        .with_state(App { feedback: world.feedback.clone(), greeting: "Hello!" });
    let site = Site::axum(app).await;
    assert_eq!(site.get("/by-state?id=1").await.status, 200);
    assert_eq!(site.get("/by-state?id=3").await.status, 404);
    assert_eq!(site.get("/beside?id=2").await.body, "Hello!");
    world.reported(&sids).await;
}

/// An application's own rejection, as `WithRejection` asks for.
struct Refused(StatusCode);

impl From<TrackedRejection<JsonRejection>> for Refused {
    fn from(rejection: TrackedRejection<JsonRejection>) -> Self {
        Self(rejection.into_response().status())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, "refused in the application's words").into_response()
    }
}

/// A list in a query, which axum's own does not read.
#[derive(Debug, Clone, serde::Deserialize)]
struct Links {
    id: Vec<String>,
}

impl TrackedAction for Links {
    fn correlation_id(&self) -> Option<CorrelationId> {
        self.id.last().map(CorrelationId::from)
    }
}

#[tokio::test]
async fn the_extractors_of_axum_extra_are_wrapped_or_wrap() {
    async fn form(action: Tracked<ExtraForm<Login>>) {
        action.confirm().await;
    }
    async fn list(_: Confirmed<ExtraQuery<Links>>) {}
    async fn json(
        WithRejection(action, _): WithRejection<Tracked<Json<Login>>, Refused>,
    ) -> StatusCode {
        action.confirm().await;
        StatusCode::OK
    }
    async fn cached(
        action: Tracked<Cached<ExtraQuery<Links>>>,
        Cached(links): Cached<ExtraQuery<Links>>,
    ) {
        action.confirm_id(links.id[0].as_str()).await;
    }
    let world = World::new().await;
    let sids = [
        world.sent("1").await,
        world.sent("2").await,
        world.sent("3").await,
        world.sent("4").await,
    ];
    let app = Router::new()
        .route("/form", get(form).post(form))
        .route("/list", get(list))
        .route("/json", get(json).post(json))
        .route("/cached", get(cached))
        .layer(world.feedback.layer());
    let site = Site::axum(app).await;
    assert_eq!(site.post_form("/form", "attempt=1&code=4711").await.status, 200);
    assert_eq!(site.get("/list?id=9&id=2").await.status, 200);
    let refused = site.post_json("/json", "{").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (400, "refused in the application's words")
    );
    assert_eq!(site.post_json("/json", r#"{"attempt":"3","code":"4711"}"#).await.status, 200);
    assert_eq!(site.get("/cached?id=4").await.status, 200);
    world.reported(&sids).await;
}

/// gRPC's failures are answered 200.
#[tokio::test]
async fn a_call_that_failed_by_grpcs_status_confirms_nothing() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await, world.sent("3").await];
    let answer =
        |status: &'static str| get(async move || ([("grpc-status", status)], "").into_response());
    async fn marked(_: Confirmed<Query<Link>>) -> Response {
        ([("grpc-status", "7")], "").into_response()
    }
    let app = Router::new()
        .route("/unauthenticated", answer("16").layer(world.feedback.confirm_layer(query("id"))))
        .route("/marked", get(marked))
        .route("/ok", answer("0").layer(world.feedback.confirm_layer(query("id"))))
        .layer(world.feedback.layer());
    let site = Site::axum(app).await;
    assert_eq!(site.get("/unauthenticated?id=1").await.status, 200);
    assert_eq!(site.get("/marked?id=2").await.status, 200);
    world.reported(&[]).await;
    assert_eq!(site.get("/ok?id=3").await.status, 200);
    world.reported(&sids[2..]).await;
}
