//! A confirm that is held open in its transaction, and what overlaps it.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::{
    erased::Tested,
    fixture::{Fixture, sids},
    messages::{by_id, keys, sid},
    verdict::CaseResult,
};
use crate::store::{
    ConfirmOutcome::{self, AlreadyConfirmed, Queued, Unknown},
    ConfirmTarget, FeedbackStore, LedgerStatus, Resends,
};

/// Time for a confirm to answer that should wait: what is lost if it does wait.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a confirm may go on after the transaction that it waited for.
const LONGEST: Duration = Duration::from_secs(30);

/// Confirms `target` at the same time; an error says that nothing is known, so
/// it asks again.
fn overlap(f: &Fixture, target: ConfirmTarget) -> JoinHandle<ConfirmOutcome> {
    let store = f.store.clone();
    tokio::spawn(async move {
        loop {
            match store.confirm(std::slice::from_ref(&target)).await {
                Ok(outcomes) => return super::fixture::one("confirm", outcomes),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
}

/// Asserts that the overlapping confirm has not answered.
async fn waits(other: &mut JoinHandle<ConfirmOutcome>) {
    if let Ok(outcome) = tokio::time::timeout(PATIENCE, other).await {
        panic!("a confirm answered {outcome:?} while another of its message was open");
    }
}

async fn outcome(other: JoinHandle<ConfirmOutcome>) -> ConfirmOutcome {
    match tokio::time::timeout(LONGEST, other).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => panic!("the overlapping confirm: {error}"),
        Err(_) => panic!("the overlapping confirm did not answer within {LONGEST:?}"),
    }
}

/// The store object that overlaps: another process's, where there can be one.
async fn other(f: &Fixture) -> Fixture {
    f.again().await.unwrap_or_else(|_| f.clone())
}

pub(super) async fn it_queues_with_its_commit(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    let held = f.hold(&by_id(keys(1), Resends::Newest)).await?;
    assert_eq!(held.outcome(), Queued);
    held.commit().await;
    assert!(f.is_queued(1).await);
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    assert_eq!(sids(&f.lease(10).await), [sid(1)]);
    f.sizes(1, 1, 0).await;
    // What is queued is answered inside a transaction as it is outside.
    let held = f.hold(&by_id(keys(1), Resends::Newest)).await?;
    assert_eq!(held.outcome(), AlreadyConfirmed);
    held.commit().await;
    let held = f.hold(&by_id(keys(2), Resends::Newest)).await?;
    assert_eq!(held.outcome(), Unknown);
    held.rollback().await;
    f.sizes(1, 1, 0).await;
    Ok(())
}

pub(super) async fn it_leaves_nothing_when_it_is_rolled_back(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    let held = f.hold(&by_id(keys(1), Resends::Newest)).await?;
    held.rollback().await;
    assert_eq!(f.status(1).await, Some(LedgerStatus::Pending));
    let held = f.hold(&ConfirmTarget::Message(f.message(2, 2))).await?;
    assert_eq!(held.outcome(), Queued);
    held.rollback().await;
    assert!(!f.is_known(2).await);
    assert!(f.lease(10).await.entries.is_empty());
    f.sizes(1, 0, 0).await;
    assert_eq!(f.confirm(1).await, Queued);
    Ok(())
}

pub(super) async fn committed_the_other_says_already_confirmed(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let g = other(&f).await;
    for (n, resends) in [(1, Resends::Newest), (2, Resends::All)] {
        f.insert(f.message(n, n as u8)).await;
        let target = by_id(keys(n as u8), resends);
        let held = f.hold(&target).await?;
        assert_eq!(held.outcome(), Queued);
        let mut other = overlap(&g, target);
        waits(&mut other).await;
        held.commit().await;
        assert_eq!(outcome(other).await, AlreadyConfirmed);
        f.sizes(n, n, 0).await;
    }
    assert_eq!(f.lease(10).await.entries.len(), 2);
    Ok(())
}

pub(super) async fn rolled_back_the_other_queues(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let g = other(&f).await;
    for (n, resends) in [(1, Resends::Newest), (2, Resends::All)] {
        f.insert(f.message(n, n as u8)).await;
        let target = by_id(keys(n as u8), resends);
        let held = f.hold(&target).await?;
        assert_eq!(held.outcome(), Queued);
        let mut other = overlap(&g, target);
        waits(&mut other).await;
        held.rollback().await;
        assert_eq!(outcome(other).await, Queued);
        f.sizes(n, n, 0).await;
    }
    assert_eq!(f.lease(10).await.entries.len(), 2);
    Ok(())
}

pub(super) async fn of_a_message_by_itself_too(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let g = other(&f).await;
    for (n, commit, expected) in [(1, true, AlreadyConfirmed), (2, false, Queued)] {
        let target = ConfirmTarget::Message(f.message(n, n as u8));
        let held = f.hold(&target).await?;
        assert_eq!(held.outcome(), Queued);
        let mut other = overlap(&g, target);
        waits(&mut other).await;
        let end = if commit { held.commit() } else { held.rollback() };
        end.await;
        assert_eq!(outcome(other).await, expected);
        f.sizes(n, n, 0).await;
    }
    Ok(())
}
