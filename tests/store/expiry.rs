use tower_message_feedback::store::{ConfirmOutcome, SettleOutcome, SettledAs};

use crate::support::{Fixture, REJECTED, RETENTION, START, expiring, keys, message, seconds};

#[test]
fn a_message_is_dropped_after_its_time_and_never_before() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.advance(RETENTION - seconds(1));
    assert_eq!(fixture.expire(10), 0);
    assert!(fixture.is_known(1));
    fixture.advance(seconds(2));
    assert_eq!(fixture.expire(10), 1);
    assert!(!fixture.is_known(1));
    assert!(fixture.lookup(keys(1)).is_empty());
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Unknown);
    assert_eq!(fixture.expire(10), 0);
    let counts = fixture.counts();
    assert_eq!((counts.messages, counts.expired, counts.evicted), (0, 1, 0));
}

#[test]
fn messages_go_in_the_order_of_their_times_and_up_to_the_limit() {
    let fixture = Fixture::new();
    for (n, after) in [(1, 50), (2, 10), (3, 40), (4, 20), (5, 30), (6, 90)] {
        fixture.record(expiring(n, 1, START + seconds(after)));
    }
    fixture.advance(seconds(60));
    assert_eq!(fixture.expire(2), 2);
    let known = || (1..=6).filter(|n| fixture.is_known(*n)).collect::<Vec<_>>();
    assert_eq!(known(), [1, 3, 5, 6]);
    assert_eq!(fixture.expire(2), 2);
    assert_eq!(known(), [1, 6]);
    assert_eq!(fixture.expire(2), 1);
    assert_eq!(known(), [6]);
    assert_eq!(fixture.expire(0), 0);
}

#[test]
fn nothing_expires_while_it_is_in_the_outbox() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    fixture.advance(RETENTION * 100);
    assert_eq!(fixture.expire(10), 0);
    assert!(fixture.is_queued(1));
    let entry = fixture.lease_one();
    fixture.advance(RETENTION);
    assert_eq!(fixture.expire(10), 0);
    assert_eq!(fixture.settle(&entry, SettledAs::Delivered), SettleOutcome::Settled);
}

#[test]
fn a_delivered_message_stays_in_the_ledger_for_its_retention_from_the_delivery() {
    let fixture = Fixture::with(|builder| builder.ledger_retention(seconds(500)));
    fixture.queue(0, 1);
    fixture.advance(RETENTION * 2);
    fixture.settle_next(SettledAs::Delivered);
    fixture.advance(seconds(499));
    assert_eq!(fixture.expire(10), 0);
    assert!(fixture.is_known(1));
    fixture.advance(seconds(2));
    assert_eq!(fixture.expire(10), 1);
    assert_eq!(fixture.sizes(), (0, 0, 0));
}

#[test]
fn a_delivered_message_outlives_the_time_of_its_record() {
    let fixture = Fixture::with(|builder| builder.ledger_retention(RETENTION * 10));
    fixture.queue(0, 1);
    fixture.settle_next(SettledAs::Delivered);
    fixture.advance(RETENTION * 2);
    assert_eq!(fixture.expire(10), 0);
    assert!(fixture.is_known(1));
    fixture.advance(RETENTION * 9);
    assert_eq!(fixture.expire(10), 1);
}

#[test]
fn a_dead_letter_is_kept_for_its_own_retention() {
    let fixture = Fixture::with(|builder| {
        builder.ledger_retention(seconds(10)).dead_letter_retention(RETENTION * 5)
    });
    fixture.queue(0, 1);
    fixture.settle_next(SettledAs::Dead(REJECTED));
    fixture.advance(RETENTION * 4);
    assert_eq!(fixture.expire(10), 0);
    assert_eq!(fixture.sizes(), (1, 0, 1));
    fixture.advance(RETENTION + seconds(1));
    assert_eq!(fixture.expire(10), 1);
    assert_eq!(fixture.sizes(), (0, 0, 0));
    assert!(fixture.dead_letters(None, 10).is_empty());
}

#[test]
fn a_dead_letter_that_is_sent_again_does_not_expire_in_the_outbox() {
    let fixture = Fixture::with(|builder| builder.dead_letter_retention(seconds(100)));
    fixture.queue(0, 1);
    fixture.settle_next(SettledAs::Dead(REJECTED));
    fixture.resend(1);
    fixture.advance(RETENTION * 3);
    assert_eq!(fixture.expire(10), 0);
    assert!(fixture.is_queued(1));
    fixture.settle_next(SettledAs::Dead(REJECTED));
    fixture.advance(seconds(99));
    assert_eq!(fixture.expire(10), 0);
    fixture.advance(seconds(2));
    assert_eq!(fixture.expire(10), 1);
}
