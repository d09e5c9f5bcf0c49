//! An id is untrusted, and the answer does not tell which ids are known.

use axum::{Router, routing::get};
use http::Method;
use tower_message_feedback::{
    CorrelationId,
    source::{header, query},
};

use crate::support::{Site, World};

async fn site(world: &World) -> Site {
    let thank_you = || async { ([("x-own", "1")], "Thank you!") };
    let confirm = world.feedback.confirm_layer(query("id"));
    Site::axum(Router::new().route("/confirm", get(thank_you).layer(confirm))).await
}

#[tokio::test]
async fn an_id_that_is_missing_empty_unknown_or_huge_is_answered_as_a_known_one() {
    let world = World::new().await;
    let sid = world.sent("known").await;
    let site = site(&world).await;
    let huge = format!("/confirm?id={}", "x".repeat(10 * 1024));
    let mut replies = Vec::new();
    for path in ["/confirm", "/confirm?", "/confirm?id=", "/confirm?id=unknown", &huge] {
        replies.push(site.get(path).await);
    }
    world.nothing_reported().await;
    let known = site.get("/confirm?id=known").await;
    assert_eq!((known.status, known.body.as_str()), (200, "Thank you!"));
    assert!(replies.iter().all(|reply| *reply == known), "{replies:?}");
    world.reported(&[sid]).await;
    assert_eq!(world.confirms().unknown, 1);
}

#[tokio::test]
async fn an_id_at_the_bound_confirms_and_one_beyond_it_is_none() {
    let world = World::new().await;
    let longest = "x".repeat(CorrelationId::MAX_LEN);
    let sid = world.sent(longest.as_str()).await;
    let site = site(&world).await;
    site.get(&format!("/confirm?id={longest}x")).await;
    world.nothing_reported().await;
    assert_eq!(world.confirms().unknown, 0);
    site.get(&format!("/confirm?id={longest}")).await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn clicking_twice_reports_once() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let site = site(&world).await;
    let first = site.get("/confirm?id=1").await;
    world.reported(&[sid]).await;
    assert_eq!(site.get("/confirm?id=1").await, first);
    world.only_reported(&[sid]).await;
    assert_eq!(world.confirms().already_confirmed, 1);
}

#[tokio::test]
async fn many_clicks_at_once_report_once() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let site = site(&world).await;
    let clicks = (0..16).map(|_| site.get("/confirm?id=1"));
    let replies = futures_util::future::join_all(clicks).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    world.reported(&[sid]).await;
    assert_eq!(world.confirms().already_confirmed, 15);
}

#[tokio::test]
async fn each_id_confirms_its_own_message_alone() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await, world.sent("3").await];
    let site = site(&world).await;
    site.get("/confirm?id=2").await;
    world.reported(&[sids[1]]).await;
    site.get("/confirm?id=1").await;
    world.reported(&[sids[1], sids[0]]).await;
}

#[tokio::test]
async fn the_newest_of_several_messages_under_one_id_is_reported() {
    let world = World::new().await;
    let _older = world.sent("1").await;
    let newest = world.sent("1").await;
    site(&world).await.get("/confirm?id=1").await;
    world.reported(&[newest]).await;
}

#[tokio::test]
async fn two_layers_on_one_route_confirm_an_id_each() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let by_query = world.feedback.confirm_layer(query("id"));
    let by_header = world.feedback.confirm_layer(header("x-attempt".parse().expect("a name")));
    let route = get(|| async {}).layer((by_header, by_query));
    let site = Site::axum(Router::new().route("/confirm", route)).await;
    site.send(site.request(Method::GET, "/confirm?id=1").header("x-attempt", "2")).await;
    world.reported_in_any_order(&sids).await;
}

#[tokio::test]
async fn after_the_shutdown_a_click_is_answered_as_before() {
    let world = World::new().await;
    world.sent("1").await;
    let site = site(&world).await;
    let before = site.get("/confirm").await;
    let remaining = world.feedback.shutdown(std::time::Duration::from_secs(5)).await;
    assert!(remaining.is_empty());
    assert_eq!(site.get("/confirm?id=1").await, before);
    assert_eq!(world.confirms().refused, 1);
    world.nothing_reported().await;
}
