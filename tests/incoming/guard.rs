//! What is never an action, by whichever way it comes; the real click then is.

use axum::{
    Router,
    extract::{Path, Query},
    routing::get,
};
use http::Method;
use tower_message_feedback::{Confirmed, Tracked, source::query};

use crate::support::{CONFIRMATION, Link, Site, Told, World, told};

async fn tracked(action: Tracked<Query<Link>>) -> (Told, &'static str) {
    (told(action.confirm().await), "Thank you!")
}

async fn tracked_by_id(action: Tracked<Path<String>>, link: Query<Link>) -> (Told, &'static str) {
    let id = link.id.clone().unwrap_or_default();
    (told(action.confirm_id(id).await), "Thank you!")
}

async fn confirmed(_: Confirmed<Query<Link>>) -> &'static str {
    "Thank you!"
}

async fn thank_you() -> &'static str {
    "Thank you!"
}

/// Every way to confirm, each on a path of its own.
const WAYS: [&str; 4] = ["/layer?id=1", "/tracked?id=1", "/by-id/x?id=1", "/confirmed?id=1"];

async fn site(world: &World) -> Site {
    let app = Router::new()
        .route("/layer", get(thank_you).layer(world.feedback.confirm_layer(query("id"))))
        .route("/tracked", get(tracked).options(tracked))
        .route("/by-id/{any}", get(tracked_by_id))
        .route("/confirmed", get(confirmed).options(confirmed))
        .layer(world.feedback.layer());
    Site::axum(app).await
}

const AHEAD: [(&str, &str); 11] = [
    ("sec-purpose", "prefetch"),
    ("sec-purpose", "prefetch;prerender"),
    ("Sec-Purpose", "prefetch;anonymous-client-ip"),
    ("sec-purpose", "Prefetch ; x"),
    ("purpose", "prefetch"),
    ("purpose", "preview"),
    ("x-purpose", "preview"),
    ("x-purpose", "instant, preview"),
    ("x-moz", "prefetch"),
    ("X-Moz", "PREFETCH"),
    ("sec-purpose", "prerender"),
];

#[tokio::test]
async fn what_is_fetched_ahead_confirms_nothing_and_is_answered_as_usual() {
    for way in WAYS {
        let world = World::new().await;
        let sid = world.sent("1").await;
        let site = site(&world).await;
        for (name, value) in AHEAD {
            let reply = site.send(site.request(Method::GET, way).header(name, value)).await;
            assert_eq!((reply.status, reply.body.as_str()), (200, "Thank you!"), "{way}");
            assert!(["", "NotAnAction"].contains(&reply.header(CONFIRMATION)), "{reply:?}");
        }
        world.nothing_reported().await;
        assert_eq!(world.confirms().not_an_action, AHEAD.len() as u64, "{way}");
        assert_eq!(site.get(way).await.body, "Thank you!");
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn head_confirms_nothing_although_axum_runs_the_handler() {
    for way in WAYS {
        let world = World::new().await;
        let sid = world.sent("1").await;
        let site = site(&world).await;
        let head = site.head(way).await;
        assert_eq!((head.status, head.header("content-length")), (200, "10"), "{way}");
        if way.starts_with("/tracked") {
            assert_eq!(head.header(CONFIRMATION), "NotAnAction");
        }
        world.nothing_reported().await;
        assert_eq!(world.confirms().not_an_action, 1, "{way}");
        site.get(way).await;
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn options_confirms_nothing() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new()
        .route("/layer", get(thank_you).options(thank_you))
        .layer(world.feedback.confirm_layer(query("id")));
    let plain = Site::axum(app).await;
    let site = site(&world).await;
    let asked = plain.send(plain.request(Method::OPTIONS, "/layer?id=1")).await;
    assert_eq!((asked.status, asked.body.as_str()), (200, "Thank you!"));
    for way in ["/tracked?id=1", "/confirmed?id=1"] {
        assert_eq!(site.send(site.request(Method::OPTIONS, way)).await.body, "Thank you!");
    }
    world.nothing_reported().await;
    assert_eq!(world.confirms().not_an_action, 3);
    plain.get("/layer?id=1").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_predicate_does_not_overrule_the_guard() {
    let world = World::new().await;
    world.sent("1").await;
    let always = |_: http::StatusCode, _: &http::HeaderMap, _: &http::Extensions| true;
    let route = get(thank_you).layer(world.feedback.confirm_layer(query("id")).when(always));
    let app = Router::new()
        .route("/layer", route)
        .route("/confirmed", get(confirmed))
        .layer(world.feedback.layer().when(always));
    let site = Site::axum(app).await;
    site.head("/layer?id=1").await;
    site.head("/confirmed?id=1").await;
    world.nothing_reported().await;
}

#[tokio::test]
async fn other_headers_and_purposes_are_a_users() {
    for (name, value) in [
        ("purpose", "navigation"),
        ("sec-purpose", "prefetched"),
        ("sec-fetch-purpose", "prefetch"),
        ("sec-fetch-mode", "navigate"),
        ("user-agent", "prefetch"),
        ("referer", "https://preview.example/prefetch"),
    ] {
        for way in WAYS {
            let world = World::new().await;
            let sid = world.sent("1").await;
            let site = site(&world).await;
            site.send(site.request(Method::GET, way).header(name, value)).await;
            world.reported(&[sid]).await;
        }
    }
}

#[tokio::test]
async fn a_post_or_any_other_method_is_an_action() {
    let world = World::new().await;
    let app = Router::new()
        .route("/", axum::routing::any(thank_you))
        .layer(world.feedback.confirm_layer(query("id")));
    let site = Site::axum(app).await;
    let mut sids = Vec::new();
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        sids.push(world.sent(method.as_str()).await);
        site.send(site.request(method.clone(), &format!("/?id={method}"))).await;
        world.reported(&sids).await;
    }
}
