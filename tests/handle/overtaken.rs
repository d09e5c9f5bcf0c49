//! Confirms that overtake their own record.

use std::sync::Arc;

use tower_message_feedback::{
    Confirmation, Recorded,
    store::{LedgerStatus, MemoryStore},
};

use crate::support::{
    AC, CORRELATION_KEY, START, Site, World, credentials, guarded, seconds, settle_down,
};

async fn overtake(world: &World, id: &str) {
    assert_eq!(world.feedback.confirm(id).await, Confirmation::Unknown);
}

#[tokio::test]
async fn a_user_who_is_faster_than_the_record_is_reported_once() {
    let world = World::new().await;
    overtake(&world, "id").await;
    let sid = world.send("id").await;
    assert!(world.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed(), [sid]);
    let confirms = world.feedback.stats().confirms;
    assert_eq!((confirms.unknown, confirms.overtaken, confirms.queued), (1, 1, 1));
    assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
    // It waits no more: the next message under the id is not confirmed by it.
    let next = world.send("id").await;
    world.advance(seconds(5)).await;
    assert_eq!(world.status(next).await, LedgerStatus::Pending);
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn an_id_waits_once_however_often_it_is_confirmed() {
    let world = World::with(|builder| builder.wait_for_record(2, seconds(60))).await;
    overtake(&world, "other").await;
    for _ in 0..10 {
        overtake(&world, "id").await;
    }
    assert_eq!(world.feedback.stats().confirms.waiting_evicted, 0);
    let sids = [world.send("id").await, world.send("other").await];
    assert!(world.flush().await.is_empty());
    assert_eq!(sids.map(|sid| world.reports(sid)), [1, 1]);
    assert_eq!(world.feedback.stats().confirms.overtaken, 2);
}

#[tokio::test]
async fn at_the_bound_the_oldest_gives_way() {
    let world = World::with(|builder| builder.wait_for_record(2, seconds(60))).await;
    for id in ["one", "two", "three"] {
        overtake(&world, id).await;
    }
    assert_eq!(world.feedback.stats().confirms.waiting_evicted, 1);
    let one = world.send("one").await;
    let rest = [world.send("two").await, world.send("three").await];
    assert!(world.flush().await.is_empty());
    world.advance(seconds(5)).await;
    assert_eq!(world.status(one).await, LedgerStatus::Pending);
    assert_eq!(rest.map(|sid| world.reports(sid)), [1, 1]);
}

#[tokio::test]
async fn an_id_waits_for_its_time_and_no_longer() {
    for (wait, reports) in [(seconds(59), 1), (seconds(60), 0)] {
        let world = World::new().await;
        overtake(&world, "id").await;
        settle_down().await;
        world.time.advance(wait);
        settle_down().await;
        let sid = world.create(AC).await;
        let sent = world.sent(AC, sid).sent_at(START.into());
        assert_eq!(world.feedback.record("id", sent).await, Recorded::Recorded);
        world.flush().await;
        world.advance(seconds(5)).await;
        settle_down().await;
        world.flush().await;
        assert_eq!(world.reports(sid), reports, "{wait:?}");
    }
}

/// An action cannot mean what was sent after it: it was on a message that nobody tracked.
#[tokio::test]
async fn a_message_that_is_sent_after_the_action_is_not_confirmed_by_it() {
    for of_another_process in [false, true] {
        let site = Site::new().await;
        let store = Arc::new(MemoryStore::builder().clock(site.time.clock()).build());
        let build = || {
            let builder = site.builder().credentials(credentials()).store(store.clone());
            builder.correlation_key(CORRELATION_KEY).build().expect("a handle")
        };
        let (one, other) = (build(), build());
        assert_eq!(one.confirm("id").await, Confirmation::Unknown);
        settle_down().await;
        site.time.advance(seconds(6));
        let sent = site.sent().await;
        let sender = if of_another_process { &other } else { &one };
        assert_eq!(sender.record("id", sent).await, Recorded::Recorded);
        for _ in 0..3 {
            site.time.advance(seconds(1));
            settle_down().await;
            guarded(one.flush()).await;
        }
        assert_eq!(site.twilio.confirmed(), []);
        // Its own action confirms it.
        assert_eq!(one.confirm("id").await, Confirmation::Queued);
        guarded(one.flush()).await;
        assert_eq!(site.twilio.confirmed().len(), 1);
    }
}

#[tokio::test]
async fn nothing_waits_where_nothing_may() {
    let world = World::with(|builder| builder.wait_for_record(0, seconds(60))).await;
    overtake(&world, "id").await;
    let sid = world.send("id").await;
    world.flush().await;
    world.advance(seconds(5)).await;
    assert_eq!(world.status(sid).await, LedgerStatus::Pending);
}

#[tokio::test]
async fn an_id_that_is_forgotten_waits_no_more() {
    let world = World::new().await;
    overtake(&world, "id").await;
    assert_eq!(world.feedback.forget("id").await.expect("an answer"), 0);
    let sid = world.send("id").await;
    world.flush().await;
    world.advance(seconds(5)).await;
    assert_eq!(world.status(sid).await, LedgerStatus::Pending);
}

#[tokio::test]
async fn a_record_of_another_process_is_found_by_looking_again() {
    let site = Site::new().await;
    let store = Arc::new(MemoryStore::builder().clock(site.time.clock()).build());
    let builder = || {
        let builder = site.builder().credentials(credentials()).store(store.clone());
        builder.correlation_key(CORRELATION_KEY)
    };
    let confirming = builder().build().expect("a handle");
    let (recording, _dispatcher) = builder().build_pair().expect("a handle");
    assert_eq!(confirming.confirm("id").await, Confirmation::Unknown);
    settle_down().await;
    assert_eq!(recording.record("id", site.sent().await).await, Recorded::Recorded);
    settle_down().await;
    assert!(site.twilio.confirmed().is_empty(), "it was not told");
    site.time.advance(seconds(1));
    settle_down().await;
    assert!(guarded(confirming.flush()).await.is_empty());
    assert_eq!(site.twilio.confirmed().len(), 1);
    let confirms = confirming.stats().confirms;
    assert_eq!((confirms.unknown, confirms.overtaken, confirms.queued), (1, 1, 1));
}
