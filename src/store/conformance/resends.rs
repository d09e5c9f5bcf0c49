//! Several messages under one id, and the ids of a key rotation.

use super::{
    erased::Tested,
    fixture::{Fixture, seconds},
    messages::{by_id, forgetting, keys, rotated, sid},
    verdict::CaseResult,
};
use crate::store::{
    ConfirmOutcome::{AlreadyConfirmed, Queued, Unknown},
    ForgetTarget, LedgerStatus, Resends,
};

const PENDING: Option<LedgerStatus> = Some(LedgerStatus::Pending);

pub(super) async fn the_newest_by_the_time_it_was_sent_is_confirmed_not_the_last_to_arrive(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.sent_at(1, 1, f.start + seconds(20))).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(30))).await;
    f.insert(f.sent_at(3, 1, f.start + seconds(10))).await;
    assert_eq!(f.confirm(1).await, Queued);
    assert!(f.is_queued(2).await);
    f.sizes(3, 1, 0).await;
    // The older ones are not confirmed in its stead.
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    f.sizes(3, 1, 0).await;
    assert_eq!([f.status(1).await, f.status(3).await], [PENDING; 2]);
    Ok(())
}

pub(super) async fn of_messages_sent_at_the_same_time_the_last_to_arrive_is_confirmed(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in [2, 3, 1] {
        f.insert(f.message(n, 1)).await;
    }
    f.confirm(1).await;
    assert!(f.is_queued(1).await);
    // The order of a batch is an order of arrival.
    f.record_all(&[6, 4, 5].map(|n| f.message(n, 2))).await;
    f.confirm(2).await;
    assert!(f.is_queued(5).await);
    f.sizes(6, 2, 0).await;
    Ok(())
}

pub(super) async fn a_message_sent_after_a_confirm_is_confirmed_on_its_own(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.confirm(1).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(5))).await;
    assert_eq!(f.confirm(1).await, Queued);
    assert!(f.is_queued(1).await && f.is_queued(2).await);
    // One that arrives late and is older waits for nothing.
    f.insert(f.sent_at(3, 1, f.start - seconds(5))).await;
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    assert_eq!(f.status(3).await, PENDING);
    Ok(())
}

pub(super) async fn the_policy_may_confirm_all_resends(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.insert(f.sent_at(n, 1, f.start + seconds(n))).await;
    }
    // The scheduled ones, too.
    f.insert(f.sent_at(4, 1, f.start + seconds(7200))).await;
    let all = by_id(keys(1), Resends::All);
    assert_eq!(f.confirm_target(all.clone()).await, Queued);
    f.sizes(4, 4, 0).await;
    assert_eq!(f.confirm_target(all.clone()).await, AlreadyConfirmed);
    // One that was not confirmed yet outweighs those that were.
    f.insert(f.sent_at(5, 1, f.start)).await;
    assert_eq!(f.confirm_target(all).await, Queued);
    f.sizes(5, 5, 0).await;
    Ok(())
}

pub(super) async fn a_scheduled_message_does_not_hide_the_one_that_was_sent(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(3600))).await;
    assert_eq!(f.confirm(1).await, Queued);
    assert!(f.is_queued(1).await);
    assert_eq!(f.status(2).await, PENDING);
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    // Once it has been sent, it is the newest.
    f.advance(seconds(3540));
    assert_eq!(f.confirm(1).await, AlreadyConfirmed, "sixty seconds ahead is scheduled");
    f.advance(seconds(1));
    assert_eq!(f.confirm(1).await, Queued);
    assert!(f.is_queued(2).await);
    Ok(())
}

pub(super) async fn scheduled_messages_alone_can_be_confirmed(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(7200))).await;
    f.insert(f.sent_at(1, 1, f.start + seconds(3600))).await;
    assert_eq!(f.confirm(1).await, Queued);
    assert!(f.is_queued(2).await);
    assert_eq!(f.status(1).await, PENDING);
    Ok(())
}

pub(super) async fn a_clock_that_is_ahead_by_seconds_makes_no_scheduled_message(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(59))).await;
    f.confirm(1).await;
    assert!(f.is_queued(2).await);
    Ok(())
}

pub(super) async fn when_the_newest_is_forgotten_the_next_is_the_newest(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.insert(f.sent_at(2, 1, f.start + seconds(1))).await;
    f.confirm(1).await;
    assert_eq!(f.forget_all(&[ForgetTarget::Message(sid(2))]).await, [1]);
    assert_eq!(f.confirm(1).await, Queued);
    assert!(f.is_queued(1).await);
    f.sizes(1, 1, 0).await;
    Ok(())
}

pub(super) async fn what_was_recorded_under_the_previous_key_is_found(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    let target = by_id(rotated(2, 1), Resends::Newest);
    assert_eq!(f.confirm_target(target.clone()).await, Queued);
    assert_eq!(f.confirm_target(target).await, AlreadyConfirmed);
    assert!(f.is_queued(1).await);
    assert_eq!(f.found(rotated(2, 1)).await, [sid(1)]);
    // Once the rotation is over, it is not.
    assert_eq!(f.confirm(2).await, Unknown);
    assert!(f.found(keys(2)).await.is_empty());
    assert_eq!(f.forget_all(&[forgetting(rotated(2, 1))]).await, [1]);
    f.sizes(0, 0, 0).await;
    Ok(())
}

pub(super) async fn what_was_recorded_under_the_current_key_comes_before_the_previous_one(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    // Even if the previous key's was sent later.
    f.insert(f.sent_at(1, 1, f.start + seconds(9))).await;
    f.insert(f.sent_at(2, 2, f.start + seconds(1))).await;
    f.insert(f.sent_at(3, 2, f.start)).await;
    let target = by_id(rotated(2, 1), Resends::Newest);
    assert_eq!(f.confirm_target(target.clone()).await, Queued);
    assert!(f.is_queued(2).await);
    assert_eq!(f.confirm_target(target).await, AlreadyConfirmed);
    assert_eq!([f.status(1).await, f.status(3).await], [PENDING; 2]);
    assert_eq!(f.found(rotated(2, 1)).await, [2, 3, 1].map(sid));
    assert_eq!(f.forget_all(&[forgetting(rotated(2, 1))]).await, [3]);
    Ok(())
}

pub(super) async fn all_resends_are_confirmed_on_both_sides_of_a_rotation(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.insert(f.sent_at(2, 2, f.start + seconds(1))).await;
    let all = by_id(rotated(2, 1), Resends::All);
    assert_eq!(f.confirm_target(all.clone()).await, Queued);
    assert!(f.is_queued(1).await && f.is_queued(2).await);
    assert_eq!(f.confirm_target(all).await, AlreadyConfirmed);
    f.sizes(2, 2, 0).await;
    // One side alone is enough.
    f.insert(f.message(3, 3)).await;
    assert_eq!(f.confirm_target(by_id(rotated(4, 3), Resends::All)).await, Queued);
    assert_eq!(f.confirm_target(by_id(rotated(3, 4), Resends::All)).await, AlreadyConfirmed);
    Ok(())
}
