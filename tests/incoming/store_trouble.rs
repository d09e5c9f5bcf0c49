//! A store that does not answer: the route does, and nothing is lost.

use std::time::Duration;

use axum::{
    Router,
    extract::Query,
    routing::{get, post},
};
use http::Method;
use tower_message_feedback::{Confirmed, Recorded, Tracked, source::query};

use crate::support::{CONFIRMATION, Gate, GatedStore, Link, Site, Told, World, soon, told};

async fn tracked(action: Tracked<Query<Link>>) -> (Told, &'static str) {
    (told(action.confirm().await), "Thank you!")
}

async fn confirmed(_: Confirmed<Query<Link>>) -> &'static str {
    "Thank you!"
}

async fn thank_you() -> &'static str {
    "Thank you!"
}

/// Every way to confirm, each on a path of its own.
const WAYS: [&str; 3] = ["/layer?id=1", "/tracked?id=1", "/confirmed?id=1"];

async fn site(world: &World) -> Site {
    let app = Router::new()
        .route("/layer", get(thank_you).layer(world.feedback.confirm_layer(query("id"))))
        .route("/tracked", get(tracked))
        .route("/confirmed", get(confirmed))
        .layer(world.feedback.layer());
    Site::axum(app).await
}

async fn world(store_timeout: Duration) -> (World, GatedStore) {
    let store = GatedStore::new();
    let world =
        World::with(|builder| builder.store(store.clone()).store_timeout(store_timeout)).await;
    (world, store)
}

#[tokio::test]
async fn a_store_that_hangs_delays_the_answer_by_its_bound_and_the_report_until_it_heals() {
    for way in WAYS {
        let (world, store) = world(Duration::from_millis(20)).await;
        let sid = world.sent("1").await;
        let site = site(&world).await;
        store.confirms.shut();
        let reply = site.get(way).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "Thank you!"));
        assert!(["", "Deferred"].contains(&reply.header(CONFIRMATION)), "{reply:?}");
        assert_eq!(world.confirms().deferred, 1, "{way}");
        assert_eq!(world.feedback.health().await.deferred, 1);
        assert!(!world.feedback.health().await.is_ok());
        assert!(world.twilio.confirmed().is_empty());
        store.confirms.open();
        world.reported(&[sid]).await;
        assert!(world.feedback.health().await.is_ok());
    }
}

#[tokio::test]
async fn a_click_again_while_the_store_hangs_is_reported_once() {
    let (world, store) = world(Duration::from_millis(20)).await;
    let sid = world.sent("1").await;
    let site = site(&world).await;
    store.confirms.shut();
    for way in WAYS {
        assert_eq!(site.get(way).await.status, 200);
    }
    assert_eq!(world.confirms().deferred, 3);
    store.confirms.open();
    world.reported(&[sid]).await;
    assert_eq!(world.confirms().already_confirmed, 2);
}

#[tokio::test]
async fn a_caller_that_leaves_while_the_store_hangs_has_confirmed() {
    for way in WAYS {
        let (world, store) = world(Duration::from_secs(15)).await;
        let sid = world.sent("1").await;
        let site = site(&world).await;
        store.confirms.shut();
        let stream = site.ask(way).await;
        store.confirms.came(1).await;
        assert_eq!(world.confirms().deferred, 0);
        drop(stream);
        // The one that tries again in the background.
        store.confirms.came(2).await;
        assert_eq!(world.confirms().deferred, 1, "{way}");
        store.confirms.open();
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn a_caller_that_leaves_leaves_every_mark_of_its_request_confirmed() {
    async fn both(_: Confirmed<Query<Link>>, _: Confirmed<axum::Form<Link>>) {}
    let (world, store) = world(Duration::from_secs(15)).await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let app = Router::new().route("/", post(both)).layer(world.feedback.layer());
    let site = std::sync::Arc::new(Site::axum(app).await);
    store.confirms.shut();
    let asking = tokio::spawn({
        let site = site.clone();
        async move { site.post_form("/?id=1", "id=2").await }
    });
    store.confirms.came(1).await;
    asking.abort();
    store.confirms.came(2).await;
    store.confirms.open();
    world.reported_in_any_order(&sids).await;
    assert_eq!(world.confirms().deferred, 2);
}

#[tokio::test]
async fn a_request_that_confirms_nothing_does_not_ask_the_store() {
    let (world, store) = world(Duration::from_secs(15)).await;
    let site = site(&world).await;
    store.confirms.shut();
    for path in ["/layer", "/tracked", "/confirmed", "/layer?id=", "/no-such?id=1"] {
        site.get(path).await;
    }
    for way in WAYS {
        site.head(way).await;
        site.send(site.request(Method::GET, way).header("purpose", "prefetch")).await;
    }
    assert_eq!(world.confirms().store_errors, 0);
    assert_eq!(world.confirms().deferred, 0);
}

#[tokio::test]
async fn beyond_the_bound_on_deferred_confirms_the_route_answers_all_the_same() {
    let store = GatedStore::new();
    let world = World::with(|builder| {
        builder.store(store.clone()).store_timeout(Duration::from_millis(20)).max_deferred(2)
    })
    .await;
    for id in ["1", "2", "3"] {
        world.sent(id).await;
    }
    let site = site(&world).await;
    store.confirms.shut();
    for (id, told) in [("1", "Deferred"), ("2", "Deferred"), ("3", "Refused(QueueFull)")] {
        let reply = site.get(&format!("/tracked?id={id}")).await;
        assert_eq!((reply.status, reply.header(CONFIRMATION)), (200, told));
    }
    assert_eq!(site.get("/layer?id=3").await.body, "Thank you!");
    assert_eq!((world.confirms().deferred, world.confirms().refused), (2, 2));
    store.confirms.open();
    soon("reports", world.twilio.wait_until(|twilio| twilio.confirmed().len() == 2)).await;
    assert!(world.feedback.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 2);
}

#[tokio::test]
async fn a_click_while_its_record_hangs_is_taken_up_behind_it() {
    let (world, store) = world(Duration::from_millis(20)).await;
    let site = site(&world).await;
    store.records.shut();
    let message = world.create().await;
    assert_eq!(world.feedback.record("1", message).await, Recorded::Deferred);
    assert_eq!(site.get("/tracked?id=1").await.header(CONFIRMATION), "Deferred");
    store.records.open();
    world.reported(&[world.last()]).await;
    assert_eq!(world.confirms().queued, 1);
}

#[tokio::test]
async fn the_gate_of_these_tests_holds_back() {
    let gate = Gate::new();
    gate.shut();
    assert!(tokio::time::timeout(Duration::from_millis(1), gate.pass()).await.is_err());
    gate.open();
    gate.pass().await;
    gate.came(2).await;
}
