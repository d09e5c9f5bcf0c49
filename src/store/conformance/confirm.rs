//! Moving messages into the outbox.

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, seconds, sids},
    messages::{account, base_url, by_id, keys, sid},
    verdict::CaseResult,
};
use crate::store::{
    Attempts,
    ConfirmOutcome::{self, AlreadyConfirmed, Queued, Unknown},
    ConfirmTarget, ForgetTarget, LedgerStatus, RecordOutcome, Resends, SettledAs,
};

pub(super) async fn an_unknown_id_confirms_nothing(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    assert_eq!(f.confirm(2).await, Unknown);
    let all = by_id(keys(2), Resends::All);
    assert_eq!(f.confirm_target(all).await, Unknown);
    f.sizes(1, 0, 0).await;
    assert_eq!(f.status(1).await, Some(LedgerStatus::Pending));
    // Recorded later, it is as if nobody had asked.
    f.insert(f.message(2, 2)).await;
    assert_eq!(f.status(2).await, Some(LedgerStatus::Pending));
    assert_eq!(f.confirm(2).await, Queued);
    Ok(())
}

pub(super) async fn confirming_twice_queues_once_even_in_one_batch(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    let target = by_id(keys(1), Resends::Newest);
    let targets = [target.clone(), target, by_id(keys(2), Resends::Newest)];
    assert_eq!(f.confirm_all(&targets).await, [Queued, AlreadyConfirmed, Unknown]);
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    assert_eq!(sids(&f.lease(10).await), [sid(1)]);
    f.sizes(1, 1, 0).await;
    Ok(())
}

pub(super) async fn a_confirm_is_remembered_under_a_lease_beyond_delivery_and_death(
    subject: &Tested,
) -> CaseResult {
    for settled_as in [SettledAs::Delivered, SettledAs::Dead(REJECTED)] {
        let f = Fixture::new(subject).await;
        f.queue(0, 1).await;
        let entry = f.lease_one().await;
        assert_eq!(f.confirm(1).await, AlreadyConfirmed);
        f.settle(&entry, settled_as).await;
        assert_eq!(f.confirm(1).await, AlreadyConfirmed);
        let all = by_id(keys(1), Resends::All);
        assert_eq!(f.confirm_target(all).await, AlreadyConfirmed);
        let message = ConfirmTarget::Message(f.message(1, 1));
        assert_eq!(f.confirm_target(message).await, AlreadyConfirmed);
        assert!(f.lease(10).await.entries.is_empty());
    }
    Ok(())
}

pub(super) async fn the_ledger_says_when_it_was_confirmed(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.advance(seconds(7));
    f.confirm(1).await;
    f.advance(seconds(7));
    let status = LedgerStatus::queued(f.start + seconds(7), Attempts::default());
    assert_eq!(f.status(1).await, Some(status));
    assert_eq!(f.counts().await.oldest_outbox_age, Some(seconds(7)));
    // A later confirm changes no time.
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    assert_eq!(f.status(1).await, Some(status));
    f.queue(0, 2).await;
    assert_eq!(f.counts().await.oldest_outbox_age, Some(seconds(7)));
    Ok(())
}

pub(super) async fn a_message_can_be_confirmed_by_itself_unrecorded(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let mut message = f.message_of(3, 1, 1);
    message.segment = "by itself".into();
    message.base_url = base_url("https://api.dublin.ie1.twilio.com/2010-04-01");
    // Scheduled or not is no matter here.
    message.sent_at = f.start + seconds(7200);
    let target = ConfirmTarget::Message(message.clone());
    assert_eq!(f.confirm_target(target.clone()).await, Queued);
    assert_eq!(f.confirm_target(target).await, AlreadyConfirmed);
    assert_eq!(f.record(message.clone()).await, RecordOutcome::AlreadyPresent);
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    f.sizes(1, 1, 0).await;
    let entries = f.lookup(keys(1)).await;
    let [entry] = &entries[..] else { panic!("lookup: not one entry: {entries:?}") };
    assert_eq!((entry.sid, entry.account, entry.sent_at), (sid(1), account(3), message.sent_at));
    assert_eq!((&entry.base_url, &entry.segment), (&message.base_url, &message.segment));
    let entry = f.lease_one().await;
    assert_eq!((entry.sid, entry.account), (sid(1), account(3)));
    assert_eq!(entry.base_url, message.base_url);
    // It lives in the ledger like any other.
    f.settle(&entry, SettledAs::Delivered).await;
    f.advance(RETENTION);
    f.expire(10).await;
    assert!(f.is_known(1).await);
    Ok(())
}

pub(super) async fn a_message_is_confirmed_by_itself_under_whichever_id_it_was_recorded(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(2, 2)).await;
    assert_eq!(f.confirm_target(ConfirmTarget::Message(f.message(2, 9))).await, Queued);
    assert_eq!(f.confirm(2).await, AlreadyConfirmed);
    assert!(f.lookup(keys(9)).await.is_empty());
    assert_eq!(f.confirm(9).await, Unknown);
    f.sizes(1, 1, 0).await;
    Ok(())
}

pub(super) async fn one_of_several_messages_can_be_confirmed_by_itself(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.sent_at(3, 3, f.start)).await;
    f.insert(f.sent_at(4, 3, f.start + seconds(1))).await;
    assert_eq!(f.confirm_target(ConfirmTarget::Message(f.message(3, 3))).await, Queued);
    assert!(f.is_queued(3).await);
    assert_eq!(f.status(4).await, Some(LedgerStatus::Pending));
    // The newest is still to be confirmed by the id.
    assert_eq!(f.confirm(3).await, Queued);
    assert!(f.is_queued(4).await);
    f.sizes(2, 2, 0).await;
    Ok(())
}

pub(super) async fn a_message_is_confirmed_only_if_it_is_still_recorded(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let recorded = |n, id| ConfirmTarget::Recorded { key: keys(id).current, sid: sid(n) };
    assert_eq!(f.confirm_target(recorded(1, 1)).await, Unknown);
    f.sizes(0, 0, 0).await;
    f.insert(f.sent_at(1, 1, f.start)).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(1))).await;
    // Scheduled or not is no matter here.
    f.insert(f.sent_at(3, 1, f.start + seconds(7200))).await;
    // The one that is named, and not the newest of its id.
    let targets = [recorded(1, 1), recorded(1, 1), recorded(2, 2), recorded(3, 1), recorded(4, 1)];
    let expected = [Queued, AlreadyConfirmed, Unknown, Queued, Unknown];
    assert_eq!(f.confirm_all(&targets).await, expected);
    assert_eq!(f.status(2).await, Some(LedgerStatus::Pending));
    f.sizes(3, 2, 0).await;
    assert_eq!(f.forget_all(&[ForgetTarget::Message(sid(2))]).await, [1]);
    assert_eq!(f.confirm_target(recorded(2, 1)).await, Unknown);
    assert!(!f.is_known(2).await);
    f.sizes(2, 2, 0).await;
    Ok(())
}

pub(super) async fn a_batch_is_confirmed_as_if_one_after_the_other(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.insert(f.sent_at(n, 1, f.start + seconds(n))).await;
    }
    let newest = |id| by_id(keys(id), Resends::Newest);
    let message = |n, id| ConfirmTarget::Message(f.message(n, id));
    let recorded = |n, id| ConfirmTarget::Recorded { key: keys(id).current, sid: sid(n) };
    let targets = [
        newest(1),
        message(3, 1),
        // Recorded by this very batch, and found under its id from then on.
        newest(8),
        message(8, 8),
        newest(8),
        message(8, 9),
        newest(9),
        by_id(keys(1), Resends::All),
        message(1, 1),
        by_id(keys(1), Resends::All),
        recorded(7, 7),
        message(7, 7),
        recorded(7, 7),
    ];
    let expected: [ConfirmOutcome; 13] = [
        Queued,
        AlreadyConfirmed,
        Unknown,
        Queued,
        AlreadyConfirmed,
        AlreadyConfirmed,
        Unknown,
        Queued,
        AlreadyConfirmed,
        AlreadyConfirmed,
        Unknown,
        Queued,
        AlreadyConfirmed,
    ];
    assert_eq!(f.confirm_all(&targets).await, expected);
    f.sizes(5, 5, 0).await;
    let mut leased = sids(&f.lease(10).await);
    leased.sort();
    assert_eq!(leased, [1, 2, 3, 7, 8].map(sid));
    Ok(())
}
