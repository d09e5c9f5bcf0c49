//! How far messages were delivered, where the store fails or does not know them yet.

use std::sync::Arc;

use MessageStatus::{Delivered, Queued, Sent};
use tower_message_feedback::{
    MessageSid, MessageStatus, Recorded, StatusRecorded,
    store::{MemoryStore, StatusUpdate},
};

use crate::{
    deferred::world,
    support::{
        AC, CORRELATION_KEY, Mode, Op, Site, World, account, credentials, eventually, guarded,
        seconds, settle_down,
    },
};

fn update(sid: MessageSid, status: MessageStatus) -> StatusUpdate {
    StatusUpdate::new(sid, account(AC), status)
}

async fn delivery(world: &World, sid: MessageSid) -> Option<MessageStatus> {
    world.feedback.lookup_sid(sid).await.expect("an answer").and_then(|entry| entry.message_status)
}

#[tokio::test]
async fn a_status_comes_to_the_store_once_that_works_again() {
    for mode in [Mode::Fails, Mode::Hangs, Mode::FailsAfterwards] {
        let (world, store) = world().await;
        let sid = world.send("id").await;
        store.set(Op::Status, mode);
        for status in [Sent, Delivered, Queued] {
            let recorded = world.feedback.record_status(update(sid, status)).await;
            assert_eq!(recorded, StatusRecorded::Deferred, "{mode:?}");
        }
        let deferred = world.feedback.stats().statuses;
        assert_eq!(deferred.deferred, 3);
        settle_down().await;
        // Tried in vain meanwhile.
        world.time.advance(seconds(5));
        settle_down().await;
        store.set(Op::Status, Mode::Works);
        guarded(async {
            while world.feedback.stats().statuses == deferred {
                world.time.advance(seconds(5));
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(delivery(&world, sid).await, Some(Delivered), "{mode:?}");
        let statuses = world.feedback.stats().statuses;
        assert_eq!((statuses.recorded + statuses.not_newer, statuses.refused), (1, 0));
    }
}

#[tokio::test]
async fn what_another_process_records_late_is_tried_once_more() {
    let store = Arc::new(MemoryStore::new());
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials()).correlation_key(CORRELATION_KEY);
    let other = builder.store(store.clone()).build().expect("a handle");
    let builder = site.builder().credentials(credentials()).correlation_key(CORRELATION_KEY);
    let world = site.world(builder.store(store));
    let sid = world.create(AC).await;
    let early = world.feedback.record_status(update(sid, Delivered)).await;
    assert_eq!(early, StatusRecorded::Unknown);
    settle_down().await;
    assert_eq!(other.record("id", world.sent(AC, sid)).await, Recorded::Recorded);
    settle_down().await;
    assert_eq!(delivery(&world, sid).await, None);
    world.time.advance(seconds(2));
    eventually(|| world.feedback.stats().statuses.recorded == 1).await;
    assert_eq!(delivery(&world, sid).await, Some(Delivered));
}

#[tokio::test]
async fn a_message_that_nobody_tracks_is_asked_for_twice_and_not_kept() {
    let (world, store) = world().await;
    let sid = world.create(AC).await;
    assert_eq!(world.feedback.record_status(update(sid, Sent)).await, StatusRecorded::Unknown);
    settle_down().await;
    for _ in 0..5 {
        world.time.advance(seconds(2));
        settle_down().await;
    }
    assert_eq!(store.calls(Op::Status), 2);
    assert_eq!(world.feedback.stats().statuses.unknown, 1);
}

#[tokio::test]
async fn they_wait_in_a_bounded_memory() {
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials()).wait_for_record(1, seconds(60));
    let world = site.world(builder);
    let (first, second) = (world.create(AC).await, world.create(AC).await);
    assert_eq!(world.feedback.record_status(update(first, Sent)).await, StatusRecorded::Unknown);
    assert_eq!(world.feedback.record_status(update(second, Sent)).await, StatusRecorded::Refused);
    let newer = world.feedback.record_status(update(first, Delivered)).await;
    assert_eq!(newer, StatusRecorded::Unknown);
    assert_eq!(world.feedback.stats().statuses.refused, 1);
}
