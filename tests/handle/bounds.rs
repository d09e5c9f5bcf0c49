//! Where something is full or slow, and nothing that was taken is lost.

use std::time::Duration;

use tower_message_feedback::{
    Confirmation, Recorded,
    store::{LedgerStatus, MemoryStore},
};

use crate::support::{
    AC, Mode, Op, Site, SwitchStore, WAIT, World, credentials, guarded, seconds, settle_down,
};

#[tokio::test]
async fn a_confirm_that_overtook_its_record_needs_no_room_in_the_retry_queue() {
    let world = World::with(|builder| builder.max_deferred(0)).await;
    let sid = world.create(AC).await;
    assert_eq!(world.feedback.confirm("id").await, Confirmation::Unknown);
    assert_eq!(world.feedback.record("id", world.sent(AC, sid)).await, Recorded::Recorded);
    guarded(async {
        while world.reports(sid) == 0 {
            world.time.advance(seconds(1));
            settle_down().await;
        }
    })
    .await;
    assert_eq!(world.feedback.stats().confirms.overtaken, 1);
}

#[tokio::test]
async fn a_deferred_confirm_waits_for_room_in_the_outbox() {
    let site = Site::new().await;
    let memory = MemoryStore::builder().clock(site.time.clock()).max_outbox(1).build();
    let store = SwitchStore::of(memory);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let world = site.world(builder);
    let (first, second) = (world.send("first").await, world.send("second").await);
    world.twilio.answer_feedback(tower_message_feedback::simulator::Answer::status(500));
    assert_eq!(world.feedback.confirm("first").await, Confirmation::Queued);
    store.set(Op::Confirm, Mode::Fails);
    assert_eq!(world.feedback.confirm("second").await, Confirmation::Deferred);
    store.set(Op::Confirm, Mode::Works);
    settle_down().await;
    world.time.advance(WAIT / 2);
    settle_down().await;
    assert_eq!(world.feedback.health().await.deferred, 1, "the outbox is full");
    guarded(async {
        while world.reports(first) + world.reports(second) < 2 {
            world.time.advance(seconds(7));
            settle_down().await;
        }
    })
    .await;
    assert_eq!(world.feedback.health().await.deferred, 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_slower_than_the_bound_of_a_route_gets_through_in_the_background() {
    let time = Site::new().await.time;
    let store = SwitchStore::new(&time);
    let slow = store.clone();
    let world = World::without_socket(|builder| {
        builder.store(store.clone()).store_timeout(Duration::from_millis(100))
    })
    .await;
    let sid = world.create(AC).await;
    // It does what it is asked, three times as late as a send waits for it.
    slow.set(Op::Record, Mode::AnswersLate);
    let answers = tokio::spawn({
        let slow = slow.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            slow.set(Op::Record, Mode::Works);
        }
    });
    assert_eq!(world.feedback.record("id", world.sent(AC, sid)).await, Recorded::Deferred);
    answers.await.expect("no panic");
    settle_down().await;
    assert_eq!(world.feedback.health().await.deferred, 0, "the retry that had begun has ended");
    assert_eq!(slow.calls(Op::Record), 2);
}

#[tokio::test]
async fn a_message_is_forgotten_by_its_sid() {
    let world = World::new().await;
    let (recorded, confirmed) = (world.send("id").await, world.create(AC).await);
    world.twilio.answer_feedback(tower_message_feedback::simulator::Answer::status(500).always());
    let confirmation = world.feedback.confirm_sid(world.sent(AC, confirmed)).await;
    assert_eq!(confirmation, Confirmation::Queued);
    world.flush().await;
    for sid in [recorded, confirmed] {
        assert!(world.feedback.forget_sid(sid).await.expect("an answer"));
        assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer"), None);
        assert!(!world.feedback.forget_sid(sid).await.expect("an answer"));
    }
    assert_eq!(world.flush().await.outbox, Some(0));
    // The others under the id stay.
    let stays = world.send("id").await;
    let goes = world.send("id").await;
    assert!(world.feedback.forget_sid(goes).await.expect("an answer"));
    assert_eq!(world.status(stays).await, LedgerStatus::Pending);
}

#[tokio::test]
async fn what_is_forgotten_while_its_retry_is_under_way_does_not_come_back() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let world = site.world(builder.store_timeout(Duration::from_millis(20)));
    let sid = world.create(AC).await;
    store.set(Op::Record, Mode::Hangs);
    assert_eq!(world.feedback.record("id", world.sent(AC, sid)).await, Recorded::Deferred);
    settle_down().await;
    assert_eq!(world.feedback.forget("id").await.expect("an answer"), 0);
    store.set(Op::Record, Mode::Works);
    guarded(async {
        while world.feedback.health().await.deferred > 0 {
            world.time.advance(seconds(7));
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer"), None);
}
