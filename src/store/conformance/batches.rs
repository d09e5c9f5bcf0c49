//! Batches of nothing, and of very many.

use std::collections::HashSet;

use super::{
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, answer, seconds},
    messages::{by_id, forgetting, sid},
    verdict::CaseResult,
};
use crate::{
    CorrelationKey, MessageSid,
    store::{
        Attempts, ConfirmOutcome, FeedbackStore, ForgetTarget, LeaseRequest, RecordOutcome,
        ResendOutcome, Resends, SettleOutcome, SettledAs, Settlement, TrackedMessage,
    },
};

const MANY: u64 = 1000;

pub(super) async fn a_batch_of_nothing_is_answered_with_nothing(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.bury(2).await;
    assert_eq!(f.record_all(&[]).await, []);
    assert_eq!(f.confirm_all(&[]).await, []);
    assert_eq!(f.settle_all(&[]).await, []);
    assert_eq!(f.forget_all(&[]).await, [0; 0]);
    assert_eq!(f.resend_all(&[]).await, []);
    assert_eq!(f.update_status(&[]).await, []);
    assert_eq!(f.by_sid(&[]).await, []);
    assert!(answer("lookup", f.store.lookup(&[])).await.is_empty());
    assert_eq!(f.expire(0).await, 0);
    f.sizes(2, 1, 1).await;
    Ok(())
}

fn id(n: u64) -> CorrelationKey {
    let mut bytes = [0xa5; 16];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    CorrelationKey::from_bytes(bytes)
}

pub(super) async fn a_thousand_items_are_answered_in_their_order(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let message = |n: u64| TrackedMessage { key: id(n), ..f.message_of(n % 5, n, 0) };
    // Every third twice in a row, every seventh at the end once more under
    // another id.
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    for n in 0..MANY {
        batch.push(message(n));
        expected.push(RecordOutcome::Inserted);
        if n % 3 == 0 {
            batch.push(message(n));
            expected.push(RecordOutcome::AlreadyPresent);
        }
    }
    for n in (0..MANY).step_by(7) {
        batch.push(TrackedMessage { key: id(n + 1), ..message(n) });
        expected.push(RecordOutcome::OtherId);
    }
    assert!(f.record_all(&batch).await == expected, "record: answers out of order");
    f.sizes(MANY, 0, 0).await;

    let targets: Vec<_> =
        (0..MANY * 2).rev().map(|n| by_id(id(n).into(), Resends::Newest)).collect();
    let expected = (0..MANY * 2).rev().map(|n| match n < MANY {
        true => ConfirmOutcome::Queued,
        false => ConfirmOutcome::Unknown,
    });
    let outcomes = f.confirm_all(&targets).await;
    assert!(outcomes.into_iter().eq(expected), "confirm: answers out of order");
    f.sizes(MANY, MANY, 0).await;

    let entries = f.lease_fully(&LeaseRequest::new(MANY as usize, LEASE)).await.entries;
    let leased: HashSet<MessageSid> = entries.iter().map(|entry| entry.sid).collect();
    assert_eq!((entries.len() as u64, leased.len() as u64), (MANY, MANY));
    let mut settlements = Vec::new();
    let mut expected = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let settled_as = match n % 3 {
            0 => SettledAs::Delivered,
            1 => SettledAs::Dead(REJECTED),
            _ => SettledAs::Retry(seconds(n as u64)),
        };
        settlements.push(Settlement::new(entry, Attempts::new(n as u32, 0), settled_as));
        expected.push(SettleOutcome::Settled);
        if n % 10 == 0 {
            settlements.extend(settlements.last().cloned());
            expected.push(SettleOutcome::LeaseLost);
        }
    }
    assert!(f.settle_all(&settlements).await == expected, "settle: answers out of order");
    f.sizes(MANY, 333, 333).await;

    let sids: Vec<_> = (0..MANY).chain(0..MANY).map(sid).collect();
    let shown = f.by_sid(&sids).await;
    assert!(
        shown.iter().zip(&sids).all(|(shown, sid)| shown.as_ref().is_some_and(|s| s.sid == *sid)),
        "by_sid: answers out of order"
    );
    let ids: Vec<_> = (0..MANY).map(|n| id(n).into()).collect();
    let found = answer("lookup", f.store.lookup(&ids)).await;
    assert_eq!(found.len() as u64, MANY);
    assert!((0..MANY).zip(&found).all(|(n, found)| found.len() == 1 && found[0].sid == sid(n)));

    let dead: Vec<_> = answer("dead_letters", f.store.dead_letters(None, 5000)).await;
    assert!(dead.is_sorted_by_key(|entry| entry.sid));
    assert_eq!(dead.len(), 333);
    let dead: Vec<_> = dead.into_iter().map(|entry| entry.sid).collect();
    assert_eq!(f.resend_all(&dead).await, vec![ResendOutcome::Queued; 333]);

    let targets: Vec<_> =
        (0..MANY).flat_map(|n| [forgetting(id(n).into()), ForgetTarget::Message(sid(n))]).collect();
    assert!(f.forget_all(&targets).await.chunks(2).all(|pair| pair == [1, 0]));
    f.sizes(0, 0, 0).await;
    Ok(())
}

pub(super) async fn a_hundred_messages_may_share_an_id(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let mut order: Vec<u64> = (0..100).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut order);
    let batch: Vec<_> =
        order.iter().map(|n| f.sent_at(*n, 1, f.start - seconds(100 - n))).collect();
    assert_eq!(f.record_all(&batch).await, vec![RecordOutcome::Inserted; 100]);
    let keys = super::messages::keys(1);
    assert_eq!(f.found(keys).await, (0..100).rev().map(sid).collect::<Vec<_>>());
    assert_eq!(f.confirm(1).await, ConfirmOutcome::Queued);
    assert!(f.is_queued(99).await);
    let all = by_id(keys, Resends::All);
    assert_eq!(f.confirm_target(all).await, ConfirmOutcome::Queued);
    f.sizes(100, 100, 0).await;
    assert_eq!(f.forget(1).await, 100);
    f.sizes(0, 0, 0).await;
    Ok(())
}
