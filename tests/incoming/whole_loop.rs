//! The README, over sockets: the application sends, the phone reads, the user
//! clicks, Twilio learns.

use std::{sync::Arc, time::Duration};

use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::Redirect,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::Mutex;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_message_feedback::{
    BaseUrl, Confirmed, CorrelationId, Credentials, LinkQuery, ManualClock, MessageFeedback,
    ProvideFeedback, Timestamp, Tracked, link_query, source::query, store::MemoryStore,
};

use crate::support::{
    AC, CONFIRMATION, Gate, GatedStore, Link, Login, Site, Told, World, soon, told,
};

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper_client() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

fn create(base_url: &BaseUrl, form: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{base_url}/Accounts/{AC}/Messages.json"))
        .header(AUTHORIZATION, "Bearer token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(form.to_owned()))
        .expect("a request")
}

/// What the phone shows, and what the user touches: the link's path and query.
fn link_on_the_phone(world: &World) -> String {
    let messages = world.twilio.messages();
    let text = messages.last().expect("a message").body();
    let link = text.split_whitespace().find(|word| word.starts_with("https://")).expect("a link");
    let path = link.trim_start_matches("https://").find('/').expect("a path");
    link["https://".len() + path..].to_owned()
}

#[tokio::test]
async fn a_link_is_sent_read_clicked_and_reported() {
    let world = World::new().await;
    let base_url = world.server.base_url();
    let twilio = ServiceBuilder::new()
        .layer(world.feedback.provide_layer().correlate(link_query("id")))
        .service(hyper_client());
    let send = move |State(twilio): State<ProvideFeedback<Hyper, LinkQuery>>| async move {
        let form = "To=%2B15558675310&From=%2B15557122661&Body=Open+to+confirm%3A+\
                    https%3A%2F%2Fshop.example%2Fconfirm%3Fid%3D1a%252Bb%252F2+Thanks";
        let response = twilio.oneshot(create(&base_url, form)).await.expect("an answer");
        response.status()
    };
    async fn thank_you() -> &'static str {
        "Thank you!"
    }
    let app = Router::new()
        .route("/send", post(send))
        .route("/confirm", get(thank_you).layer(world.feedback.confirm_layer(query("id"))))
        .with_state(twilio);
    let site = Site::axum(app).await;

    assert_eq!(site.post_form("/send", "").await.status, 201);
    let sid = world.last();
    assert!(world.twilio.message(sid).expect("a message").provide_feedback());
    world.nothing_reported().await;

    let link = link_on_the_phone(&world);
    assert_eq!(link, "/confirm?id=1a%2Bb%2F2");
    assert_eq!(site.get(&link).await.body, "Thank you!");
    world.reported(&[sid]).await;
    assert_eq!(world.feedback.stats().delivery.delivered, 1);
}

#[tokio::test]
async fn a_code_is_sent_by_reqwest_typed_and_reported() {
    /// Every attempt has the id of its number, and its code.
    async fn begin(State(twilio): State<ProvideFeedback<reqwest::Client>>, body: String) {
        let form = [("To", "+15558675310"), ("From", "+15557122661"), ("Body", "Code: 4711")];
        let request = reqwest::Client::new()
            .post(format!("{body}/Accounts/{AC}/Messages.json"))
            .basic_auth(AC, Some("token"))
            .form(&form)
            .build()
            .expect("a request");
        let sent = async { twilio.oneshot(request).await.expect("an answer") };
        let response = CorrelationId::scope("a1", sent).await;
        assert_eq!(response.status(), 201);
    }
    async fn verify(action: Tracked<Form<Login>>) -> Result<Redirect, StatusCode> {
        if action.code != "4711" {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let _ = action.confirm().await;
        Ok(Redirect::to("/welcome"))
    }
    let world = World::new().await;
    let twilio = world.feedback.provide_layer().layer(reqwest::Client::new());
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/login", post(verify))
        .layer(world.feedback.layer())
        .with_state(twilio);
    let site = Site::axum(app).await;
    let base_url = world.server.base_url().to_string();
    assert_eq!(site.post("/begin", "text/plain", &base_url).await.status, 200);
    let sid = world.last();
    assert_eq!(site.post_form("/login", "attempt=a1&code=0815").await.status, 401);
    world.nothing_reported().await;
    assert_eq!(site.post_form("/login", "attempt=a1&code=4711").await.status, 303);
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn many_users_are_each_reported_once() {
    async fn clicked(_: Confirmed<Query<Link>>) {}
    let world = World::new().await;
    let app = Router::new().route("/confirm", get(clicked)).layer(world.feedback.layer());
    let site = Site::axum(app).await;
    let mut sids = Vec::new();
    for user in 0..40 {
        sids.push(world.send_link(&format!("https://shop.example/confirm?id=u{user}")).await);
    }
    // Every second one clicks, and clicks again at once.
    let clicks = (0..40).filter(|user| user % 2 == 0).flat_map(|user| {
        let path = format!("/confirm?id=u{user}");
        let site = &site;
        [path.clone(), path].map(|path| async move { site.get(&path).await.status })
    });
    let statuses = futures_util::future::join_all(clicks).await;
    assert!(statuses.iter().all(|status| *status == 200));
    let clicked: Vec<_> = sids.into_iter().step_by(2).collect();
    world.reported_in_any_order(&clicked).await;
}

async fn tracked_click(action: Tracked<Query<Link>>) -> Told {
    told(action.confirm().await)
}

#[tokio::test]
async fn a_user_who_is_faster_than_the_record_is_reported_once() {
    let store = GatedStore::new();
    let world =
        World::with(|builder| builder.store(store.clone()).store_timeout(Duration::from_secs(15)))
            .await;
    let app = Router::new().route("/confirm", get(tracked_click)).layer(world.feedback.layer());
    let site = Site::axum(app).await;

    store.records.shut();
    let send = world.send_link("https://shop.example/confirm?id=1");
    let click = async {
        // Twilio has the message, and the phone too; the record hangs.
        store.records.came(1).await;
        assert_eq!(site.get("/confirm?id=1").await.header(CONFIRMATION), "Unknown");
        assert_eq!(site.get("/confirm?id=1").await.header(CONFIRMATION), "Unknown");
        assert!(world.twilio.confirmed().is_empty());
        store.records.open();
    };
    let (sid, ()) = tokio::join!(send, click);
    world.reported(&[sid]).await;
    assert_eq!((world.confirms().unknown, world.confirms().overtaken), (2, 1));
    assert_eq!(site.get("/confirm?id=1").await.header(CONFIRMATION), "AlreadyConfirmed");
    world.only_reported(&[sid]).await;
}

#[tokio::test]
async fn a_user_who_is_faster_than_the_creates_answer_is_reported_once() {
    /// Holds the answer of Twilio back, behind the outgoing layer.
    #[derive(Clone)]
    struct Slow(reqwest::Client, Gate);
    impl Service<reqwest::Request> for Slow {
        type Response = reqwest::Response;
        type Error = reqwest::Error;
        type Future = futures_util::future::BoxFuture<'static, reqwest::Result<reqwest::Response>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: reqwest::Request) -> Self::Future {
            let Self(client, gate) = self.clone();
            Box::pin(async move {
                let response = client.execute(request).await?;
                gate.pass().await;
                Ok(response)
            })
        }
    }
    let world = World::new().await;
    let site = Site::axum(Router::new().route(
        "/confirm",
        get(|| async { "Thank you!" }).layer(world.feedback.confirm_layer(query("id"))),
    ))
    .await;
    let gate = Gate::new();
    gate.shut();
    let layer = world.feedback.provide_layer().correlate(link_query("id"));
    let twilio = Arc::new(Mutex::new(layer.layer(Slow(reqwest::Client::new(), gate.clone()))));
    let text = "https://shop.example/confirm?id=1";
    let request = reqwest::Client::new()
        .post(format!("{}/Accounts/{AC}/Messages.json", world.server.base_url()))
        .basic_auth(AC, Some("token"))
        .form(&[("To", "+15558675310"), ("From", "+15557122661"), ("Body", text)])
        .build()
        .expect("a request");
    let send = async { twilio.lock().await.call(request).await.expect("an answer").status() };
    let click = async {
        gate.came(1).await;
        assert_eq!(site.get(&link_on_the_phone(&world)).await.body, "Thank you!");
        assert_eq!(world.confirms().unknown, 1);
        gate.open();
    };
    let (status, ()) = soon("both", async { tokio::join!(send, click) }).await;
    assert_eq!(status, 201);
    world.reported(&[world.last()]).await;
    assert_eq!(world.confirms().overtaken, 1);
}

/// The handle of another process that shares the store, and its clock.
fn neighbour(world: &World, store: &Arc<MemoryStore>) -> (MessageFeedback, ManualClock) {
    let time = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
        .allow_origin(world.server.base_url().as_str())
        .store(store.clone())
        .correlation_key(*SECRET)
        .clock(time.clock())
        .build()
        .expect("a handle");
    (feedback, time)
}

const SECRET: &[u8; 16] = b"0123456789abcdef";

#[tokio::test]
async fn a_click_that_overtakes_the_record_of_another_process_is_looked_up_again() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(|builder| builder.store(store.clone()).correlation_key(*SECRET)).await;
    let (here, time) = neighbour(&world, &store);
    let app = Router::new().route("/confirm", get(tracked_click)).layer(here.layer());
    let site = Site::axum(app).await;
    assert_eq!(site.get("/confirm?id=1").await.header(CONFIRMATION), "Unknown");
    let sid = world.sent("1").await;
    assert!(here.flush().await.is_empty());
    assert!(world.twilio.confirmed().is_empty());
    time.advance(Duration::from_secs(1));
    soon("a report", world.twilio.wait_until(|twilio| twilio.confirmed() == [sid])).await;
    assert!(here.flush().await.is_empty());
    assert_eq!(world.twilio.message(sid).expect("a message").feedback_count(), 1);
    assert_eq!(here.stats().confirms.overtaken, 1);
}

#[tokio::test]
async fn a_click_long_before_any_record_is_forgotten() {
    let store = Arc::new(MemoryStore::new());
    let world = World::with(|builder| builder.store(store.clone()).correlation_key(*SECRET)).await;
    let (here, time) = neighbour(&world, &store);
    let app = Router::new().route("/confirm", get(tracked_click)).layer(here.layer());
    let site = Site::axum(app).await;
    assert_eq!(site.get("/confirm?id=1").await.header(CONFIRMATION), "Unknown");
    time.advance(Duration::from_secs(61));
    // Answered only after the look at what waits, which runs on the same thread.
    assert_eq!(site.get("/confirm?id=2").await.header(CONFIRMATION), "Unknown");
    let sid = world.sent("1").await;
    time.advance(Duration::from_secs(1));
    assert_eq!(site.get("/confirm?id=3").await.header(CONFIRMATION), "Unknown");
    world.nothing_reported().await;
    assert_eq!(site.get("/confirm?id=1").await.header(CONFIRMATION), "Queued");
    soon("a report", world.twilio.wait_until(|twilio| twilio.confirmed() == [sid])).await;
}
