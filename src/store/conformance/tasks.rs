//! Many tasks at once, through two store objects where there can be two.

use std::{future::Future, sync::Arc};

use tokio::sync::Barrier;

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED},
    messages::{by_id, keys, sid},
    verdict::CaseResult,
};
use crate::store::{
    ConfirmOutcome, ConfirmTarget, ForgetTarget, RecordOutcome, ResendOutcome, Resends,
    SettleOutcome, SettledAs,
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
pub(super) async fn between<T, F>(
    f: &Fixture,
    other: &Fixture,
    work: impl Fn(Fixture, usize) -> F,
) -> Vec<T>
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
pub(super) fn count<T: PartialEq + std::fmt::Debug>(
    answers: &[T],
    wanted: &T,
    otherwise: &T,
) -> usize {
    assert!(answers.iter().all(|a| a == wanted || a == otherwise), "{answers:?}");
    answers.iter().filter(|answer| *answer == wanted).count()
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
