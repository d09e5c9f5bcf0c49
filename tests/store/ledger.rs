//! Dead letters, and what is forgotten.

use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, FeedbackStore, LedgerStatus, RecordOutcome, ResendOutcome,
    SettleOutcome, SettledAs,
};

use crate::support::{
    Fixture, REJECTED, START, forgetting, keys, message, now, seconds, sent_at, sid,
};

fn with_dead(numbers: impl IntoIterator<Item = u8>) -> Fixture {
    let fixture = Fixture::new();
    for n in numbers {
        fixture.queue(0, n);
        fixture.settle_next(SettledAs::Dead(REJECTED));
    }
    fixture
}

#[test]
fn dead_letters_are_listed_in_pages_by_their_sids() {
    let fixture = with_dead([3, 1, 4, 2, 5]);
    fixture.queue(0, 9);
    assert_eq!(fixture.dead_letters(None, 2), [sid(1), sid(2)]);
    assert_eq!(fixture.dead_letters(Some(2), 2), [sid(3), sid(4)]);
    assert_eq!(fixture.dead_letters(Some(4), 2), [sid(5)]);
    assert!(fixture.dead_letters(Some(5), 2).is_empty());
    assert!(fixture.dead_letters(None, 0).is_empty());
    // The page begins behind a letter that is gone since.
    fixture.forget(2);
    assert_eq!(fixture.dead_letters(Some(2), 1), [sid(3)]);
}

#[test]
fn a_dead_letter_is_sent_again_at_once_and_starts_anew() {
    let fixture = with_dead([1]);
    fixture.advance(seconds(100));
    assert_eq!(fixture.resend(1), ResendOutcome::Queued);
    assert_eq!(fixture.sizes(), (1, 1, 0));
    assert!(fixture.dead_letters(None, 10).is_empty());
    let entry = fixture.lease_one();
    assert_eq!(entry.sid, sid(1));
    assert_eq!(entry.attempts, Attempts::default());
    assert_eq!(entry.age, seconds(0));
    assert_eq!(fixture.resend(1), ResendOutcome::NotDead);
    assert_eq!(fixture.settle(&entry, SettledAs::Delivered), SettleOutcome::Settled);
    assert!(matches!(fixture.status(1), Some(LedgerStatus::Delivered { confirmed_at: START, .. })));
    assert_eq!(fixture.resend(1), ResendOutcome::NotDead);
}

#[test]
fn only_dead_letters_are_sent_again() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.queue(0, 2);
    fixture.queue(0, 3);
    let delivered = fixture.lease(10).entries.pop().expect("an entry");
    fixture.settle(&delivered, SettledAs::Delivered);
    let outcomes = now(fixture.store.resend(&[sid(1), sid(2), sid(3), sid(4)]));
    assert_eq!(outcomes, [ResendOutcome::NotDead; 4]);
    assert_eq!(fixture.sizes(), (3, 1, 0));
}

#[test]
fn a_dead_letter_may_die_again() {
    let fixture = with_dead([1]);
    fixture.resend(1);
    fixture.settle_next(SettledAs::Dead(REJECTED));
    assert_eq!(fixture.dead_letters(None, 10), [sid(1)]);
    assert_eq!(fixture.sizes(), (1, 0, 1));
}

#[test]
fn forgetting_removes_every_message_of_an_id_whatever_its_state() {
    let fixture = Fixture::new();
    for n in 1..=4 {
        fixture.record(sent_at(n, 1, START + seconds(n)));
        // The last one stays pending.
        if n < 4 {
            fixture.confirm(1);
        }
    }
    let entries = fixture.lease(3).entries;
    fixture.settle(&entries[0], SettledAs::Delivered);
    fixture.settle(&entries[1], SettledAs::Dead(REJECTED));
    fixture.record(message(9, 9));
    assert_eq!(fixture.sizes(), (5, 1, 1));

    assert_eq!(now(fixture.store.forget(&[keys(1), keys(1), keys(2)].map(forgetting))), [4, 0, 0]);
    assert_eq!(fixture.sizes(), (1, 0, 0));
    assert!((1..=4).all(|n| !fixture.is_known(n)));
    assert!(fixture.is_known(9));
    assert!(fixture.lookup(keys(1)).is_empty());
    assert!(fixture.dead_letters(None, 10).is_empty());
    // The call in flight finds its entry gone.
    assert_eq!(fixture.settle(&entries[2], SettledAs::Delivered), SettleOutcome::LeaseLost);
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Unknown);
    fixture.advance(seconds(1000));
    assert!(fixture.lease(10).entries.is_empty());
}

#[test]
fn a_forgotten_message_may_be_recorded_again() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    fixture.forget(1);
    assert_eq!(fixture.record(message(1, 2)), RecordOutcome::Inserted);
    assert_eq!(fixture.confirm(2), ConfirmOutcome::Queued);
    assert_eq!(fixture.sizes(), (1, 1, 0));
}
