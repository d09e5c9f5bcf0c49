use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, ConfirmTarget, FeedbackStore, LedgerStatus, RecordOutcome, Resends,
    SettledAs,
};

use crate::support::{
    Fixture, REJECTED, START, by_id, forgetting, keys, message, now, rotated, seconds, sent_at,
    sid, sids,
};

#[test]
fn an_unknown_id_confirms_nothing() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    assert_eq!(fixture.confirm(2), ConfirmOutcome::Unknown);
    assert_eq!(fixture.sizes(), (1, 0, 0));
    assert_eq!(fixture.status(1), Some(LedgerStatus::Pending));
}

#[test]
fn confirming_twice_queues_once_even_in_one_batch() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    let target = by_id(keys(1), Resends::Newest);
    assert_eq!(
        now(fixture.store.confirm(&[target.clone(), target, by_id(keys(2), Resends::Newest)])),
        [ConfirmOutcome::Queued, ConfirmOutcome::AlreadyConfirmed, ConfirmOutcome::Unknown]
    );
    assert_eq!(fixture.confirm(1), ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(sids(&fixture.lease(10)), [sid(1)]);
    assert_eq!(fixture.sizes(), (1, 1, 0));
}

#[test]
fn a_confirm_is_remembered_beyond_delivery_and_death() {
    for settled_as in [SettledAs::Delivered, SettledAs::Dead(REJECTED)] {
        let fixture = Fixture::new();
        fixture.queue(0, 1);
        fixture.settle_next(settled_as);
        assert_eq!(fixture.confirm(1), ConfirmOutcome::AlreadyConfirmed);
        assert!(fixture.lease(10).entries.is_empty());
    }
}

#[test]
fn the_newest_by_the_time_it_was_sent_is_confirmed_not_the_last_to_arrive() {
    let fixture = Fixture::new();
    fixture.record(sent_at(1, 1, START + seconds(20)));
    fixture.record(sent_at(2, 1, START + seconds(30)));
    fixture.record(sent_at(3, 1, START + seconds(10)));
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(2));
    assert_eq!(fixture.sizes(), (3, 1, 0));
    // The older ones are not confirmed in its stead.
    assert_eq!(fixture.confirm(1), ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(fixture.sizes(), (3, 1, 0));
}

#[test]
fn of_messages_sent_at_the_same_time_the_last_to_arrive_is_confirmed() {
    let fixture = Fixture::new();
    for n in [2, 3, 1] {
        fixture.record(message(n, 1));
    }
    fixture.confirm(1);
    assert!(fixture.is_queued(1));
    assert_eq!(fixture.sizes(), (3, 1, 0));
}

#[test]
fn a_message_sent_after_a_confirm_is_confirmed_on_its_own() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.confirm(1);
    fixture.record(sent_at(2, 1, START + seconds(5)));
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(1) && fixture.is_queued(2));
}

#[test]
fn the_policy_may_confirm_all_resends() {
    let fixture = Fixture::new();
    for n in 1..=3 {
        fixture.record(sent_at(n, 1, START + seconds(n)));
    }
    let all = by_id(keys(1), Resends::All);
    assert_eq!(fixture.confirm_target(all.clone()), ConfirmOutcome::Queued);
    assert_eq!(fixture.sizes(), (3, 3, 0));
    assert_eq!(fixture.confirm_target(all.clone()), ConfirmOutcome::AlreadyConfirmed);
    fixture.record(sent_at(4, 1, START));
    assert_eq!(fixture.confirm_target(all), ConfirmOutcome::Queued);
    assert_eq!(fixture.sizes(), (4, 4, 0));
}

#[test]
fn a_scheduled_message_does_not_hide_the_one_that_was_sent() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.record(sent_at(2, 1, START + seconds(3600)));
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(1));
    assert_eq!(fixture.status(2), Some(LedgerStatus::Pending));
    // Once it has been sent, it is the newest.
    fixture.advance(seconds(3600));
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(2));
}

#[test]
fn a_scheduled_message_alone_can_be_confirmed() {
    let fixture = Fixture::new();
    fixture.record(sent_at(1, 1, START + seconds(3600)));
    fixture.record(sent_at(2, 1, START + seconds(7200)));
    assert_eq!(fixture.confirm(1), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(2));
}

#[test]
fn a_clock_that_is_ahead_by_seconds_makes_no_scheduled_message() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.record(sent_at(2, 1, START + seconds(20)));
    fixture.confirm(1);
    assert!(fixture.is_queued(2));
}

#[test]
fn a_message_can_be_confirmed_by_itself_recorded_or_not() {
    let fixture = Fixture::new();
    let unrecorded = ConfirmTarget::Message(message(1, 1));
    assert_eq!(fixture.confirm_target(unrecorded.clone()), ConfirmOutcome::Queued);
    assert_eq!(fixture.confirm_target(unrecorded), ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(fixture.record(message(1, 1)), RecordOutcome::AlreadyPresent);

    // Recorded under an id: confirmed there, whichever key the target has.
    fixture.record(message(2, 2));
    assert_eq!(
        fixture.confirm_target(ConfirmTarget::Message(message(2, 9))),
        ConfirmOutcome::Queued
    );
    assert_eq!(fixture.confirm(2), ConfirmOutcome::AlreadyConfirmed);
    assert!(fixture.lookup(keys(9)).is_empty());
    // An older one of several.
    fixture.record(sent_at(3, 3, START));
    fixture.record(sent_at(4, 3, START + seconds(1)));
    fixture.confirm_target(ConfirmTarget::Message(message(3, 3)));
    assert!(fixture.is_queued(3));
    assert_eq!(fixture.status(4), Some(LedgerStatus::Pending));
    assert_eq!(fixture.sizes(), (4, 3, 0));
}

#[test]
fn what_was_recorded_under_the_previous_key_is_found() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    assert_eq!(
        fixture.confirm_target(by_id(rotated(2, 1), Resends::Newest)),
        ConfirmOutcome::Queued
    );
    assert!(fixture.is_queued(1));
    let [found] = &fixture.lookup(rotated(2, 1))[..] else { panic!("one entry") };
    assert_eq!(found.sid, sid(1));
    assert_eq!(now(fixture.store.forget(&[forgetting(rotated(2, 1))])), [1]);
    assert_eq!(fixture.sizes(), (0, 0, 0));
}

#[test]
fn what_was_recorded_under_the_current_key_comes_before_the_previous_one() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.record(sent_at(2, 2, START + seconds(1)));
    let target = by_id(rotated(2, 1), Resends::Newest);
    assert_eq!(fixture.confirm_target(target.clone()), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(2));
    assert_eq!(fixture.confirm_target(target), ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(fixture.status(1), Some(LedgerStatus::Pending));
    let order: Vec<_> = fixture.lookup(rotated(2, 1)).into_iter().map(|entry| entry.sid).collect();
    assert_eq!(order, [sid(2), sid(1)]);
}

#[test]
fn all_resends_are_confirmed_on_both_sides_of_a_rotation() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.record(sent_at(2, 2, START + seconds(1)));
    let all = by_id(rotated(2, 1), Resends::All);
    assert_eq!(fixture.confirm_target(all.clone()), ConfirmOutcome::Queued);
    assert!(fixture.is_queued(1) && fixture.is_queued(2));
    assert_eq!(fixture.confirm_target(all), ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(fixture.sizes(), (2, 2, 0));
}

#[test]
fn the_ledger_says_when_it_was_confirmed() {
    let fixture = Fixture::new();
    fixture.record(message(1, 1));
    fixture.advance(seconds(7));
    fixture.confirm(1);
    fixture.advance(seconds(7));
    assert_eq!(
        fixture.status(1),
        Some(LedgerStatus::queued(START + seconds(7), Attempts::default()))
    );
    assert_eq!(fixture.counts().oldest_outbox_age, Some(seconds(7)));
}
