//! What is asked of the store, and what becomes of entries that are leased ahead.

use std::time::Duration;

use tower_message_feedback::{MessageFeedback, store::FeedbackStore};

use crate::{
    concurrency::Turnstile,
    failing_store::world,
    support::{
        CORRELATION_KEY, Mode, Op, Site, SwitchStore, World, credentials, eventually, guarded,
        in_process, settle_down,
    },
};

#[tokio::test]
async fn many_entries_are_leased_and_settled_together() {
    let (world, store) = world(Op::Lease, Mode::Works).await;
    world.feedback.pause_delivery();
    for n in 0..800 {
        world.act(&format!("id {n}")).await;
    }
    let before = [Op::Lease, Op::Settle].map(|op| store.calls(op));
    world.feedback.resume_delivery();
    assert!(world.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 800);
    let asked = [Op::Lease, Op::Settle].map(|op| store.calls(op));
    assert!(asked[0] - before[0] <= 80 && asked[1] - before[1] <= 80, "{before:?} {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_has_nothing_to_do_asks_for_nothing() {
    let (world, store) = world(Op::Lease, Mode::Works).await;
    world.act("id").await;
    assert!(world.flush().await.is_empty());
    settle_down().await;
    let before = [Op::Lease, Op::Settle].map(|op| store.calls(op));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    settle_down().await;
    assert_eq!([Op::Lease, Op::Settle].map(|op| store.calls(op)), before);
}

#[tokio::test]
async fn what_other_processes_confirm_is_looked_for_as_often_as_the_store_says() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time).polled(Duration::from_secs(1));
    let builder = site
        .builder()
        .credentials(credentials())
        .transport(in_process(&site.twilio))
        .store(store.clone());
    let world = site.world(builder);
    for looked in 1..=10 {
        eventually(|| store.calls(Op::Lease) == looked).await;
        settle_down().await;
        world.time.advance(Duration::from_millis(999));
        settle_down().await;
        assert_eq!(store.calls(Op::Lease), looked);
        world.time.advance(Duration::from_millis(1));
    }
}

/// Two processes: one that has leased more than its one call at a time, and one that has
/// found nothing. So many are to be delivered beside that call.
async fn leased_ahead() -> (World, MessageFeedback, Turnstile, usize) {
    let site = Site::new().await;
    let turnstile = Turnstile::new();
    let store = SwitchStore::new(&site.time);
    let other = site
        .builder()
        .credentials(credentials())
        .correlation_key(CORRELATION_KEY)
        .transport(in_process(&site.twilio))
        .store(store.memory.clone())
        .build()
        .expect("a handle");
    let builder = site
        .builder()
        .credentials(credentials())
        .correlation_key(CORRELATION_KEY)
        .max_in_flight(1)
        .transport(turnstile.transport())
        .store(store.clone());
    let world = site.world(builder);
    // Both have looked and found nothing: only the one that confirms is woken.
    settle_down().await;
    world.feedback.pause_delivery();
    for n in 0..51 {
        world.act(&format!("id {n}")).await;
    }
    // Its first calls are quick, and so it leases ahead.
    turnstile.permits.add_permits(20);
    world.feedback.resume_delivery();
    eventually(|| world.feedback.stats().delivery.calls == 21 && turnstile.inside() == 1).await;
    // The 20 are settled a little later, and then the rest is leased.
    guarded(async {
        while store.memory.counts().await.expect("counts").outbox != 31 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The lease holds.
    assert_eq!(guarded(other.flush()).await.outbox, Some(31));
    assert_eq!(world.twilio.confirmed().len(), 0);
    (world, other, turnstile, 30)
}

#[tokio::test]
async fn what_is_leased_ahead_goes_back_when_delivery_is_paused() {
    let (world, other, _turnstile, ahead) = leased_ahead().await;
    world.feedback.pause_delivery();
    eventually_delivered(&world, &other, ahead).await;
}

#[tokio::test]
async fn what_is_leased_ahead_goes_back_when_its_calls_take_too_long() {
    let (world, other, _turnstile, ahead) = leased_ahead().await;
    world.time.advance(Duration::from_secs(1));
    eventually_delivered(&world, &other, ahead).await;
}

#[tokio::test]
async fn what_is_leased_ahead_goes_back_at_a_shutdown() {
    let (world, other, _turnstile, ahead) = leased_ahead().await;
    let left = guarded(world.feedback.shutdown(Duration::ZERO)).await;
    assert_eq!(left.outbox, Some(31));
    // The call, too: it was not over.
    eventually_delivered(&world, &other, ahead + 1).await;
}

#[tokio::test]
async fn what_is_leased_ahead_is_delivered_once_calls_end() {
    let (world, _other, turnstile, ahead) = leased_ahead().await;
    turnstile.permits.add_permits(1 + ahead);
    assert!(world.flush().await.is_empty());
    let stats = world.feedback.stats().delivery;
    assert_eq!((stats.calls, stats.delivered, stats.leases_lost), (51, 51, 0));
}

async fn eventually_delivered(world: &World, other: &MessageFeedback, count: usize) {
    for _ in 0..1_000 {
        let _ = guarded(other.flush()).await;
        if world.twilio.confirmed().len() == count {
            return;
        }
        settle_down().await;
    }
    panic!("{} of {count} delivered", world.twilio.confirmed().len());
}
