//! What becomes of leased entries.

use std::time::Duration;

use super::{
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, seconds, sids},
    messages::sid,
    verdict::CaseResult,
};
use crate::store::{
    Attempts, EntryId, Failure, FailureKind, LeaseToken, LedgerStatus,
    SettleOutcome::{LeaseLost, Settled},
    SettledAs, Settlement,
};

pub(super) async fn a_delivered_entry_leaves_the_outbox_for_the_ledger(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.advance(seconds(3));
    let entry = f.lease_one().await;
    assert_eq!(f.settle(&entry, SettledAs::Delivered).await, Settled);
    let delivered = LedgerStatus::delivered(f.start, f.start + seconds(3), Attempts::new(1, 0));
    assert_eq!(f.status(1).await, Some(delivered));
    f.sizes(1, 0, 0).await;
    assert_eq!(f.counts().await.oldest_outbox_age, None);
    // Repeated, it changes nothing.
    f.advance(seconds(1));
    for settled_as in [SettledAs::Delivered, SettledAs::Dead(REJECTED)] {
        assert_eq!(f.settle(&entry, settled_as).await, LeaseLost);
    }
    assert_eq!(f.status(1).await, Some(delivered));
    f.advance(LEASE);
    assert!(f.lease(10).await.entries.is_empty());
    f.sizes(1, 0, 0).await;
    Ok(())
}

pub(super) async fn a_dead_entry_leaves_the_outbox_for_the_dead_letters(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.advance(seconds(3));
    let entry = f.lease_one().await;
    assert_eq!(f.settle(&entry, SettledAs::Dead(REJECTED)).await, Settled);
    let dead = LedgerStatus::dead(f.start, f.start + seconds(3), Attempts::new(1, 0), REJECTED);
    assert_eq!(f.status(1).await, Some(dead));
    f.sizes(1, 0, 1).await;
    assert_eq!(f.dead_letters(None, 10).await, [sid(1)]);
    assert_eq!(f.counts().await.oldest_outbox_age, None);
    assert_eq!(f.settle(&entry, SettledAs::Delivered).await, LeaseLost);
    assert_eq!(f.status(1).await, Some(dead));
    f.advance(seconds(10_000));
    assert!(f.lease(10).await.entries.is_empty());
    Ok(())
}

pub(super) async fn failures_are_kept_as_they_were(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let failures = [
        Failure::new(FailureKind::Rejected, Some(405), None),
        Failure::new(FailureKind::NotFound, Some(404), Some(20404)),
        Failure::new(FailureKind::GaveUp, None, None),
        Failure::new(FailureKind::GaveUp, Some(599), Some(u32::MAX)),
        Failure::new(FailureKind::OriginNotAllowed, None, Some(0)),
    ];
    for (n, failure) in (1..).zip(failures) {
        f.queue(0, n).await;
        let entry = f.lease_one().await;
        let attempts = Attempts::new(1_000_000 + u32::from(n), u32::from(n));
        let dead = Settlement::new(&entry, attempts, SettledAs::Dead(failure));
        assert_eq!(f.settle_all(&[dead]).await, [Settled]);
        let expected = Some(LedgerStatus::dead(f.start, f.start, attempts, failure));
        assert_eq!(f.status(n.into()).await, expected);
    }
    Ok(())
}

pub(super) async fn a_retry_is_due_when_it_says_and_keeps_its_attempts(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let entry = f.lease_one().await;
    let attempts = Attempts::new(4, 2);
    let retry = Settlement::new(&entry, attempts, SettledAs::Retry(seconds(90)));
    assert_eq!(f.settle_all(std::slice::from_ref(&retry)).await, [Settled]);
    assert_eq!(f.status(1).await, Some(LedgerStatus::queued(f.start, attempts)));
    // The lease is given back: the same settlement finds nothing.
    assert_eq!(f.settle_all(&[retry]).await, [LeaseLost]);

    f.advance(Duration::from_millis(89_999));
    let early = f.lease(10).await;
    assert!(early.entries.is_empty() && !early.more_due);
    f.advance(Duration::from_millis(1));
    let entry = f.lease_one().await;
    assert_eq!((entry.sid, entry.attempts), (sid(1), attempts));
    assert_eq!((entry.confirmed_at, entry.age), (f.start, seconds(90)));
    f.sizes(1, 1, 0).await;
    Ok(())
}

pub(super) async fn a_lease_that_is_given_back_is_due_at_once(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let first = f.lease_one().await;
    let back = Settlement::new(&first, first.attempts, SettledAs::Retry(Duration::ZERO));
    assert_eq!(f.settle_all(&[back]).await, [Settled]);
    let second = f.lease_one().await;
    assert_eq!((second.sid, second.attempts), (first.sid, first.attempts));
    assert_ne!(second.token, first.token);
    assert_eq!(f.settle(&first, SettledAs::Delivered).await, LeaseLost);
    assert_eq!(f.settle(&second, SettledAs::Delivered).await, Settled);
    Ok(())
}

pub(super) async fn a_retry_that_is_due_later_does_not_hold_up_the_others_of_its_account(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.queue(0, 2).await;
    let first = f.lease_one().await;
    f.settle(&first, SettledAs::Retry(seconds(600))).await;
    let answer = f.lease(10).await;
    assert_eq!(answer.entries.len(), 1);
    assert_ne!(answer.entries[0].sid, first.sid);
    f.advance(seconds(600));
    let mut both = sids(&f.lease(10).await);
    both.sort();
    assert_eq!(both, [1, 2].map(sid));
    Ok(())
}

pub(super) async fn a_lease_that_ran_out_unnoticed_may_still_settle(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let entry = f.lease_one().await;
    f.advance(LEASE + seconds(1));
    assert_eq!(f.settle(&entry, SettledAs::Delivered).await, Settled);
    assert!(f.lease(10).await.entries.is_empty());
    Ok(())
}

pub(super) async fn a_batch_is_settled_item_by_item(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=4 {
        f.queue(0, n).await;
    }
    let mut entries = f.lease(4).await.entries;
    entries.sort_by_key(|entry| entry.sid);
    let attempts = Attempts::new(1, 0);
    let mut wrong = Settlement::new(&entries[1], attempts, SettledAs::Delivered);
    wrong.token = LeaseToken::new(entries[1].token.get() ^ 1);
    let mut gone = wrong.clone();
    gone.id = EntryId::new(entries[1].id.get() ^ (1 << 40));
    let dead = Settlement::new(&entries[2], attempts, SettledAs::Dead(REJECTED));
    let outcomes = f
        .settle_all(&[
            Settlement::new(&entries[0], attempts, SettledAs::Delivered),
            wrong,
            gone,
            dead.clone(),
            // As if one after the other.
            dead,
            Settlement::new(&entries[2], attempts, SettledAs::Delivered),
            Settlement::new(&entries[3], Attempts::new(7, 1), SettledAs::Retry(LEASE)),
        ])
        .await;
    assert_eq!(outcomes, [Settled, LeaseLost, LeaseLost, Settled, LeaseLost, LeaseLost, Settled]);
    f.sizes(4, 2, 1).await;
    let statuses = f.by_sid(&[1, 2, 3, 4].map(sid)).await;
    let statuses: Vec<_> = statuses.into_iter().flatten().map(|entry| entry.status).collect();
    assert_eq!(
        statuses,
        [
            LedgerStatus::delivered(f.start, f.start, attempts),
            LedgerStatus::queued(f.start, Attempts::default()),
            LedgerStatus::dead(f.start, f.start, attempts, REJECTED),
            LedgerStatus::queued(f.start, Attempts::new(7, 1)),
        ]
    );
    assert_eq!(f.settle(&entries[1], SettledAs::Delivered).await, Settled);
    Ok(())
}
