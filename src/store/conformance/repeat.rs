//! Every operation twice in a row with the same input, as one does who does not
//! know whether it took place.

use std::time::Duration;

use super::{
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, RETENTION, answer, seconds},
    messages::{by_id, forgetting, keys, sid},
    verdict::CaseResult,
};
use crate::store::{
    Attempts, ConfirmOutcome, ConfirmTarget, FeedbackStore, LeaseRequest, LedgerEntry,
    RecordOutcome, ResendOutcome, Resends, SettleOutcome, SettledAs, Settlement, StoreCounts,
};

/// All that the store shows of messages 1 to 9.
async fn shown(f: &Fixture) -> (Vec<Option<LedgerEntry>>, StoreCounts) {
    let sids: Vec<_> = (1..10).map(sid).collect();
    (f.by_sid(&sids).await, f.counts().await)
}

pub(super) async fn record(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let batch = [f.message(1, 1), f.message(2, 1), f.message(3, 3)];
    assert_eq!(f.record_all(&batch).await, [RecordOutcome::Inserted; 3]);
    let before = shown(&f).await;
    f.advance(seconds(1));
    assert_eq!(f.record_all(&batch).await, [RecordOutcome::AlreadyPresent; 3]);
    assert_eq!(shown(&f).await, before);
    f.sizes(3, 0, 0).await;
    Ok(())
}

pub(super) async fn confirm(subject: &Tested) -> CaseResult {
    use ConfirmOutcome::{AlreadyConfirmed, Queued, Unknown};
    let f = Fixture::new(subject).await;
    f.record_all(&[f.message(1, 1), f.message(2, 2), f.message(3, 2)]).await;
    let batch = [
        by_id(keys(1), Resends::Newest),
        by_id(keys(2), Resends::All),
        ConfirmTarget::Message(f.message(4, 4)),
        by_id(keys(5), Resends::Newest),
    ];
    assert_eq!(f.confirm_all(&batch).await, [Queued, Queued, Queued, Unknown]);
    let before = f.by_sid(&[1, 2, 3, 4].map(sid)).await;
    f.advance(seconds(1));
    let again = [AlreadyConfirmed, AlreadyConfirmed, AlreadyConfirmed, Unknown];
    assert_eq!(f.confirm_all(&batch).await, again);
    assert_eq!(f.by_sid(&[1, 2, 3, 4].map(sid)).await, before);
    f.sizes(4, 4, 0).await;
    Ok(())
}

pub(super) async fn lease(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=4 {
        f.queue(u64::from(n % 2), n).await;
    }
    let request = LeaseRequest::new(2, LEASE);
    let mut entries = Vec::new();
    for _ in 0..3 {
        entries.extend(f.lease_fully(&request).await.entries);
    }
    let mut leased: Vec<_> = entries.iter().map(|entry| entry.sid).collect();
    leased.sort();
    assert_eq!(leased, [1, 2, 3, 4].map(sid), "each once");
    // The answer to the first may never have arrived: its entries come again.
    f.advance(LEASE);
    assert_eq!(f.lease(10).await.entries.len(), 4);
    Ok(())
}

pub(super) async fn settle(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.queue(0, n).await;
    }
    let ends = [SettledAs::Delivered, SettledAs::Retry(seconds(50)), SettledAs::Dead(REJECTED)];
    let entries = f.lease(3).await.entries;
    let batch: Vec<_> = entries
        .iter()
        .zip(ends)
        .map(|(entry, settled_as)| Settlement::new(entry, Attempts::new(2, 1), settled_as))
        .collect();
    assert_eq!(f.settle_all(&batch).await, [SettleOutcome::Settled; 3]);
    let before = f.by_sid(&[1, 2, 3].map(sid)).await;
    f.advance(seconds(1));
    assert_eq!(f.settle_all(&batch).await, [SettleOutcome::LeaseLost; 3]);
    assert_eq!(f.by_sid(&[1, 2, 3].map(sid)).await, before);
    f.sizes(3, 1, 1).await;
    // The retry is due when the first settlement said.
    f.advance(Duration::from_millis(48_999));
    assert!(f.lease(3).await.entries.is_empty());
    f.advance(Duration::from_millis(1));
    assert_eq!(f.lease(3).await.entries.len(), 1);
    Ok(())
}

pub(super) async fn expire(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.insert(f.expiring(2, 2, f.start + RETENTION * 3)).await;
    f.queue(0, 3).await;
    f.advance(RETENTION + seconds(1));
    f.expire(100).await;
    let before = f.by_sid(&[2, 3].map(sid)).await;
    assert!(before.iter().all(Option::is_some), "dropped early");
    f.expire(100).await;
    assert_eq!(f.by_sid(&[2, 3].map(sid)).await, before);
    if f.capabilities().exact_expiry {
        assert!(!f.is_known(1).await);
        assert_eq!(f.counts().await.expired, 1);
    }
    Ok(())
}

pub(super) async fn forget(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.queue(0, n).await;
    }
    let batch = [forgetting(keys(1)), crate::store::ForgetTarget::Message(sid(2))];
    assert_eq!(f.forget_all(&batch).await, [1, 1]);
    let before = shown(&f).await;
    assert_eq!(f.forget_all(&batch).await, [0, 0]);
    assert_eq!(shown(&f).await, before);
    f.sizes(1, 1, 0).await;
    Ok(())
}

pub(super) async fn resend(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.bury(1).await;
    f.bury(2).await;
    let batch = [1, 2].map(sid);
    assert_eq!(f.resend_all(&batch).await, [ResendOutcome::Queued; 2]);
    let before = shown(&f).await;
    assert_eq!(f.resend_all(&batch).await, [ResendOutcome::NotDead; 2]);
    assert_eq!(shown(&f).await, before);
    f.sizes(2, 2, 0).await;
    assert_eq!(f.lease(10).await.entries.len(), 2);
    Ok(())
}

pub(super) async fn questions_change_nothing(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.queue(0, 2).await;
    f.bury(3).await;
    for _ in 0..2 {
        let before = shown(&f).await;
        assert_eq!(f.found(keys(1)).await, [sid(1)]);
        assert_eq!(f.found(keys(9)).await, []);
        assert_eq!(f.dead_letters(None, 10).await, [sid(3)]);
        assert!(f.lease(0).await.entries.is_empty());
        assert_eq!(shown(&f).await, before);
    }
    assert_eq!(f.lease(10).await.entries.len(), 1);
    // One batch may ask for the same thing twice.
    let entries = f.by_sid(&[sid(1), sid(1)]).await;
    assert_eq!(entries[0], entries[1]);
    let ids = [keys(2), keys(9), keys(2)];
    let found = answer("lookup", f.store.lookup(&ids)).await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    Ok(())
}
