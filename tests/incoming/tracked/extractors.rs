//! Around which extractors it goes, and what it gives.

use axum::{
    Extension, Form, Json, Router,
    extract::{FromRef, Multipart, Path, Query, State},
    routing::{get, post},
};
use tower_message_feedback::{Confirmation, MessageFeedback, Tracked};

use crate::support::{CONFIRMATION, Link, Login, Site, Told, World, told};

#[tokio::test]
async fn forms_json_queries_and_paths_confirm() {
    async fn form(action: Tracked<Form<Login>>) -> Told {
        told(action.confirm().await)
    }
    async fn json(action: Tracked<Json<Login>>) -> Told {
        told(action.confirm().await)
    }
    async fn query(action: Tracked<Query<Login>>) -> Told {
        told(action.confirm().await)
    }
    async fn path(action: Tracked<Path<Login>>) -> Told {
        told(action.confirm().await)
    }
    let world = World::new().await;
    let app = Router::new()
        .route("/form", post(form).get(form))
        .route("/json", post(json))
        .route("/query", get(query))
        .route("/path/{attempt}/{code}", get(path))
        .layer(world.feedback.layer());
    let site = Site::axum(app).await;
    let mut sids = Vec::new();
    for id in ["a b", "c+d", "e/f", "g h", "i"] {
        sids.push(world.sent(id).await);
        let reply = match id {
            "a b" => site.post_form("/form", "attempt=a+b&code=1").await,
            "c+d" => site.post_json("/json", r#"{"attempt":"c+d","code":"1"}"#).await,
            "e/f" => site.get("/query?attempt=e%2Ff&code=1").await,
            "g h" => site.get("/path/g%20h/1").await,
            // axum's `Form` reads the query of a GET.
            _ => site.get("/form?attempt=i&code=1").await,
        };
        assert_eq!((reply.status, reply.header(CONFIRMATION)), (200, "Queued"), "{id}");
        world.reported(&sids).await;
    }
}

#[tokio::test]
async fn an_optional_action_may_be_missing() {
    async fn json(action: Option<Tracked<Json<Login>>>) -> Told {
        told(match action {
            Some(action) => action.confirm().await,
            None => Confirmation::NoId,
        })
    }
    async fn path(action: Option<Tracked<Path<Link>>>) -> Told {
        told(match action {
            Some(action) => action.confirm().await,
            None => Confirmation::NoId,
        })
    }
    let world = World::new().await;
    let mut sids = vec![world.sent("1").await];
    let app = Router::new()
        .route("/json", post(json))
        .route("/path", get(path))
        .route("/path/{id}", get(path))
        .layer(world.feedback.layer());
    let site = Site::axum(app).await;
    let missing = site.send(site.request(http::Method::POST, "/json")).await;
    assert_eq!((missing.status, missing.header(CONFIRMATION)), (200, "NoId"));
    assert_eq!(site.get("/path").await.header(CONFIRMATION), "NoId");
    assert_eq!(site.post_json("/json", "{").await.status, 400);
    world.nothing_reported().await;
    site.post_json("/json", r#"{"attempt":"1","code":""}"#).await;
    world.reported(&sids).await;
    sids.push(world.sent("2").await);
    site.get("/path/2").await;
    world.reported(&sids).await;
}

#[tokio::test]
async fn multipart_is_read_by_the_handler_and_confirmed_by_id() {
    async fn upload(mut action: Tracked<Multipart>) -> Told {
        let mut attempt = None;
        while let Some(field) = action.next_field().await.expect("a field") {
            if field.name() == Some("attempt") {
                attempt = Some(field.text().await.expect("a text"));
            }
        }
        told(action.confirm_id(attempt.expect("an attempt")).await)
    }
    let world = World::new().await;
    let sid = world.sent("a1").await;
    let app = Router::new().route("/upload", post(upload)).layer(world.feedback.layer());
    let body = "--x\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\n4711\r\n\
                --x\r\nContent-Disposition: form-data; name=\"attempt\"\r\n\r\na1\r\n--x--\r\n";
    let site = Site::axum(app).await;
    let reply = site.post("/upload", "multipart/form-data; boundary=x", body).await;
    assert_eq!((reply.status, reply.header(CONFIRMATION)), (200, "Queued"));
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_raw_body_confirms_by_an_id_from_elsewhere() {
    async fn raw(action: Tracked<String>) -> (Told, String) {
        (told(action.confirm_id("a1").await), action.into_inner())
    }
    let world = World::new().await;
    let sid = world.sent("a1").await;
    let app = Router::new().route("/raw", post(raw)).layer(world.feedback.layer());
    assert_eq!(Site::axum(app).await.post("/raw", "text/plain", "hello").await.body, "hello");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn its_fields_are_those_of_what_it_wraps() {
    async fn fields(mut action: Tracked<Form<Login>>) -> String {
        action.code.push('!');
        let both = format!("{} {}", action.attempt, action.code);
        let Form(Login { attempt, code }) = action.into_inner();
        assert_eq!(both, format!("{attempt} {code}"));
        both
    }
    let world = World::new().await;
    world.sent("a1").await;
    let app = Router::new().route("/", post(fields)).layer(world.feedback.layer());
    let reply = Site::axum(app).await.post_form("/", "attempt=a1&code=4711").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "a1 4711!"));
    // Extracting alone is no confirm.
    world.nothing_reported().await;
}

#[tokio::test]
async fn debug_shows_nothing_of_what_the_user_sent() {
    async fn debug(action: Tracked<Form<Login>>) -> String {
        format!("{action:?}")
    }
    let world = World::new().await;
    let app = Router::new().route("/", post(debug)).layer(world.feedback.layer());
    let reply = Site::axum(app).await.post_form("/", "attempt=a1&code=4711").await;
    assert_eq!(reply.body, "Tracked { .. }");
    assert_eq!(format!("{:?}", world.feedback.layer()), "TrackActionsLayer { .. }");
}

#[tokio::test]
async fn it_stands_beside_other_extractors_and_state() {
    #[derive(Clone)]
    struct App {
        name: &'static str,
    }
    impl FromRef<App> for &'static str {
        fn from_ref(app: &App) -> Self {
            app.name
        }
    }
    async fn all(
        State(name): State<&'static str>,
        Extension(number): Extension<u8>,
        link: Tracked<Query<Link>>,
        action: Tracked<Json<Login>>,
    ) -> (Told, String) {
        let _ = link.confirm().await;
        (told(action.confirm().await), format!("{name} {number}"))
    }
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let app = Router::new()
        .nest("/api", Router::new().route("/both", post(all)))
        .layer(Extension(7_u8))
        .route_layer(world.feedback.layer())
        .with_state(App { name: "Ada" });
    let site = Site::axum(app).await;
    let reply = site.post_json("/api/both?id=1", r#"{"attempt":"2","code":""}"#).await;
    assert_eq!((reply.body.as_str(), reply.header(CONFIRMATION)), ("Ada 7", "Queued"));
    world.reported_in_any_order(&sids).await;
}

#[tokio::test]
async fn the_handle_itself_is_an_extractor() {
    async fn by_hand(feedback: MessageFeedback, Path(id): Path<String>) -> Told {
        told(feedback.confirm(id).await)
    }
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new().route("/{id}", post(by_hand)).layer(world.feedback.layer());
    assert_eq!(Site::axum(app).await.post_form("/1", "").await.header(CONFIRMATION), "Queued");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn of_two_handles_the_inner_layers_counts() {
    async fn clicked(action: Tracked<Query<Link>>) -> Told {
        told(action.confirm().await)
    }
    let (outer, inner) = (World::new().await, World::new().await);
    outer.sent("1").await;
    let sid = inner.sent("1").await;
    let app = Router::new()
        .route("/", get(clicked).layer(inner.feedback.layer()))
        .layer(outer.feedback.layer());
    assert_eq!(Site::axum(app).await.get("/?id=1").await.header(CONFIRMATION), "Queued");
    inner.reported(&[sid]).await;
    outer.nothing_reported().await;
}
