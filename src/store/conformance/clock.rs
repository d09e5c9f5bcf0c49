//! Time that runs backwards a little, as it does when a clock was ahead; and
//! times that are far away.

use std::time::Duration;

use super::{
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, RETENTION, seconds, sids},
    messages::{keys, sid},
    verdict::CaseResult,
};
use crate::{
    Timestamp,
    store::{ConfirmOutcome, LedgerStatus, SettleOutcome, SettledAs},
};

pub(super) async fn what_was_confirmed_before_a_step_back_is_leased_once_and_not_lost(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.time.step_back(seconds(5));
    f.queue(0, 2).await;
    let mut leased = sids(&f.lease(10).await);
    assert!(leased.contains(&sid(2)), "it is due");
    f.advance(seconds(5));
    leased.extend(sids(&f.lease(10).await));
    leased.sort();
    assert_eq!(leased, [1, 2].map(sid));
    f.sizes(2, 2, 0).await;
    Ok(())
}

pub(super) async fn a_lease_holds_across_a_step_back_and_ends_in_its_time(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let first = f.lease_one().await;
    f.time.step_back(seconds(10));
    assert!(f.lease(10).await.entries.is_empty());
    f.advance(LEASE);
    assert!(f.lease(10).await.entries.is_empty(), "leased twice");
    f.advance(seconds(10));
    let second = f.lease_one().await;
    // Back to when the first lease held.
    f.time.step_back(seconds(10));
    assert!(f.lease(10).await.entries.is_empty(), "leased twice");
    assert_eq!(f.settle(&first, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    assert_eq!(f.settle(&second, SettledAs::Delivered).await, SettleOutcome::Settled);
    f.sizes(1, 0, 0).await;
    Ok(())
}

pub(super) async fn a_retry_waits_across_a_step_back(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let entry = f.lease_one().await;
    f.settle(&entry, SettledAs::Retry(seconds(20))).await;
    f.time.step_back(seconds(8));
    f.advance(Duration::from_millis(27_999));
    assert!(f.lease(10).await.entries.is_empty(), "early");
    f.advance(Duration::from_millis(1));
    assert_eq!(f.lease_one().await.sid, sid(1));
    Ok(())
}

pub(super) async fn nothing_is_dropped_early_by_a_step_back(subject: &Tested) -> CaseResult {
    let f = Fixture::with(subject, |settings| {
        settings.ledger_retention = RETENTION;
        settings.dead_letter_retention = RETENTION;
    })
    .await;
    f.queue(0, 2).await;
    f.settle_message(2, SettledAs::Delivered).await;
    f.bury(3).await;
    f.time.step_back(seconds(9));
    f.insert(f.message(1, 1)).await;
    f.advance(RETENTION + seconds(8));
    assert_eq!(f.expire(10).await, 0);
    f.time.step_back(seconds(9));
    assert_eq!(f.expire(10).await, 0);
    assert_eq!(f.known().await, [1, 2, 3], "dropped early");
    assert_eq!(f.found(keys(1)).await, [sid(1)]);
    f.advance(seconds(11));
    let dropped = f.expire(10).await;
    if f.capabilities().exact_expiry {
        assert_eq!(dropped, 3);
    }
    Ok(())
}

pub(super) async fn a_message_that_died_before_it_was_confirmed_is_still_a_dead_letter(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.queue(0, n).await;
    }
    let entries = f.lease(3).await.entries;
    f.time.step_back(seconds(10));
    let ends = [SettledAs::Delivered, SettledAs::Dead(REJECTED), SettledAs::Retry(Duration::ZERO)];
    for (entry, settled_as) in entries.iter().zip(ends) {
        assert_eq!(f.settle(entry, settled_as).await, SettleOutcome::Settled);
    }
    f.sizes(3, 1, 1).await;
    assert_eq!(f.dead_letters(None, 10).await, [entries[1].sid]);
    let again = f.lease_one().await;
    assert_eq!((again.sid, again.age), (entries[2].sid, Duration::ZERO));
    // Neither older nor younger than nothing.
    assert_eq!(f.counts().await.oldest_outbox_age, Some(Duration::ZERO));
    Ok(())
}

pub(super) async fn a_message_from_a_clock_that_is_ahead_is_confirmed_after_a_step_back(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.sent_at(1, 1, f.start - seconds(30))).await;
    f.insert(f.message(2, 1)).await;
    f.time.step_back(seconds(30));
    assert_eq!(f.confirm(1).await, ConfirmOutcome::Queued);
    assert!(f.is_queued(2).await, "thirty seconds are no schedule");
    assert_eq!(f.status(1).await, Some(LedgerStatus::Pending));
    Ok(())
}

pub(super) async fn far_times_are_kept_as_they_are(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    // A hundred thousand years to either side.
    const FAR: i64 = 100_000 * 366 * 24 * 3600 * 1000;
    let far = [-FAR, -1, 0, 1, FAR].map(Timestamp::from_millis);
    for (n, at) in (1..).zip(far) {
        let mut message = f.message(n, n as u8);
        message.sent_at = at;
        message.expires_at = Timestamp::from_millis(FAR);
        f.insert(message).await;
        // An id of its own with a message of now.
        f.insert(f.sent_at(n + 10, n as u8, f.start)).await;
    }
    f.advance(RETENTION - seconds(1));
    assert_eq!(f.expire(100).await, 0);
    for (n, at) in (1..).zip(far) {
        let entries = f.by_sid(&[sid(n)]).await;
        assert_eq!(entries[0].as_ref().map(|entry| entry.sent_at), Some(at));
        // One is older than now, or scheduled: now is what is confirmed.
        let order = if at > f.start { [n, n + 10] } else { [n + 10, n] };
        assert_eq!(f.found(keys(n as u8)).await, order.map(sid));
        assert_eq!(f.confirm(n as u8).await, ConfirmOutcome::Queued);
        assert!(f.is_queued(n + 10).await);
    }
    f.advance(seconds(2));
    f.expire(100).await;
    let known = f.known().await;
    assert!([1, 2, 3, 4, 5].iter().all(|n| known.contains(n)), "dropped early: {known:?}");
    Ok(())
}

pub(super) async fn far_ends_of_leases_and_retries_are_far(subject: &Tested) -> CaseResult {
    let f = Fixture::with(subject, |settings| {
        settings.ledger_retention = YEARS;
        settings.dead_letter_retention = YEARS;
    })
    .await;
    const YEARS: Duration = seconds(1000 * 366 * 24 * 3600);
    for n in 1..=4 {
        f.queue(0, n).await;
    }
    let request = crate::store::LeaseRequest::new(1, YEARS);
    let held = f.lease_fully(&request).await.entries.remove(0);
    let entries = f.lease(3).await.entries;
    let ends = [SettledAs::Delivered, SettledAs::Dead(REJECTED), SettledAs::Retry(YEARS)];
    for (entry, settled_as) in entries.iter().zip(ends) {
        assert_eq!(f.settle(entry, settled_as).await, SettleOutcome::Settled);
    }
    f.advance(YEARS - seconds(1));
    assert_eq!(f.expire(100).await, 0);
    assert_eq!(f.known().await, [1, 2, 3, 4], "dropped early");
    assert!(f.lease(10).await.entries.is_empty(), "due early");
    f.advance(seconds(1));
    let mut due = sids(&f.lease(10).await);
    due.sort();
    let mut expected = [held.sid, entries[2].sid];
    expected.sort();
    assert_eq!(due, expected);
    Ok(())
}

pub(super) async fn what_was_over_when_it_came_may_go_at_once(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    assert_eq!(
        f.record(f.expiring(1, 1, Timestamp::from_millis(-1))).await,
        crate::store::RecordOutcome::Inserted
    );
    let over = f.expiring(2, 2, f.start - seconds(1));
    // Confirmed all the same, it is in the outbox, and nothing in there is over.
    let target = crate::store::ConfirmTarget::Message(over);
    assert_eq!(f.confirm_target(target).await, ConfirmOutcome::Queued);
    f.expire(10).await;
    assert!(f.is_queued(2).await);
    if f.capabilities().exact_expiry {
        assert_eq!(f.known().await, [2]);
    }
    assert_eq!(f.lease_one().await.sid, sid(2));
    Ok(())
}
