//! Many tasks at once, each with many items.

use std::{collections::BTreeSet, time::Duration};

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, sids},
    messages::{by_id, keys},
    tasks::{TASKS, between, count, together},
    verdict::{CaseResult, require},
};
use crate::store::{
    ConfirmOutcome, ConfirmTarget, ForgetTarget, RecordOutcome, ResendOutcome, Resends,
    SettleOutcome, SettledAs, TrackedMessage,
};

/// The same items, in an order of the task's own: what locks them one by one
/// must not wait for another that does.
fn shuffled<T: Clone>(items: &[T], task: usize) -> Vec<T> {
    let mut items = items.to_vec();
    fastrand::Rng::with_seed(task as u64).shuffle(&mut items);
    items
}

pub(super) async fn of_many_that_lease_no_two_get_the_same_entry(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let targets: Vec<_> =
        (0..200).map(|n| ConfirmTarget::Message(f.message_of(n % 5, n, n as u8))).collect();
    assert_eq!(f.confirm_all(&targets).await, vec![ConfirmOutcome::Queued; 200]);
    let lease = |f: Fixture, _| async move {
        let mut leased = Vec::new();
        loop {
            let answer = f.lease(3).await;
            leased.extend(sids(&answer));
            assert!(leased.len() <= 200, "of 200 entries one was leased twice");
            // What another is leasing may be passed over.
            if answer.entries.is_empty() && !answer.more_due {
                return leased;
            }
        }
    };
    let mut leased = together(&f, lease).await.concat();
    leased.extend(sids(&f.lease(1000).await));
    assert_eq!(leased.iter().collect::<BTreeSet<_>>().len(), leased.len(), "leased twice");
    assert_eq!(leased.len(), 200);
    Ok(())
}

pub(super) async fn what_many_expire_at_once_goes_once(subject: &Tested) -> CaseResult {
    require(subject.capabilities().exact_expiry, "it drops what is over at its own time")?;
    let f = Fixture::new(subject).await;
    let batch: Vec<TrackedMessage> = (0..100)
        .map(|n| f.expiring(n, n as u8, f.start + Duration::from_secs(n % 2 * 7200)))
        .collect();
    f.record_all(&batch).await;
    f.advance(RETENTION);
    let expire = |f: Fixture, _| async move {
        let mut dropped = 0;
        loop {
            match f.expire(3).await {
                0 => return dropped,
                some => dropped += some,
            }
            assert!(dropped <= 100, "of 100 messages one was dropped twice");
        }
    };
    let mut dropped: usize = together(&f, expire).await.into_iter().sum();
    // What another is dropping may be passed over.
    dropped += f.expire(1000).await;
    assert_eq!(dropped, 50);
    assert_eq!(f.known().await, (0..50).map(|n| 2 * n + 1).collect::<Vec<_>>());
    f.sizes(50, 0, 0).await;
    Ok(())
}

pub(super) async fn batches_that_overlap_in_any_order_hold_nobody_up(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for round in 0..3_u64 {
        let numbers: Vec<u64> = (round * 30..round * 30 + 30).collect();
        let work = |f: Fixture, task: usize| {
            let numbers = shuffled(&numbers, task);
            async move {
                let batch: Vec<_> = numbers.iter().map(|n| f.message(*n, *n as u8)).collect();
                let recorded = f.record_all(&batch).await;
                let targets: Vec<_> =
                    numbers.iter().map(|n| by_id(keys(*n as u8), Resends::Newest)).collect();
                let confirmed = f.confirm_all(&targets).await;
                (
                    count(&recorded, &RecordOutcome::Inserted, &RecordOutcome::AlreadyPresent),
                    count(&confirmed, &ConfirmOutcome::Queued, &ConfirmOutcome::AlreadyConfirmed),
                )
            }
        };
        let counts = between(&f, &other, work).await;
        assert_eq!(counts.iter().map(|(recorded, _)| recorded).sum::<usize>(), 30);
        assert_eq!(counts.iter().map(|(_, confirmed)| confirmed).sum::<usize>(), 30);
        let entries = f.lease(1000).await.entries;
        assert_eq!(entries.len(), 30);
        let work = |f: Fixture, task: usize| {
            let entries = shuffled(&entries, task);
            async move {
                let settlements: Vec<_> = entries
                    .iter()
                    .map(|e| {
                        let dead = SettledAs::Dead(REJECTED);
                        crate::store::Settlement::new(e, e.attempts, dead)
                    })
                    .collect();
                let settled = f.settle_all(&settlements).await;
                let sids: Vec<_> = entries.iter().map(|entry| entry.sid).collect();
                let resent = f.resend_all(&sids).await;
                let targets: Vec<_> = sids.iter().map(|sid| ForgetTarget::Message(*sid)).collect();
                let forgotten: usize = f.forget_all(&targets).await.into_iter().sum();
                (
                    count(&settled, &SettleOutcome::Settled, &SettleOutcome::LeaseLost),
                    count(&resent, &ResendOutcome::Queued, &ResendOutcome::NotDead),
                    forgotten,
                )
            }
        };
        let counts = between(&f, &other, work).await;
        assert_eq!(counts.iter().map(|(settled, ..)| settled).sum::<usize>(), 30);
        assert!(counts.iter().map(|(_, resent, _)| resent).sum::<usize>() <= 30);
        assert_eq!(counts.iter().map(|(.., forgotten)| forgotten).sum::<usize>(), 30);
        f.sizes(0, 0, 0).await;
    }
    Ok(())
}

pub(super) async fn confirms_that_overlap_pass_the_outboxs_bound_by_their_number_at_most(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().max_outbox, "it does not bound its outbox")?;
    const BOUND: usize = 10;
    let f = Fixture::with(subject, |settings| settings.max_outbox = Some(BOUND)).await;
    let work = |f: Fixture, task: usize| async move {
        let mut queued = 0;
        for n in 0..10 {
            let n = task as u64 * 10 + n;
            let target = ConfirmTarget::Message(f.message(n, n as u8));
            match f.confirm_target(target).await {
                ConfirmOutcome::Queued => queued += 1,
                ConfirmOutcome::Full => {}
                outcome => panic!("{outcome:?} for a message that nobody confirmed"),
            }
        }
        queued
    };
    let queued: usize = together(&f, work).await.into_iter().sum();
    assert!((BOUND..BOUND + TASKS).contains(&queued), "{queued} at a bound of {BOUND}");
    assert_eq!(f.counts().await.outbox, queued as u64);
    assert_eq!(f.confirm_target(ConfirmTarget::Message(f.message(99, 99))).await, {
        ConfirmOutcome::Full
    });
    assert_eq!(f.lease(100).await.entries.len(), queued);
    Ok(())
}
