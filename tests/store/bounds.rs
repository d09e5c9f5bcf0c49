use tower_message_feedback::store::{
    ConfirmOutcome, ConfirmTarget, RecordOutcome, ResendOutcome, Resends, SettledAs, TrackedMessage,
};

use crate::support::{
    Fixture, REJECTED, RETENTION, START, by_id, expiring, keys, seconds, sent_at,
};

/// Message `n` under id `n`, which expires after all with a smaller number.
fn numbered(n: u8) -> TrackedMessage {
    let expires_at = START + RETENTION + seconds(2 * u64::from(n));
    expiring(n.into(), n, expires_at)
}

fn known(fixture: &Fixture) -> Vec<u64> {
    (0..=99).filter(|n| fixture.is_known(*n)).collect()
}

#[test]
fn at_the_bound_the_oldest_unconfirmed_message_goes_first() {
    let fixture = Fixture::with(|builder| builder.max_messages(3));
    for n in 1..=5 {
        assert_eq!(fixture.record(numbered(n)), RecordOutcome::Inserted);
    }
    assert_eq!(known(&fixture), [3, 4, 5]);
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Unknown);
    let counts = fixture.counts();
    assert_eq!((counts.messages, counts.evicted, counts.expired), (3, 2, 0));
}

#[test]
fn what_is_known_already_evicts_nothing() {
    let fixture = Fixture::with(|builder| builder.max_messages(2));
    fixture.record(numbered(1));
    fixture.record(numbered(2));
    assert_eq!(fixture.record(numbered(2)), RecordOutcome::AlreadyPresent);
    assert_eq!(known(&fixture), [1, 2]);
}

#[test]
fn what_is_in_the_outbox_never_gives_way() {
    let fixture = Fixture::with(|builder| builder.max_messages(3));
    fixture.record(numbered(1));
    fixture.confirm(1);
    for n in 2..=9 {
        assert_eq!(fixture.record(numbered(n)), RecordOutcome::Inserted);
    }
    assert_eq!(known(&fixture), [1, 8, 9]);
    assert!(fixture.is_queued(1));
}

#[test]
fn a_store_full_of_the_outbox_takes_no_message_and_loses_none() {
    let fixture = Fixture::with(|builder| builder.max_messages(3));
    for n in 1..=3 {
        fixture.record(numbered(n));
        fixture.confirm(n);
    }
    assert_eq!(fixture.record(numbered(4)), RecordOutcome::Full);
    assert_eq!(fixture.confirm_target(ConfirmTarget::Message(numbered(5))), ConfirmOutcome::Full);
    assert_eq!(known(&fixture), [1, 2, 3]);
    assert_eq!(fixture.sizes(), (3, 3, 0));
    // What was recorded can be confirmed by itself even so.
    assert_eq!(
        fixture.confirm_target(ConfirmTarget::Message(numbered(2))),
        ConfirmOutcome::AlreadyConfirmed
    );
    // A delivery makes room.
    fixture.settle_next(SettledAs::Delivered);
    assert_eq!(fixture.record(numbered(4)), RecordOutcome::Inserted);
    assert_eq!(known(&fixture), [2, 3, 4]);
    assert_eq!(fixture.counts().evicted, 0, "it was confirmed");
}

#[test]
fn dead_letters_do_not_give_way_either() {
    let fixture =
        Fixture::with(|builder| builder.max_messages(2).dead_letter_retention(seconds(1)));
    fixture.record(numbered(1));
    fixture.confirm(1);
    fixture.settle_next(SettledAs::Dead(REJECTED));
    for n in 2..=5 {
        assert_eq!(fixture.record(numbered(n)), RecordOutcome::Inserted);
    }
    assert_eq!(known(&fixture), [1, 5]);
    assert_eq!(fixture.sizes(), (2, 0, 1));
    // It was put back where it belongs: it still expires.
    fixture.advance(seconds(3));
    assert_eq!(fixture.expire(10), 1);
    assert_eq!(known(&fixture), [5]);
}

#[test]
fn a_full_outbox_refuses_confirms_until_there_is_room() {
    let fixture = Fixture::with(|builder| builder.max_outbox(2));
    for n in 1..=3 {
        fixture.record(numbered(n));
    }
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Queued);
    assert_eq!(fixture.confirm(2), ConfirmOutcome::Queued);
    assert_eq!(fixture.confirm(3), ConfirmOutcome::Full);
    assert_eq!(fixture.confirm(1), ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(fixture.sizes(), (3, 2, 0));
    // A lease makes no room, a delivery does.
    let entry = fixture.lease_one();
    assert_eq!(fixture.confirm(3), ConfirmOutcome::Full);
    fixture.settle(&entry, SettledAs::Delivered);
    assert_eq!(fixture.confirm(3), ConfirmOutcome::Queued);
}

#[test]
fn a_full_outbox_refuses_dead_letters_too() {
    let fixture = Fixture::with(|builder| builder.max_outbox(1));
    fixture.queue(0, 1);
    fixture.settle_next(SettledAs::Dead(REJECTED));
    fixture.queue(0, 2);
    assert_eq!(fixture.resend(1), ResendOutcome::Full);
    assert_eq!(fixture.sizes(), (2, 1, 1));
    fixture.settle_next(SettledAs::Delivered);
    assert_eq!(fixture.resend(1), ResendOutcome::Queued);
}

#[test]
fn of_all_resends_as_many_are_queued_as_fit() {
    let fixture = Fixture::with(|builder| builder.max_outbox(2));
    for n in 1..=3 {
        fixture.record(sent_at(n, 1, START + seconds(n)));
    }
    let all = by_id(keys(1), Resends::All);
    // The caller is told that something is missing.
    assert_eq!(fixture.confirm_target(all.clone()), ConfirmOutcome::Full);
    assert_eq!(fixture.sizes(), (3, 2, 0));
    fixture.settle_next(SettledAs::Delivered);
    assert_eq!(fixture.confirm_target(all), ConfirmOutcome::Queued);
    assert_eq!(fixture.sizes(), (3, 2, 0));
}

#[test]
fn a_message_that_was_forgotten_and_recorded_again_stands_in_line_anew() {
    let fixture = Fixture::with(|builder| builder.max_messages(3));
    fixture.record(numbered(1));
    fixture.forget(1);
    fixture.record(numbered(2));
    fixture.record(numbered(3));
    fixture.record(expiring(1, 1, START + 2 * RETENTION));
    fixture.record(numbered(4));
    assert_eq!(known(&fixture), [1, 3, 4]);
}

#[test]
fn beyond_their_bound_the_oldest_dead_letter_goes() {
    let fixture = Fixture::with(|builder| builder.max_dead_letters(2));
    for n in 1..=3 {
        fixture.queue(0, n);
        fixture.settle_next(SettledAs::Dead(REJECTED));
        fixture.advance(seconds(1));
    }
    assert_eq!(fixture.sizes(), (2, 0, 2));
    assert!(!fixture.is_known(1));
    assert_eq!(fixture.counts().dead_letters_dropped, 1);
}

#[test]
fn dead_letters_do_not_stand_in_the_way_of_new_messages() {
    let fixture = Fixture::with(|builder| builder.max_messages(4));
    for n in 1..=2 {
        fixture.queue(0, n);
        fixture.settle_next(SettledAs::Dead(REJECTED));
    }
    for n in 3..=9 {
        assert_eq!(fixture.record(numbered(n)), RecordOutcome::Inserted);
    }
    assert_eq!(known(&fixture), [1, 2, 8, 9]);
}
