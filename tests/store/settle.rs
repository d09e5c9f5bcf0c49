use tower_message_feedback::store::{
    Attempts, EntryId, FeedbackStore, LeaseToken, LedgerStatus, SettleOutcome, SettledAs,
    Settlement,
};

use crate::support::{Fixture, LEASE, REJECTED, START, now, seconds, sid, sids};

#[test]
fn a_delivered_entry_leaves_the_outbox_for_the_ledger() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    fixture.advance(seconds(3));
    let entry = fixture.lease_one();
    assert_eq!(fixture.settle(&entry, SettledAs::Delivered), SettleOutcome::Settled);
    assert_eq!(
        fixture.status(1),
        Some(LedgerStatus::delivered(START, START + seconds(3), Attempts::new(1, 0)))
    );
    assert_eq!(fixture.sizes(), (1, 0, 0));
    assert_eq!(fixture.counts().oldest_outbox_age, None);
    // Repeated, it changes nothing.
    assert_eq!(fixture.settle(&entry, SettledAs::Dead(REJECTED)), SettleOutcome::LeaseLost);
    assert_eq!(fixture.sizes(), (1, 0, 0));
}

#[test]
fn a_dead_entry_leaves_the_outbox_for_the_dead_letters() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    fixture.advance(seconds(3));
    fixture.settle_next(SettledAs::Dead(REJECTED));
    assert_eq!(
        fixture.status(1),
        Some(LedgerStatus::dead(START, START + seconds(3), Attempts::new(1, 0), REJECTED))
    );
    assert_eq!(fixture.sizes(), (1, 0, 1));
    fixture.advance(seconds(10_000));
    assert!(fixture.lease(10).entries.is_empty());
}

#[test]
fn a_retry_is_due_when_it_says_and_keeps_its_attempts() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    let entry = fixture.lease_one();
    let attempts = Attempts::new(4, 2);
    let retry = Settlement::new(&entry, attempts, SettledAs::Retry(seconds(90)));
    assert_eq!(now(fixture.store.settle(std::slice::from_ref(&retry))), [SettleOutcome::Settled]);
    assert_eq!(fixture.status(1), Some(LedgerStatus::queued(START, attempts)));
    // The lease is given back: the same settlement finds nothing.
    assert_eq!(now(fixture.store.settle(&[retry])), [SettleOutcome::LeaseLost]);

    fixture.advance(seconds(89));
    let early = fixture.lease(10);
    assert!(early.entries.is_empty());
    assert_eq!(early.next_due, Some(seconds(1)));
    fixture.advance(seconds(1));
    let entry = fixture.lease_one();
    assert_eq!(entry.sid, sid(1));
    assert_eq!(entry.attempts, attempts);
    assert_eq!(entry.age, seconds(90));
    assert_eq!(entry.confirmed_at, START);
}

#[test]
fn the_next_due_is_the_earliest_of_all_accounts() {
    let fixture = Fixture::new();
    for n in 1..=4 {
        fixture.queue(u64::from(n % 2), n);
    }
    for (entry, wait) in fixture.lease(4).entries.iter().zip([40, 20, 30, 60]) {
        fixture.settle(entry, SettledAs::Retry(seconds(wait)));
    }
    assert_eq!(fixture.lease(10).next_due, Some(seconds(20)));
    fixture.advance(seconds(30));
    let due = fixture.lease(10);
    assert_eq!(due.entries.len(), 2);
    assert_eq!(due.next_due, Some(seconds(10)));
}

#[test]
fn a_retry_that_is_due_later_does_not_hold_up_the_others_of_its_account() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    fixture.queue(0, 2);
    let first = fixture.lease_one();
    fixture.settle(&first, SettledAs::Retry(seconds(600)));
    assert_eq!(sids(&fixture.lease(10)), [sid(2)]);
}

#[test]
fn a_lease_that_ran_out_unnoticed_may_still_settle() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    let entry = fixture.lease_one();
    fixture.advance(LEASE + seconds(1));
    assert_eq!(fixture.settle(&entry, SettledAs::Delivered), SettleOutcome::Settled);
    assert!(fixture.lease(10).entries.is_empty());
}

#[test]
fn a_batch_is_settled_item_by_item() {
    let fixture = Fixture::new();
    for n in 1..=3 {
        fixture.queue(0, n);
    }
    let entries = fixture.lease(3).entries;
    let attempts = Attempts::new(1, 0);
    let mut wrong = Settlement::new(&entries[1], attempts, SettledAs::Delivered);
    wrong.token = LeaseToken::new(u64::MAX);
    let mut gone = wrong.clone();
    gone.id = EntryId::new(u64::MAX);
    let outcomes = now(fixture.store.settle(&[
        Settlement::new(&entries[0], attempts, SettledAs::Delivered),
        wrong,
        gone,
        Settlement::new(&entries[2], attempts, SettledAs::Dead(REJECTED)),
    ]));
    use SettleOutcome::{LeaseLost, Settled};
    assert_eq!(outcomes, [Settled, LeaseLost, LeaseLost, Settled]);
    assert_eq!(fixture.sizes(), (3, 1, 1));
}
