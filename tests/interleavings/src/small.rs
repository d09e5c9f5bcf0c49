//! So little at once that every order can be tried.

use std::{sync::Arc, time::Duration};

use shuttle::{future::block_on, thread};
use tower_message_feedback::{
    ManualClock,
    interleavings::Control,
    store::{
        ConfirmOutcome, ConfirmTarget, FeedbackStore, ForgetTarget, LeaseRequest, MemoryStore,
        RecordOutcome, Resends,
    },
};

use super::kit::{at, at_once, exhaust, key, message, sid};

fn store(max: usize) -> Arc<MemoryStore> {
    let builder = MemoryStore::builder().max_messages(max);
    Arc::new(builder.clock(ManualClock::new(at(1_000)).clock()).build())
}

fn confirm(store: &MemoryStore) -> ConfirmOutcome {
    let target = ConfirmTarget::Id { keys: key(1).into(), resends: Resends::Newest };
    at_once(store.confirm(&[target]))[0]
}

/// What two threads answer.
fn both<T: Send + 'static>(
    store: &Arc<MemoryStore>,
    one: impl FnOnce(&MemoryStore) -> T + Send + 'static,
    other: impl FnOnce(&MemoryStore) -> T,
) -> (T, T) {
    let theirs = store.clone();
    let thread = thread::spawn(move || one(&theirs));
    let other = other(store);
    (thread.join().expect("no panic"), other)
}

/// Asks for the end in one thread, which comes in another.
fn ended<F: Future<Output = ()> + 'static>(wait: fn(Arc<Control>) -> F) {
    let control = Arc::new(Control::default());
    let waiting = control.clone();
    let waiting = thread::spawn(move || block_on(wait(waiting)));
    control.end();
    waiting.join().expect("no panic");
}

#[test]
fn no_drain_outlives_the_dispatcher() {
    exhaust(|| ended(|control| control.drain()));
}

#[test]
fn whoever_waits_for_the_end_is_told() {
    exhaust(|| ended(|control| async move { control.ended().await }));
}

#[test]
fn of_two_confirms_one_queues() {
    exhaust(|| {
        let store = store(10);
        at_once(store.record(&[message(1, 1, 2_000)]));
        let mut outcomes = <[_; 2]>::from(both(&store, confirm, confirm));
        outcomes.sort_by_key(|outcome| *outcome != ConfirmOutcome::Queued);
        assert_eq!(outcomes, [ConfirmOutcome::Queued, ConfirmOutcome::AlreadyConfirmed]);
        let leased = at_once(store.lease(&LeaseRequest::new(9, Duration::from_secs(1))));
        assert_eq!(leased.entries.len(), 1);
    });
}

#[test]
fn of_two_records_of_a_message_one_is_new() {
    exhaust(|| {
        let store = store(10);
        let record = |store: &MemoryStore| at_once(store.record(&[message(1, 1, 2_000)]))[0];
        let outcomes = <[_; 2]>::from(both(&store, record, record));
        let new = outcomes.iter().filter(|outcome| **outcome == RecordOutcome::Inserted);
        assert_eq!(new.count(), 1);
        assert_eq!(at_once(store.counts()).messages, 1);
        assert_eq!(at_once(store.lookup(&[key(1).into()]))[0].len(), 1);
    });
}

#[test]
fn a_lease_is_one_threads() {
    exhaust(|| {
        let store = store(10);
        at_once(store.record(&[message(1, 1, 2_000)]));
        confirm(&store);
        let lease = |store: &MemoryStore| {
            let request = LeaseRequest::new(9, Duration::from_secs(1));
            at_once(store.lease(&request)).entries.len()
        };
        let (one, other) = both(&store, lease, lease);
        assert_eq!(one + other, 1);
    });
}

#[test]
fn what_is_forgotten_while_it_is_confirmed_leaves_nothing() {
    exhaust(|| {
        let store = store(10);
        at_once(store.record(&[message(1, 1, 2_000)]));
        let forget = |store: &MemoryStore| {
            assert_eq!(at_once(store.forget(&[ForgetTarget::Message(sid(1))])), [1]);
            ConfirmOutcome::Unknown
        };
        let _ = both(&store, confirm, forget);
        let counts = at_once(store.counts());
        assert_eq!((counts.messages, counts.outbox), (0, 0));
        assert!(
            at_once(store.lease(&LeaseRequest::new(9, Duration::from_secs(1)))).entries.is_empty()
        );
    });
}

#[test]
fn where_there_is_room_for_one_there_is_one() {
    exhaust(|| {
        let store = store(1);
        let one = |store: &MemoryStore| at_once(store.record(&[message(1, 1, 2_000)]))[0];
        let other = |store: &MemoryStore| at_once(store.record(&[message(2, 2, 2_000)]))[0];
        let outcomes = <[_; 2]>::from(both(&store, one, other));
        let counts = at_once(store.counts());
        let found = at_once(store.by_sid(&[sid(1), sid(2)])).iter().flatten().count();
        assert_eq!((counts.messages, found), (1, 1), "{outcomes:?}");
        // The second finds the first to give way, or on its way in.
        let inserted = outcomes.iter().filter(|outcome| **outcome == RecordOutcome::Inserted);
        assert_eq!(inserted.count() as u64, 1 + counts.evicted);
        assert!(outcomes.iter().all(|outcome| *outcome != RecordOutcome::AlreadyPresent));
    });
}
