//! Delivery while the store fails or hangs. Where its bound on an operation
//! has to pass, Tokio's clock is paused and passes it by itself.

use tower_message_feedback::{Confirmation, MessageFeedback, simulator::Answer};

use crate::support::{
    CORRELATION_KEY, Mode, Op, Site, SwitchStore, World, credentials, eventually, guarded,
    in_process, seconds, settle_down,
};

/// Longer than the longest pause after a failure.
const PAUSE: std::time::Duration = seconds(7);

pub(crate) async fn world(op: Op, mode: Mode) -> (World, SwitchStore) {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    store.set(op, mode);
    let builder = site
        .builder()
        .credentials(credentials())
        .transport(in_process(&site.twilio))
        .store(store.clone());
    (site.world(builder), store)
}

#[tokio::test]
async fn a_store_that_fails_to_lease_makes_no_hot_loop_and_is_asked_again() {
    let (world, store) = world(Op::Lease, Mode::Fails).await;
    let mut sids = Vec::new();
    for n in 0..50 {
        sids.push(world.act(&format!("id {n}")).await);
        settle_down().await;
    }
    assert_eq!(store.calls(Op::Lease), 1, "asked without a pause");
    for asked in 2..=10 {
        world.time.advance(PAUSE);
        eventually(|| store.calls(Op::Lease) == asked).await;
        settle_down().await;
        assert_eq!(store.calls(Op::Lease), asked);
    }
    assert_eq!(world.feedback.stats().delivery.store_errors, 10);
    store.set(Op::Lease, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 50);
    for sid in sids {
        assert_eq!(world.reports(sid), 1);
    }
}

#[tokio::test]
async fn a_store_that_stays_away_is_asked_every_few_seconds_and_no_more_often() {
    let (world, store) = world(Op::Lease, Mode::Fails).await;
    for asked in 1..=30 {
        eventually(|| store.calls(Op::Lease) == asked).await;
        let (early, rest) =
            if asked > 8 { (seconds(3), PAUSE - seconds(3)) } else { (seconds(0), PAUSE) };
        world.time.advance(early);
        settle_down().await;
        assert_eq!(store.calls(Op::Lease), asked);
        world.time.advance(rest);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_in_a_lease_is_asked_again() {
    let (world, store) = world(Op::Lease, Mode::Hangs).await;
    let sid = world.act("id").await;
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(store.calls(Op::Lease), 1);
    assert_eq!(world.feedback.stats().delivery.store_errors, 1);
    store.set(Op::Lease, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn a_delivery_whose_settlement_fails_is_settled_later_and_not_repeated() {
    let (world, store) = world(Op::Settle, Mode::Fails).await;
    let sid = world.act("id").await;
    eventually(|| store.calls(Op::Settle) == 1).await;
    for asked in 2..=20 {
        settle_down().await;
        assert_eq!(store.calls(Op::Settle), asked - 1, "asked without a pause");
        // Far beyond the end of the lease, in the end.
        world.time.advance(PAUSE);
        eventually(|| store.calls(Op::Settle) == asked).await;
    }
    assert_eq!(world.attempts(sid).await, Some(0));
    store.set(Op::Settle, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert!(world.is_delivered(sid).await);
    assert_eq!(world.reports(sid), 1);
    assert_eq!(world.feedback.stats().delivery.leases_lost, 0);
}

#[tokio::test]
async fn while_settlements_fail_nothing_new_is_leased() {
    let (world, store) = world(Op::Settle, Mode::Fails).await;
    world.act("one").await;
    eventually(|| store.calls(Op::Settle) == 1).await;
    let leases = store.calls(Op::Lease);
    for n in 0..5 {
        world.act(&format!("id {n}")).await;
        world.time.advance(PAUSE);
        eventually(|| store.calls(Op::Settle) == n + 2).await;
    }
    settle_down().await;
    assert_eq!(store.calls(Op::Lease), leases);
    assert_eq!(world.calls().len(), 1);
    store.set(Op::Settle, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 6);
}

#[tokio::test]
async fn a_settlement_that_took_place_without_an_answer_does_no_harm() {
    let (world, store) = world(Op::Settle, Mode::FailsAfterwards).await;
    let sid = world.act("id").await;
    eventually(|| store.calls(Op::Settle) == 1).await;
    store.set(Op::Settle, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert!(world.is_delivered(sid).await);
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_in_a_settlement_is_asked_again() {
    let (world, store) = world(Op::Settle, Mode::Hangs).await;
    let sid = world.act("id").await;
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(store.calls(Op::Settle), 1);
    store.set(Op::Settle, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert!(world.is_delivered(sid).await);
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test(start_paused = true)]
async fn what_ends_while_a_settlement_hangs_is_settled_with_it_and_not_repeated() {
    let (world, store) = world(Op::Settle, Mode::Hangs).await;
    world.feedback.pause_delivery();
    world.twilio.answer_feedback(Answer::normal());
    world.twilio.answer_feedback(Answer::normal().after(seconds(1)));
    let sids = [world.act("one").await, world.act("two").await];
    world.feedback.resume_delivery();
    tokio::time::sleep(seconds(60)).await;
    assert_eq!((store.calls(Op::Settle), world.calls().len()), (1, 2));
    store.set(Op::Settle, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    // Far beyond the end of the leases.
    assert!(world.advance(seconds(600)).await.is_empty());
    for sid in sids {
        assert!(world.is_delivered(sid).await);
        assert_eq!(world.reports(sid), 1);
    }
}

#[tokio::test]
async fn what_one_process_cannot_settle_another_delivers() {
    let site = Site::new().await;
    let broken = SwitchStore::new(&site.time);
    let sound = broken.memory.clone();
    broken.set(Op::Settle, Mode::Fails);
    let builder = |site: &Site| {
        site.builder()
            .credentials(credentials())
            .correlation_key(CORRELATION_KEY)
            .transport(in_process(&site.twilio))
    };
    let other: MessageFeedback = builder(&site).store(sound).build().expect("a handle");
    let builder = builder(&site).store(broken.clone());
    let world = site.world(builder);
    // Both have looked and found nothing: only the one that confirms is woken.
    settle_down().await;
    let sid = world.act("id").await;
    eventually(|| broken.calls(Op::Settle) == 1).await;
    assert_eq!(world.reports(sid), 1);
    // The lease holds, though nothing will come of it.
    assert_eq!(guarded(other.flush()).await.outbox, Some(1));
    assert_eq!(world.reports(sid), 1);
    world.time.advance(seconds(60));
    assert!(guarded(other.flush()).await.is_empty());
    assert_eq!(world.reports(sid), 2, "at least once");
    assert!(world.is_delivered(sid).await);
    // The first one finds its lease lost, and changes nothing.
    broken.set(Op::Settle, Mode::Works);
    assert!(world.advance(PAUSE).await.is_empty());
    assert_eq!(world.feedback.stats().delivery.leases_lost, 1);
    assert_eq!(world.reports(sid), 2);
}

#[tokio::test]
async fn a_flush_waits_for_what_was_confirmed_before_it_even_in_the_middle_of_a_lease() {
    let (world, store) = world(Op::Lease, Mode::AnswersLate).await;
    // A lease is under way that has seen nothing.
    eventually(|| store.calls(Op::Lease) == 1).await;
    settle_down().await;
    let sid = world.send("id").await;
    assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
    let flushed = tokio::spawn({
        let feedback = world.feedback.clone();
        async move { feedback.flush().await }
    });
    settle_down().await;
    store.set(Op::Lease, Mode::Works);
    let remaining = guarded(flushed).await.expect("no panic");
    assert!(remaining.is_empty(), "{remaining:?}");
    assert_eq!(world.reports(sid), 1);
}
