//! Many threads at once.

use std::{collections::BTreeSet, sync::Barrier, thread};

use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, ConfirmTarget, FeedbackStore, LeaseRequest, LedgerStatus, Resends,
    SettleOutcome, SettledAs, Settlement,
};

use crate::support::{
    Fixture, LEASE, REJECTED, RETENTION, by_id, keys, message, now, seconds, sid,
};

const THREADS: u64 = 8;

#[test]
fn of_many_threads_that_confirm_one_id_exactly_one_queues_it() {
    for _ in 0..200 {
        let fixture = Fixture::new();
        fixture.record(message(1, 1));
        let barrier = Barrier::new(THREADS as usize);
        let confirm = || {
            barrier.wait();
            fixture.confirm(1)
        };
        let outcomes: Vec<ConfirmOutcome> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(confirm)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let queued = outcomes.iter().filter(|outcome| **outcome == ConfirmOutcome::Queued).count();
        assert_eq!(queued, 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| outcome.eq(&ConfirmOutcome::Queued)
            || outcome.eq(&ConfirmOutcome::AlreadyConfirmed)));
        assert_eq!(fixture.sizes(), (1, 1, 0));
    }
}

#[test]
fn of_many_threads_that_lease_no_two_get_the_same_entry() {
    let fixture = Fixture::new();
    for n in 0..200 {
        fixture.queue(u64::from(n % 5), n);
    }
    let barrier = Barrier::new(THREADS as usize);
    let lease = || {
        barrier.wait();
        let mut leased = Vec::new();
        loop {
            let entries = fixture.lease(3).entries;
            if entries.is_empty() {
                return leased;
            }
            leased.extend(entries.into_iter().map(|entry| entry.sid));
        }
    };
    let leased: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(lease)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(leased.len(), 200);
    assert_eq!(leased.iter().collect::<BTreeSet<_>>().len(), 200);
}

#[test]
fn a_message_that_many_threads_record_under_several_ids_stays_under_one() {
    for round in 0..200 {
        let fixture = Fixture::new();
        let barrier = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for id in 0..THREADS {
                let (fixture, barrier) = (&fixture, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    fixture.record(message(round, id as u8 % 4))
                });
            }
        });
        assert_eq!(fixture.sizes(), (1, 0, 0));
        let entries: usize = (0..4).map(|id| fixture.lookup(keys(id)).len()).sum();
        assert_eq!(entries, 1);
        assert_eq!(
            fixture.forget(0) + fixture.forget(1) + fixture.forget(2) + fixture.forget(3),
            1
        );
        assert_eq!(fixture.sizes(), (0, 0, 0));
    }
}

const MESSAGES: u64 = 64;
const IDS: u8 = 16;

/// A cheap generator of numbers: a history that can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

fn anything(fixture: &Fixture, dice: &mut Dice) {
    let n = dice.roll(MESSAGES);
    let id = dice.roll(IDS.into()) as u8;
    match dice.roll(12) {
        0..=3 => {
            fixture.record(message(n, id));
        }
        4 | 5 => {
            fixture.confirm(id);
        }
        6 => {
            fixture.confirm_target(by_id(keys(id), Resends::All));
            fixture.confirm_target(ConfirmTarget::Message(message(n, id)));
        }
        7 | 8 => {
            let answer = fixture.lease_as(&LeaseRequest::new(4, LEASE));
            for entry in &answer.entries {
                let settled_as = match dice.roll(4) {
                    0 => SettledAs::Retry(seconds(0)),
                    1 => SettledAs::Dead(REJECTED),
                    2 => SettledAs::Delivered,
                    _ => continue,
                };
                let settlement = Settlement::new(entry, Attempts::new(1, 0), settled_as);
                let repeated = [settlement.clone(), settlement];
                let outcomes = now(fixture.store.settle(&repeated));
                assert_ne!(outcomes, [SettleOutcome::Settled; 2], "settled twice");
            }
        }
        9 => {
            fixture.advance(seconds(dice.roll(120)));
            fixture.expire(8);
        }
        10 => {
            fixture.forget(id);
        }
        _ => {
            fixture.resend(n);
            assert!(fixture.lookup(keys(id)).len() <= MESSAGES as usize);
            fixture.dead_letters(None, 5);
        }
    }
}

/// What the counts say is what is there, one message at a time.
fn assert_consistent(fixture: &Fixture) {
    let (mut messages, mut queued, mut dead) = (0, BTreeSet::new(), BTreeSet::new());
    for n in 0..MESSAGES {
        match fixture.status(n) {
            None => continue,
            Some(LedgerStatus::Queued { .. }) => drop(queued.insert(sid(n))),
            Some(LedgerStatus::Dead { .. }) => drop(dead.insert(sid(n))),
            Some(_) => {}
        }
        messages += 1;
    }
    assert_eq!(fixture.sizes(), (messages, queued.len() as u64, dead.len() as u64));
    assert_eq!(fixture.dead_letters(None, 1000), dead.into_iter().collect::<Vec<_>>());
    let under_ids: usize = (0..IDS).map(|id| fixture.lookup(keys(id)).len()).sum();
    assert_eq!(under_ids as u64, messages);
    fixture.advance(LEASE);
    let leased: BTreeSet<_> =
        fixture.lease(1000).entries.into_iter().map(|entry| entry.sid).collect();
    assert_eq!(leased, queued);
}

fn chaos(fixture: &Fixture, seed: u64) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut dice = Dice(seed * 1000 + thread);
            scope.spawn(move || (0..2000).for_each(|_| anything(fixture, &mut dice)));
        }
    });
    assert_consistent(fixture);
    // Everything can be brought to its end, and nothing is left behind.
    fixture.advance(LEASE);
    for entry in fixture.lease(1000).entries {
        assert_eq!(fixture.settle(&entry, SettledAs::Delivered), SettleOutcome::Settled);
    }
    fixture.advance(RETENTION * 24 * 60);
    fixture.expire(100_000);
    assert_eq!(fixture.sizes(), (0, 0, 0));
    assert_consistent(fixture);
}

#[test]
fn whatever_many_threads_do_at_once_the_store_ends_consistent() {
    for seed in 0..5 {
        chaos(&Fixture::new(), seed);
    }
}

#[test]
fn it_ends_consistent_at_its_bounds_too() {
    for seed in 0..5 {
        let fixture = Fixture::with(|builder| builder.max_messages(20).max_outbox(6));
        chaos(&fixture, seed);
        let counts = fixture.counts();
        assert!(counts.evicted > 0, "the bound was never met");
    }
}
