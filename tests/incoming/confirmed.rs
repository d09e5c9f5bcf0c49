//! `Confirmed<E>`: a good answer is the action.

use axum::{
    Form, Json, Router,
    extract::{FromRef, Path, Query, State, rejection::QueryRejection},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{Extensions, HeaderMap, StatusCode};
use tower_message_feedback::{Confirmed, TrackedRejection};

use crate::support::{Link, Login, Site, World};

async fn clicked(Confirmed(Query(link)): Confirmed<Query<Link>>) -> String {
    format!("Thank you, {}!", link.id.unwrap_or_default())
}

/// Answers with the status that the code says.
async fn answer(action: Confirmed<Form<Login>>) -> Response {
    let status = action.code.parse().expect("a status");
    StatusCode::from_u16(status).expect("a status").into_response()
}

async fn site(world: &World) -> Site {
    let app = Router::new()
        .route("/clicked", get(clicked))
        .route("/answer", post(answer))
        .layer(world.feedback.layer());
    Site::axum(app).await
}

#[tokio::test]
async fn queries_forms_json_and_paths_are_confirmed_by_a_good_answer() {
    async fn json(_: Confirmed<Json<Login>>) {}
    async fn path(_: Confirmed<Path<Link>>) {}
    let world = World::new().await;
    let app = Router::new()
        .route("/query", get(clicked))
        .route("/form", post(answer))
        .route("/json", post(json))
        .route("/path/{id}", get(path))
        .layer(world.feedback.layer());
    let site = Site::axum(app).await;
    let mut sids = vec![world.sent("a b").await];
    assert_eq!(site.get("/query?id=a+b").await.body, "Thank you, a b!");
    world.reported(&sids).await;
    sids.push(world.sent("2").await);
    assert_eq!(site.post_form("/form", "attempt=2&code=200").await.status, 200);
    world.reported(&sids).await;
    sids.push(world.sent("3").await);
    site.post_json("/json", r#"{"attempt":"3","code":""}"#).await;
    world.reported(&sids).await;
    sids.push(world.sent("c/d").await);
    site.get("/path/c%2Fd").await;
    world.reported(&sids).await;
}

#[tokio::test]
async fn only_an_answer_of_2xx_or_3xx_confirms() {
    let world = World::new().await;
    let site = site(&world).await;
    world.sent("1").await;
    for status in [400, 401, 404, 422, 429, 500, 503] {
        let reply = site.post_form("/answer", &format!("attempt=1&code={status}")).await;
        assert_eq!(reply.status, status);
    }
    world.nothing_reported().await;
    let mut sids = Vec::new();
    for status in [200, 201, 204, 302, 303] {
        sids.push(world.sent("1").await);
        let reply = site.post_form("/answer", &format!("attempt=1&code={status}")).await;
        assert_eq!(reply.status, status);
        world.reported(&sids).await;
    }
}

#[tokio::test]
async fn a_redirect_as_browsers_know_it_confirms() {
    async fn welcome(_: Confirmed<Form<Login>>) -> Redirect {
        Redirect::to("/welcome")
    }
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new().route("/", post(welcome)).layer(world.feedback.layer());
    let reply = Site::axum(app).await.post_form("/", "attempt=1&code=").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/welcome"));
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_later_extractors_rejection_reports_nothing() {
    async fn both(Confirmed(_): Confirmed<Query<Link>>, _: Form<Login>) {}
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new().route("/", post(both)).layer(world.feedback.layer());
    let site = Site::axum(app).await;
    assert_eq!(site.post_form("/?id=1", "no=login").await.status, 422);
    assert_eq!(site.post("/?id=1", "text/plain", "attempt=1&code=").await.status, 415);
    world.nothing_reported().await;
    assert_eq!(site.post_form("/?id=1", "attempt=x&code=").await.status, 200);
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_rejection_that_the_handler_catches_and_answers_well_marks_nothing() {
    type Caught = Result<Confirmed<Query<Login>>, TrackedRejection<QueryRejection>>;
    async fn lenient(link: Caught) -> &'static str {
        if link.is_ok() { "good" } else { "bad" }
    }
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new().route("/", get(lenient)).layer(world.feedback.layer());
    let site = Site::axum(app).await;
    assert_eq!(site.get("/?attempt=1").await.body, "bad");
    world.nothing_reported().await;
    assert_eq!(site.get("/?attempt=1&code=2").await.body, "good");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn an_action_without_an_id_is_answered_as_any_other() {
    let world = World::new().await;
    world.sent("1").await;
    let site = site(&world).await;
    let huge = format!("/clicked?id={}", "x".repeat(10 * 1024));
    for path in ["/clicked", "/clicked?id=", "/clicked?id=unknown", &huge] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.starts_with("Thank you, "));
    }
    world.nothing_reported().await;
    assert_eq!(world.confirms().unknown, 1);
}

#[tokio::test]
async fn a_panic_after_the_mark_reports_nothing() {
    async fn broken(_: Confirmed<Query<Link>>) {
        std::panic::resume_unwind(Box::new("broken"))
    }
    let world = World::new().await;
    world.sent("1").await;
    let app = Router::new().route("/", get(broken)).layer(world.feedback.layer());
    let site = Site::axum(app).await;
    assert!(site.try_send(site.request(http::Method::GET, "/?id=1")).await.is_err());
    world.nothing_reported().await;
}

#[tokio::test]
async fn one_good_answer_confirms_all_that_it_marked() {
    async fn both(_: Confirmed<Query<Link>>, _: Confirmed<Form<Login>>) {}
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let app = Router::new().route("/", post(both)).layer(world.feedback.layer());
    Site::axum(app).await.post_form("/?id=1", "attempt=2&code=").await;
    world.reported_in_any_order(&sids).await;
    assert_eq!(world.confirms().deferred, 0);
}

#[tokio::test]
async fn the_same_mark_twice_reports_once() {
    async fn both(_: Confirmed<Query<Link>>, _: Confirmed<Form<Login>>) {}
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new().route("/", post(both)).layer(world.feedback.layer());
    Site::axum(app).await.post_form("/?id=1", "attempt=1&code=").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_predicate_of_the_applications_own_decides_instead() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let only = world
        .feedback
        .layer()
        .when(|status: StatusCode, _: &HeaderMap, _: &Extensions| status == StatusCode::SEE_OTHER);
    let app = Router::new().route("/answer", post(answer)).layer(only);
    let site = Site::axum(app).await;
    for status in [200, 204, 302, 404, 500] {
        site.post_form("/answer", &format!("attempt=1&code={status}")).await;
    }
    world.nothing_reported().await;
    site.post_form("/answer", "attempt=1&code=303").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn it_works_with_state_nested_routers_and_a_route_layer() {
    #[derive(Clone)]
    struct App {
        name: &'static str,
    }
    impl FromRef<App> for &'static str {
        fn from_ref(app: &App) -> Self {
            app.name
        }
    }
    async fn greet(State(name): State<&'static str>, link: Confirmed<Query<Link>>) -> String {
        format!("{name} {}", link.id.as_deref().unwrap_or_default())
    }
    let world = World::new().await;
    let routes = || Router::new().route("/greet", get(greet));
    let app = Router::new()
        .nest("/layer", routes().layer(world.feedback.layer()))
        .nest("/routes", routes().route_layer(world.feedback.layer()))
        .nest("/on", Router::new().route("/greet", get(greet).layer(world.feedback.layer())))
        .with_state(App { name: "Ada" });
    let outer = Router::new().nest("/outer", routes().with_state(App { name: "Ada" }));
    let site = Site::axum(app.merge(outer.layer(world.feedback.layer()))).await;
    let mut sids = Vec::new();
    for part in ["layer", "routes", "on", "outer"] {
        sids.push(world.sent(part).await);
        assert_eq!(site.get(&format!("/{part}/greet?id={part}")).await.body, format!("Ada {part}"));
        world.reported(&sids).await;
    }
}

#[tokio::test]
async fn debug_shows_nothing_of_what_the_user_sent() {
    async fn debug(action: Confirmed<Form<Login>>) -> String {
        format!("{action:?}")
    }
    let world = World::new().await;
    let app = Router::new().route("/", post(debug)).layer(world.feedback.layer());
    let reply = Site::axum(app).await.post_form("/", "attempt=a1&code=4711").await;
    assert_eq!(reply.body, "Confirmed { .. }");
}
