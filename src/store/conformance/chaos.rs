//! Whatever many tasks do at once, the store ends consistent.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    effort::effort,
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, RETENTION, seconds, sids},
    messages::{by_id, keys, rotated, sid},
    tasks::{TASKS, together},
    verdict::{CaseResult, require},
};
use crate::store::{
    Attempts, ConfirmTarget, ForgetTarget, LeaseRequest, LedgerStatus, Resends, SettleOutcome,
    SettledAs, Settlement,
};

const MESSAGES: u64 = 64;
const IDS: u8 = 16;

async fn anything(f: &Fixture, dice: &mut fastrand::Rng, settled: &AtomicU64) {
    let n = dice.u64(0..MESSAGES);
    let id = dice.u8(0..IDS);
    match dice.u8(0..13) {
        0..=3 => {
            let batch: Vec<_> =
                (n..n + dice.u64(1..4)).map(|n| f.message(n % MESSAGES, id)).collect();
            f.record_all(&batch).await;
        }
        4 | 5 => {
            f.confirm(id).await;
        }
        6 => {
            let targets = [
                by_id(rotated(id, (id + 1) % IDS), Resends::All),
                ConfirmTarget::Message(f.message(n, id)),
                by_id(keys((id + 7) % IDS), Resends::Newest),
            ];
            f.confirm_all(&targets).await;
        }
        7 | 8 => {
            for entry in f.lease_as(&LeaseRequest::new(4, LEASE)).await.entries {
                let settled_as = match dice.u8(0..4) {
                    0 => SettledAs::Retry(Duration::ZERO),
                    1 => SettledAs::Dead(REJECTED),
                    2 => SettledAs::Delivered,
                    _ => continue,
                };
                let settlement = Settlement::new(&entry, Attempts::new(1, 0), settled_as);
                let outcomes = f.settle_all(&[settlement.clone(), settlement]).await;
                assert_ne!(outcomes, [SettleOutcome::Settled; 2], "settled twice");
                settled.fetch_add(1, Relaxed);
            }
        }
        9 => {
            f.advance(seconds(dice.u64(0..120)));
            f.time.step_back(seconds(dice.u64(0..5)));
            f.expire(8).await;
        }
        10 => {
            let targets = [ForgetTarget::Message(sid(n)), ForgetTarget::Id(keys(id))];
            f.forget_all(&targets[..dice.usize(1..=2)]).await;
        }
        11 => {
            f.resend_all(&[sid(n), sid((n + 1) % MESSAGES)]).await;
        }
        _ => {
            let entries = f.lookup(keys(id)).await;
            let unique: BTreeSet<_> = entries.iter().map(|entry| entry.sid).collect();
            assert_eq!(unique.len(), entries.len(), "a lookup shows a message twice");
            let dead = f.dead_letters(None, 5).await;
            assert!(dead.is_sorted(), "dead letters out of order");
        }
    }
}

/// What the counts say is what is there, one message at a time.
async fn assert_consistent(f: &Fixture) {
    let all: Vec<_> = (0..MESSAGES).map(sid).collect();
    let (mut messages, mut queued, mut dead) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in f.by_sid(&all).await.into_iter().flatten() {
        match entry.status {
            LedgerStatus::Queued { .. } => drop(queued.insert(entry.sid)),
            LedgerStatus::Dead { .. } => drop(dead.insert(entry.sid)),
            LedgerStatus::Pending | LedgerStatus::Delivered { .. } => {}
        }
        messages.insert(entry.sid);
    }
    f.sizes(messages.len() as u64, queued.len() as u64, dead.len() as u64).await;
    assert_eq!(f.dead_letters(None, 1000).await, dead.into_iter().collect::<Vec<_>>());
    let mut under_ids = Vec::new();
    for id in 0..IDS {
        under_ids.extend(f.found(keys(id)).await);
    }
    under_ids.sort();
    assert_eq!(under_ids, messages.into_iter().collect::<Vec<_>>(), "what the ids lead to");
    // Past every lease, and past what the clock went back.
    f.advance(LEASE + seconds(3600));
    let leased = sids(&f.lease(1000).await);
    assert_eq!(leased.iter().copied().collect::<BTreeSet<_>>(), queued);
    assert_eq!(leased.len(), queued.len(), "leased twice");
}

async fn chaos(f: &Fixture, seed: u64) {
    let operations = 4 * effort(&f.subject);
    let settled = Arc::new(AtomicU64::new(0));
    let work = |f: Fixture, task: usize| {
        let mut dice = fastrand::Rng::with_seed(seed * TASKS as u64 + task as u64);
        let settled = settled.clone();
        async move {
            for _ in 0..operations {
                anything(&f, &mut dice, &settled).await;
            }
        }
    };
    together(f, work).await;
    assert!(settled.load(Relaxed) > 0, "nothing was ever leased");
    assert_consistent(f).await;
    // Everything can be brought to its end, and nothing is left behind.
    f.advance(LEASE);
    for entry in f.lease(1000).await.entries {
        assert_eq!(f.settle(&entry, SettledAs::Delivered).await, SettleOutcome::Settled);
    }
    f.advance(RETENTION * 24 * 60);
    // One that has just begun: it need not know where another's looks have come to.
    f.again().await.unwrap_or_else(|_| f.clone()).expire(100_000).await;
    assert_eq!(f.counts().await.outbox, 0);
    if f.capabilities().exact_expiry {
        f.sizes(0, 0, 0).await;
        assert_consistent(f).await;
    }
}

pub(super) async fn whatever_many_tasks_do_at_once_the_store_ends_consistent(
    subject: &Tested,
) -> CaseResult {
    for seed in 0..2 {
        chaos(&Fixture::new(subject).await, seed).await;
    }
    Ok(())
}

pub(super) async fn it_ends_consistent_at_its_bounds_too(subject: &Tested) -> CaseResult {
    let capabilities = subject.capabilities();
    require(capabilities.max_messages || capabilities.max_outbox, "it has no bounds")?;
    for seed in 0..2 {
        let f = Fixture::with(subject, |settings| {
            settings.max_messages = capabilities.max_messages.then_some(20);
            settings.max_outbox = capabilities.max_outbox.then_some(6);
        })
        .await;
        chaos(&f, seed).await;
        if capabilities.max_messages {
            assert!(f.counts().await.evicted > 0, "the bound was never met");
        }
    }
    Ok(())
}
