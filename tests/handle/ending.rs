//! Flush, shutdown, and ends that nobody asked for.

use futures_util::FutureExt;
use std::{sync::Arc, time::Duration};

use tokio::{runtime::Runtime, task::JoinHandle};
use tower_message_feedback::{
    Confirmation, DispatcherState, MessageFeedback, Recorded, Refusal, Remaining,
    simulator::Answer, store::MemoryStore,
};

use crate::support::{
    CORRELATION_KEY, Mode, Op, Site, SwitchStore, WAIT, World, credentials, eventually, guarded,
    seconds, settle_down,
};

const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = seconds(3600);

/// A handle whose dispatcher is a task of the test's own.
async fn spawned(site: &Site) -> (MessageFeedback, JoinHandle<()>) {
    let builder = site.builder().credentials(credentials());
    let (feedback, dispatcher) = builder.build_pair().expect("a handle");
    (feedback, tokio::spawn(dispatcher))
}

async fn act(site: &Site, feedback: &MessageFeedback, id: &str) {
    assert_eq!(feedback.record(id, site.sent().await).await, Recorded::Recorded);
    assert_eq!(feedback.confirm(id).await, Confirmation::Queued);
}

fn shutting_down(feedback: &MessageFeedback, deadline: Duration) -> JoinHandle<Remaining> {
    let feedback = feedback.clone();
    tokio::spawn(async move { feedback.shutdown(deadline).await })
}

#[tokio::test]
async fn a_flush_says_what_is_left() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(503));
    world.act("one").await;
    let left = world.flush().await;
    assert_eq!((left.outbox, left.deferred), (Some(1), 0));
    world.act("two").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert_eq!(world.twilio.confirmed().len(), 1);
    assert!(world.advance(WAIT).await.is_empty());
}

#[tokio::test]
async fn a_shutdown_delivers_what_is_queued_and_takes_no_more() {
    let world = World::new().await;
    for n in 0..20 {
        world.act(&format!("id {n}")).await;
    }
    world.send("late").await;
    let remaining = guarded(world.feedback.shutdown(LONG)).await;
    assert!(remaining.is_empty(), "{remaining:?}");
    assert_eq!(world.twilio.confirmed().len(), 20);
    assert_eq!(world.feedback.health().await.dispatcher, DispatcherState::Ended);
    let refused = Confirmation::Refused(Refusal::ShutDown);
    assert_eq!(world.feedback.confirm("late").await, refused);
    // It can be repeated.
    assert!(guarded(world.feedback.shutdown(LONG)).await.is_empty());
    assert!(guarded(world.feedback.flush()).await.is_empty());
}

#[tokio::test]
async fn a_shutdown_of_a_volatile_store_waits_for_retries_too() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(503));
    let sid = world.act("id").await;
    world.send("late").await;
    let shutdown = shutting_down(&world.feedback, LONG);
    eventually(|| world.feedback.stats().delivery.retried == 1).await;
    settle_down().await;
    assert!(!shutdown.is_finished());
    let refused = Confirmation::Refused(Refusal::ShutDown);
    assert_eq!(world.feedback.confirm("late").await, refused);
    world.time.advance(WAIT);
    assert!(guarded(shutdown).await.expect("no panic").is_empty());
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn a_shutdown_of_a_durable_store_leaves_retries_to_the_next_start() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time).durable();
    let build = || {
        let builder = site.builder().credentials(credentials()).store(store.clone());
        builder.correlation_key(CORRELATION_KEY).build().expect("a handle")
    };
    let first = build();
    site.twilio.answer_feedback(Answer::status(503));
    act(&site, &first, "id").await;
    assert_eq!(guarded(first.shutdown(LONG)).await.outbox, Some(1));
    // Drained from the start, without a wake-up.
    site.time.advance(WAIT);
    let _second = build();
    guarded(site.twilio.wait_until(|twilio| twilio.confirmed().len() == 1)).await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_refused_credentials() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(401).always());
    world.act("id").await;
    let remaining = guarded(world.feedback.shutdown(LONG)).await;
    assert_eq!(remaining.outbox, Some(1));
    assert_eq!(world.feedback.health().await.dispatcher, DispatcherState::Ended);
}

#[tokio::test]
async fn a_deadline_ends_calls_that_hang_and_gives_their_leases_back() {
    let site = Site::new().await;
    let store = Arc::new(MemoryStore::builder().clock(site.time.clock()).build());
    let build = || {
        let builder = site.builder().credentials(credentials()).store(store.clone());
        builder.correlation_key(CORRELATION_KEY).build().expect("a handle")
    };
    let first = build();
    site.twilio.answer_feedback(Answer::hang().times(2));
    for id in ["one", "two"] {
        act(&site, &first, id).await;
    }
    eventually(|| crate::support::calls(&site.twilio).len() == 2).await;
    let remaining = guarded(first.shutdown(SOON)).await;
    assert_eq!(remaining.outbox, Some(2));
    assert_eq!(first.health().await.dispatcher, DispatcherState::Ended);
    // No lease has to run out, and no attempt was spent.
    let second = build();
    assert!(guarded(second.flush()).await.is_empty());
    assert_eq!(site.twilio.confirmed().len(), 2);
    for id in ["one", "two"] {
        let entries = second.lookup(id).await.expect("an answer");
        assert!(matches!(
            entries[0].status,
            tower_message_feedback::store::LedgerStatus::Delivered { attempts, .. }
                if attempts.total == 1
        ));
    }
}

#[tokio::test]
async fn a_dispatcher_that_was_never_spawned_does_not_hold_up_a_shutdown() {
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials());
    let (feedback, dispatcher) = builder.build_pair().expect("a handle");
    act(&site, &feedback, "id").await;
    let remaining = guarded(feedback.shutdown(SOON)).await;
    assert_eq!((remaining.outbox, remaining.deferred), (Some(1), 0));
    // Spawned after all, it ends at once and calls nobody.
    guarded(dispatcher).await;
    assert!(crate::support::calls(&site.twilio).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_hold_up_a_shutdown() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let world = site.world(builder);
    settle_down().await;
    store.set(Op::Confirm, Mode::Hangs);
    store.set(Op::Lookup, Mode::Hangs);
    store.set(Op::Lease, Mode::Hangs);
    store.set(Op::Counts, Mode::Hangs);
    assert_eq!(world.feedback.confirm("id").await, Confirmation::Deferred);
    let started = tokio::time::Instant::now();
    let remaining = world.feedback.shutdown(seconds(5)).await;
    assert_eq!((remaining.outbox, remaining.deferred), (None, 1));
    assert!(started.elapsed() <= seconds(6), "{:?}", started.elapsed());
}

#[test]
fn a_dispatcher_that_ended_with_its_runtime_is_said_to_have_ended() {
    let first = Runtime::new().expect("a runtime");
    let world = first.block_on(async {
        let world = World::new().await;
        world.twilio.answer_feedback(Answer::status(503).always());
        world.act("id").await;
        let _ = world.flush().await;
        assert_eq!(
            world.feedback.health().now_or_never().expect("an answer").dispatcher,
            DispatcherState::Running
        );
        world
    });
    drop(first);
    assert_eq!(
        world.feedback.health().now_or_never().expect("an answer").dispatcher,
        DispatcherState::Ended
    );
    assert!(!world.feedback.health().now_or_never().expect("an answer").is_ok());
    let second = Runtime::new().expect("a runtime");
    second.block_on(async {
        assert_eq!(world.flush().await.outbox, Some(1));
        let remaining = guarded(world.feedback.shutdown(LONG)).await;
        assert_eq!(remaining.outbox, Some(1));
    });
}

#[tokio::test]
async fn a_flush_ends_with_its_dispatcher_whatever_it_waits_for() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    store.set(Op::Confirm, Mode::Fails);
    store.set(Op::Lookup, Mode::Fails);
    let builder = site.builder().credentials(credentials()).store(store);
    let (feedback, dispatcher) = builder.build_pair().expect("a handle");
    let dispatcher = tokio::spawn(dispatcher);
    assert_eq!(feedback.confirm("id").await, Confirmation::Deferred);
    let flush = tokio::spawn({
        let feedback = feedback.clone();
        async move { feedback.flush().await }
    });
    settle_down().await;
    assert!(!flush.is_finished());
    dispatcher.abort();
    assert_eq!(guarded(flush).await.expect("no panic").deferred, 1);
}

#[tokio::test]
async fn without_any_handle_the_outbox_is_drained_and_the_dispatcher_ends() {
    let site = Site::new().await;
    site.twilio.answer_feedback(Answer::status(503).times(2));
    let (feedback, dispatcher) = spawned(&site).await;
    for n in 0..10 {
        act(&site, &feedback, &format!("id {n}")).await;
    }
    let clone = feedback.clone();
    drop(feedback);
    eventually(|| site.twilio.confirmed().len() == 8).await;
    settle_down().await;
    assert!(!dispatcher.is_finished(), "a handle is left");
    drop(clone);
    settle_down().await;
    assert!(!dispatcher.is_finished(), "two wait for their retry");
    site.time.advance(WAIT);
    guarded(dispatcher).await.expect("no panic");
    assert_eq!(site.twilio.confirmed().len(), 10);
}

#[tokio::test]
async fn without_any_handle_what_is_deferred_is_delivered_before_the_end() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let (feedback, dispatcher) = builder.build_pair().expect("a handle");
    let dispatcher = tokio::spawn(dispatcher);
    assert_eq!(feedback.record("id", site.sent().await).await, Recorded::Recorded);
    store.set(Op::Confirm, Mode::Fails);
    assert_eq!(feedback.confirm("id").await, Confirmation::Deferred);
    settle_down().await;
    drop(feedback);
    settle_down().await;
    assert!(!dispatcher.is_finished());
    store.set(Op::Confirm, Mode::Works);
    site.time.advance(seconds(7));
    guarded(dispatcher).await.expect("no panic");
    assert_eq!(site.twilio.confirmed().len(), 1);
}

#[tokio::test]
async fn a_dispatcher_without_work_or_handles_ends() {
    let site = Site::new().await;
    let (feedback, dispatcher) = spawned(&site).await;
    settle_down().await;
    assert_eq!(feedback.health().await.dispatcher, DispatcherState::Running);
    drop(feedback);
    guarded(dispatcher).await.expect("no panic");
    // Dropped before it started, too.
    let (feedback, dispatcher) = spawned(&site).await;
    drop(feedback);
    guarded(dispatcher).await.expect("no panic");
}
