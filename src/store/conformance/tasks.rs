//! Many tasks at once, through two store objects where there can be two.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use tokio::sync::Barrier;

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, sids},
    messages::{by_id, keys, sid},
    verdict::{CaseResult, require},
};
use crate::store::{
    ConfirmOutcome, ConfirmTarget, ForgetTarget, RecordOutcome, ResendOutcome, Resends,
    SettleOutcome, SettledAs, TrackedMessage,
};

pub(super) const TASKS: usize = 8;
const ROUNDS: u8 = 25;

/// Runs `work` in [`TASKS`] tasks that begin together; answers what they
/// answer. Every other task has a store object of its own, where there can be
/// one.
///
/// # Panics
///
/// If a task does.
pub(super) async fn together<T, F>(f: &Fixture, work: impl Fn(Fixture, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    between(f, &other, work).await
}

/// The same with a second store object that is open already.
async fn between<T, F>(f: &Fixture, other: &Fixture, work: impl Fn(Fixture, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(TASKS));
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let work = work(if task % 2 == 0 { f.clone() } else { other.clone() }, task);
        let barrier = barrier.clone();
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            work.await
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("a task of the suite: {error}"),
            },
        }
    }
    answers
}

/// How many of `answers` are `wanted`.
///
/// # Panics
///
/// If one is neither `wanted` nor `otherwise`.
fn count<T: PartialEq + std::fmt::Debug>(answers: &[T], wanted: &T, otherwise: &T) -> usize {
    assert!(answers.iter().all(|a| a == wanted || a == otherwise), "{answers:?}");
    answers.iter().filter(|answer| *answer == wanted).count()
}

/// The same items, in an order of the task's own: what locks them one by one
/// must not wait for another that does.
fn shuffled<T: Clone>(items: &[T], task: usize) -> Vec<T> {
    let mut items = items.to_vec();
    fastrand::Rng::with_seed(task as u64).shuffle(&mut items);
    items
}

pub(super) async fn of_many_that_confirm_one_id_exactly_one_queues_it(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for id in 0..ROUNDS {
        f.insert(f.message(id.into(), id)).await;
        let confirm = |f: Fixture, task| async move {
            let resends = if task % 3 == 0 { Resends::All } else { Resends::Newest };
            f.confirm_target(by_id(keys(id), resends)).await
        };
        let outcomes = between(&f, &other, confirm).await;
        let queued = count(&outcomes, &ConfirmOutcome::Queued, &ConfirmOutcome::AlreadyConfirmed);
        assert_eq!(queued, 1, "{outcomes:?}");
        f.sizes(u64::from(id) + 1, u64::from(id) + 1, 0).await;
    }
    assert_eq!(f.lease(100).await.entries.len(), usize::from(ROUNDS));
    Ok(())
}

pub(super) async fn of_many_that_confirm_one_unrecorded_message_exactly_one_queues_it(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for id in 0..ROUNDS {
        let confirm = |f: Fixture, task: usize| async move {
            // Some record it, and some know it under another id.
            if task == 7 {
                f.record(f.message(id.into(), id)).await;
            }
            let under = if task < 4 { id } else { id + 100 };
            f.confirm_target(ConfirmTarget::Message(f.message(id.into(), under))).await
        };
        let outcomes = between(&f, &other, confirm).await;
        let queued = count(&outcomes, &ConfirmOutcome::Queued, &ConfirmOutcome::AlreadyConfirmed);
        assert_eq!(queued, 1, "{outcomes:?}");
        let found = f.lookup(keys(id)).await.len() + f.lookup(keys(id + 100)).await.len();
        assert_eq!(found, 1, "it stands under one id");
    }
    assert_eq!(f.lease(100).await.entries.len(), usize::from(ROUNDS));
    Ok(())
}

pub(super) async fn a_message_that_many_record_under_several_ids_stays_under_one(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for n in 0..u64::from(ROUNDS) {
        let record =
            |f: Fixture, task: usize| async move { f.record(f.message(n, task as u8 % 4)).await };
        let outcomes = between(&f, &other, record).await;
        let inserted = outcomes.iter().filter(|o| **o == RecordOutcome::Inserted).count();
        assert_eq!(inserted, 1, "{outcomes:?}");
        assert_eq!(
            outcomes.iter().filter(|o| **o == RecordOutcome::AlreadyPresent).count(),
            1,
            "{outcomes:?}"
        );
        f.sizes(1, 0, 0).await;
        let mut removed = 0;
        for id in 0..4 {
            removed += f.forget(id).await;
        }
        assert_eq!(removed, 1);
        f.sizes(0, 0, 0).await;
    }
    Ok(())
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

pub(super) async fn of_many_that_settle_one_lease_exactly_one_does(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for n in 0..ROUNDS {
        f.queue(0, n).await;
        let entry = f.lease_one().await;
        let settle = |f: Fixture, task: usize| {
            let entry = entry.clone();
            async move {
                let settled_as = match task % 2 {
                    0 => SettledAs::Delivered,
                    _ => SettledAs::Dead(REJECTED),
                };
                f.settle(&entry, settled_as).await
            }
        };
        let outcomes = between(&f, &other, settle).await;
        let settled = count(&outcomes, &SettleOutcome::Settled, &SettleOutcome::LeaseLost);
        assert_eq!(settled, 1, "{outcomes:?}");
    }
    let dead = f.dead_letters(None, 100).await.len() as u64;
    f.sizes(ROUNDS.into(), 0, dead).await;
    Ok(())
}

pub(super) async fn of_many_that_resend_one_dead_letter_exactly_one_queues_it(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for n in 0..ROUNDS {
        f.bury(n).await;
        let resend = |f: Fixture, _| async move { f.resend(n.into()).await };
        let outcomes = between(&f, &other, resend).await;
        let queued = count(&outcomes, &ResendOutcome::Queued, &ResendOutcome::NotDead);
        assert_eq!(queued, 1, "{outcomes:?}");
        f.settle_next(SettledAs::Delivered).await;
    }
    f.sizes(ROUNDS.into(), 0, 0).await;
    Ok(())
}

pub(super) async fn of_many_that_forget_one_message_exactly_one_removes_it(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let other = f.again().await.unwrap_or_else(|_| f.clone());
    for n in 0..ROUNDS {
        f.queue(0, n).await;
        let forget = |f: Fixture, task: usize| async move {
            match task % 2 {
                0 => f.forget(n).await,
                _ => f.forget_all(&[ForgetTarget::Message(sid(n.into()))]).await[0],
            }
        };
        let removed: usize = between(&f, &other, forget).await.into_iter().sum();
        assert_eq!(removed, 1);
        f.sizes(0, 0, 0).await;
    }
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
