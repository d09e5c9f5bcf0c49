//! What status callbacks tell of messages.

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, one, seconds},
    messages::{account, by_id, keys, sid},
    tasks::{TASKS, together},
    verdict::CaseResult,
};
use crate::{
    MessageStatus,
    store::{
        ConfirmOutcome, RecordOutcome, ResendOutcome, Resends, SettledAs, StatusOutcome,
        StatusUpdate,
    },
};
use MessageStatus::{Delivered, Failed, Queued, Read, Sent, Undelivered};
use StatusOutcome::{NotNewer, Unknown};

/// It is the status now, and this was it before.
const fn after(previous: MessageStatus) -> StatusOutcome {
    StatusOutcome::Updated { previous: Some(previous) }
}

/// It is the first status.
const FIRST: StatusOutcome = StatusOutcome::Updated { previous: None };

/// That message `n`, of account 0, stands there.
fn update(n: u64, status: MessageStatus) -> StatusUpdate {
    StatusUpdate::new(sid(n), account(0), status)
}

fn failed(n: u64, status: MessageStatus, error_code: u32) -> StatusUpdate {
    StatusUpdate { error_code: Some(error_code), ..update(n, status) }
}

impl Fixture {
    async fn delivery(&self, n: u64) -> (Option<MessageStatus>, Option<u32>) {
        let entry = one("by_sid", self.by_sid(&[sid(n)]).await);
        entry.map_or((None, None), |entry| (entry.message_status, entry.error_code))
    }
}

pub(super) async fn a_status_only_moves_forward(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    assert_eq!(f.delivery(1).await, (None, None));
    for (status, outcome, then) in [
        (Sent, FIRST, Sent),
        (Queued, NotNewer, Sent),
        (Sent, NotNewer, Sent),
        (Delivered, after(Sent), Delivered),
        (Sent, NotNewer, Delivered),
        (Undelivered, NotNewer, Delivered),
        (Read, after(Delivered), Read),
        (Delivered, NotNewer, Read),
    ] {
        assert_eq!(f.update_status(&[update(1, status)]).await, [outcome], "{status}");
        assert_eq!(f.delivery(1).await, (Some(then), None));
        assert_eq!(f.lookup(keys(1)).await[0].message_status, Some(then));
    }
    Ok(())
}

pub(super) async fn an_error_code_is_that_of_its_status(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    assert_eq!(f.update_status(&[failed(1, Failed, u32::MAX)]).await, [FIRST]);
    assert_eq!(f.delivery(1).await, (Some(Failed), Some(u32::MAX)));
    assert_eq!(f.update_status(&[failed(1, Failed, 1)]).await, [NotNewer]);
    assert_eq!(f.update_status(&[failed(1, Sent, 2)]).await, [NotNewer]);
    assert_eq!(f.delivery(1).await, (Some(Failed), Some(u32::MAX)));
    assert_eq!(f.update_status(&[failed(1, Undelivered, 30003)]).await, [after(Failed)]);
    assert_eq!(f.delivery(1).await, (Some(Undelivered), Some(30003)));
    assert_eq!(f.update_status(&[update(1, Delivered)]).await, [after(Undelivered)]);
    assert_eq!(f.delivery(1).await, (Some(Delivered), None));
    Ok(())
}

pub(super) async fn a_batch_is_kept_as_if_one_after_the_other(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.record_all(&[f.message(1, 1), f.message(2, 2), f.message(3, 2)]).await;
    let batch = [
        update(1, Sent),
        failed(2, Undelivered, 30005),
        update(1, Queued),
        update(9, Delivered),
        update(1, Delivered),
        failed(1, Delivered, 1),
        update(2, Sent),
    ];
    let outcomes = [FIRST, FIRST, NotNewer, Unknown, after(Sent), NotNewer, NotNewer];
    assert_eq!(f.update_status(&batch).await, outcomes);
    assert_eq!(f.delivery(1).await, (Some(Delivered), None));
    assert_eq!(f.delivery(2).await, (Some(Undelivered), Some(30005)));
    assert_eq!(f.delivery(3).await, (None, None));
    Ok(())
}

pub(super) async fn no_account_speaks_for_anothers_message(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message_of(1, 1, 1)).await;
    f.insert(f.message_of(2, 2, 2)).await;
    assert_eq!(f.update_status(&[update(1, Delivered)]).await, [Unknown]);
    let owner = |n| StatusUpdate { account: account(n), ..update(1, Sent) };
    assert_eq!(f.update_status(&[owner(2), owner(1), owner(2)]).await, [Unknown, FIRST, Unknown]);
    assert_eq!(f.delivery(1).await, (Some(Sent), None));
    Ok(())
}

pub(super) async fn what_was_told_before_the_record_is_unknown(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    assert_eq!(f.update_status(&[update(1, Delivered)]).await, [Unknown]);
    f.sizes(0, 0, 0).await;
    f.insert(f.message(1, 1)).await;
    assert_eq!(f.delivery(1).await, (None, None));
    assert_eq!(f.update_status(&[update(1, Sent)]).await, [FIRST]);
    Ok(())
}

pub(super) async fn it_stays_whatever_becomes_of_the_feedback(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.insert(f.message(n, n as u8)).await;
        assert_eq!(f.update_status(&[failed(n, Undelivered, 30003)]).await, [FIRST]);
        let known = f.by_sid(&[sid(n)]).await;
        assert_eq!(f.record(f.message(n, n as u8)).await, RecordOutcome::AlreadyPresent);
        assert_eq!(f.by_sid(&[sid(n)]).await, known);
        assert_eq!(f.confirm(n as u8).await, ConfirmOutcome::Queued);
        assert_eq!(f.delivery(n).await, (Some(Undelivered), Some(30003)));
    }
    f.settle_message(1, SettledAs::Retry(seconds(5))).await;
    assert_eq!(f.delivery(1).await, (Some(Undelivered), Some(30003)));
    f.settle_message(2, SettledAs::Delivered).await;
    f.settle_message(3, SettledAs::Dead(REJECTED)).await;
    for n in [2, 3] {
        assert_eq!(f.delivery(n).await, (Some(Undelivered), Some(30003)), "message {n}");
        assert_eq!(f.update_status(&[update(n, Delivered)]).await, [after(Undelivered)]);
    }
    assert_eq!(f.resend(3).await, ResendOutcome::Queued);
    for n in [2, 3] {
        assert_eq!(f.delivery(n).await, (Some(Delivered), None), "message {n}");
    }
    Ok(())
}

pub(super) async fn it_changes_nothing_else(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.record_all(&[f.message(1, 1), f.message(2, 1)]).await;
    f.queue(0, 3).await;
    let entry = f.lease_one().await;
    f.bury(4).await;
    f.advance(seconds(1));
    let all = [1, 2, 3, 4].map(|n| update(n, Sent));
    let before = (f.by_sid(&[1, 2, 3, 4].map(sid)).await, f.counts().await);
    assert_eq!(f.update_status(&all).await, [FIRST; 4]);
    let mut after = (f.by_sid(&[1, 2, 3, 4].map(sid)).await, f.counts().await);
    for entry in after.0.iter_mut().flatten() {
        assert_eq!(entry.message_status.take(), Some(Sent));
    }
    assert_eq!(after, before);
    // The lease is still its own, the newest is still the newest.
    f.settle(&entry, SettledAs::Delivered).await;
    assert_eq!(f.confirm_target(by_id(keys(1), Resends::Newest)).await, ConfirmOutcome::Queued);
    assert!(f.is_queued(2).await);
    // Nor does it make a message live longer.
    f.advance(RETENTION);
    f.expire(100).await;
    if f.capabilities().exact_expiry {
        assert!(!f.is_known(1).await);
        assert_eq!(f.update_status(&[update(1, Delivered)]).await, [Unknown]);
    }
    Ok(())
}

pub(super) async fn it_is_forgotten_with_its_message(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=2 {
        f.insert(f.message(n, n as u8)).await;
    }
    f.update_status(&[failed(1, Failed, 30008), update(2, Sent)]).await;
    assert_eq!(f.forget(1).await, 1);
    assert_eq!(f.update_status(&[update(1, Delivered)]).await, [Unknown]);
    f.insert(f.message(1, 1)).await;
    assert_eq!(f.delivery(1).await, (None, None));
    assert_eq!(f.delivery(2).await, (Some(Sent), None));
    Ok(())
}

pub(super) async fn what_one_is_told_of_a_message_the_other_knows(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    a.insert(a.message(1, 1)).await;
    assert_eq!(b.update_status(&[failed(1, Failed, 30008)]).await, [FIRST]);
    assert_eq!(a.delivery(1).await, (Some(Failed), Some(30008)));
    assert_eq!(a.update_status(&[update(1, Sent)]).await, [NotNewer]);
    assert_eq!(a.update_status(&[update(1, Delivered)]).await, [after(Failed)]);
    assert_eq!(b.delivery(1).await, (Some(Delivered), None));
    Ok(())
}

pub(super) async fn of_many_that_are_told_at_once_the_furthest_stays(
    subject: &Tested,
) -> CaseResult {
    const WAY: [MessageStatus; TASKS] = [
        MessageStatus::Accepted,
        Queued,
        MessageStatus::Sending,
        Sent,
        Failed,
        Undelivered,
        Delivered,
        Read,
    ];
    let f = Fixture::new(subject).await;
    for n in 0..10 {
        f.insert(f.message(n, 1)).await;
        let outcomes = together(&f, |f: Fixture, task| async move {
            f.update_status(&[failed(n, WAY[task], task as u32 + 1)]).await
        })
        .await;
        // Each that moved it says from where: together they are one way.
        let mut way: Vec<Option<MessageStatus>> = vec![None];
        for (task, outcome) in outcomes.iter().enumerate() {
            if let [StatusOutcome::Updated { previous }] = outcome[..] {
                assert_eq!(way.last(), Some(&previous), "{outcomes:?}");
                way.push(Some(WAY[task]));
            }
        }
        assert_eq!(way.last(), Some(&Some(Read)), "of the furthest: {outcomes:?}");
        assert_eq!(f.delivery(n).await, (Some(Read), Some(TASKS as u32)));
    }
    Ok(())
}
