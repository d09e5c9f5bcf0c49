//! A Twilio that fails, hangs or is gone is none of the route's business.

use std::time::Duration;

use axum::{Router, extract::Query, routing::get};
use tower_message_feedback::{
    Confirmed, ManualClock, MessageSid, Timestamp, Tracked,
    simulator::{Answer, RequestKind},
    source::query,
};

use crate::support::{Link, Site, World, soon};

async fn tracked(action: Tracked<Query<Link>>) -> &'static str {
    assert!(action.confirm().await.is_confirmed());
    "Thank you!"
}

async fn confirmed(_: Confirmed<Query<Link>>) -> &'static str {
    "Thank you!"
}

async fn thank_you() -> &'static str {
    "Thank you!"
}

async fn site(world: &World) -> Site {
    let app = Router::new()
        .route("/layer", get(thank_you).layer(world.feedback.confirm_layer(query("id"))))
        .route("/tracked", get(tracked))
        .route("/confirmed", get(confirmed))
        .layer(world.feedback.layer());
    Site::axum(app).await
}

/// One message for every way to confirm it.
async fn three(world: &World) -> [MessageSid; 3] {
    [world.sent("1").await, world.sent("2").await, world.sent("3").await]
}

async fn click_all(site: &Site) {
    for path in ["/layer?id=1", "/tracked?id=2", "/confirmed?id=3"] {
        assert_eq!(site.get(path).await.body, "Thank you!");
    }
}

fn feedback_calls(world: &World) -> usize {
    let received = world.twilio.received();
    received.iter().filter(|call| call.kind() == RequestKind::Feedback).count()
}

#[tokio::test]
async fn routes_answer_while_every_feedback_call_hangs() {
    let world = World::new().await;
    let sids = three(&world).await;
    world.twilio.answer_feedback(Answer::hang().always());
    let site = site(&world).await;
    site.get("/layer?id=1").await;
    soon("a call", world.twilio.wait_until(|_| feedback_calls(&world) == 1)).await;
    click_all(&site).await;
    soon("the calls", world.twilio.wait_until(|_| feedback_calls(&world) == 3)).await;
    assert!(world.twilio.confirmed().is_empty());
    assert_eq!(world.confirms().queued, 3);
    assert_eq!(world.twilio.messages().len(), sids.len());
}

#[tokio::test]
async fn an_outage_is_not_seen_by_users_and_is_made_up_for() {
    let time = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    let world = World::with(|builder| builder.clock(time.clock())).await;
    let sids = three(&world).await;
    world.twilio.answer_feedback(Answer::status(503).always());
    let site = site(&world).await;
    click_all(&site).await;
    for _ in 0..3 {
        let remaining = soon("a flush", world.feedback.flush()).await;
        assert_eq!(remaining.outbox, Some(3));
        let before = feedback_calls(&world);
        time.advance(Duration::from_secs(10 * 60));
        soon("more calls", world.twilio.wait_until(|_| feedback_calls(&world) > before)).await;
    }
    assert!(world.twilio.confirmed().is_empty());
    world.twilio.answer_feedback(Answer::normal().always());
    // Everything that was tried in vain waits for its retry.
    let _ = soon("a flush", world.feedback.flush()).await;
    time.advance(Duration::from_secs(10 * 60));
    world.reported_in_any_order(&sids).await;
    let delivery = world.feedback.stats().delivery;
    assert_eq!(delivery.delivered, 3);
    assert!(delivery.retried >= 3, "{delivery:?}");
}

#[tokio::test]
async fn a_twilio_that_is_gone_is_not_seen_by_users() {
    let world = World::new().await;
    three(&world).await;
    let World { twilio, server, feedback } = world;
    drop(server);
    let again = twilio.serve().await.expect("a port");
    let world = World { twilio, server: again, feedback };
    let site = site(&world).await;
    click_all(&site).await;
    let remaining = soon("a flush", world.feedback.flush()).await;
    assert_eq!(remaining.outbox, Some(3));
    assert!(world.twilio.confirmed().is_empty());
}

#[tokio::test]
async fn refused_credentials_are_not_seen_by_users() {
    let world = World::new().await;
    three(&world).await;
    world.twilio.accept_only([]);
    let site = site(&world).await;
    click_all(&site).await;
    let remaining = soon("a flush", world.feedback.flush()).await;
    assert_eq!(remaining.outbox, Some(3));
    assert!(world.twilio.confirmed().is_empty());
}

#[tokio::test]
async fn feedback_that_twilio_processed_and_failed_to_answer_is_confirmed_and_done() {
    let time = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    let world = World::with(|builder| builder.clock(time.clock())).await;
    let sid = world.sent("1").await;
    world.twilio.answer_feedback(Answer::processed_then(500));
    site(&world).await.get("/layer?id=1").await;
    soon("a report", world.twilio.wait_until(|twilio| twilio.confirmed() == [sid])).await;
    let _ = soon("a flush", world.feedback.flush()).await;
    time.advance(Duration::from_secs(10 * 60));
    soon("a second call", world.twilio.wait_until(|_| feedback_calls(&world) == 2)).await;
    assert!(soon("a flush", world.feedback.flush()).await.is_empty());
    assert_eq!(world.feedback.stats().delivery.delivered, 1);
}
