//! At the bounds, for the stores that keep them.

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, seconds},
    messages::{by_id, keys},
    verdict::{CaseResult, require},
};
use crate::store::{
    ConfirmOutcome::{AlreadyConfirmed, Full, Queued, Unknown},
    ConfirmTarget, RecordOutcome, ResendOutcome, Resends, SettledAs, TrackedMessage,
};

const MESSAGES: &str = "it does not bound its messages";
const OUTBOX: &str = "it does not bound its outbox";
const DEAD_LETTERS: &str = "it does not bound its dead letters";

/// Message `n` under id `n`, sent and over later than all with a smaller number.
fn numbered(f: &Fixture, n: u8) -> TrackedMessage {
    let later = seconds(2 * u64::from(n));
    TrackedMessage {
        sent_at: f.start - RETENTION + later,
        ..f.expiring(n.into(), n, f.start + RETENTION + later)
    }
}

async fn with_messages(
    subject: &Tested,
    max: usize,
) -> Result<Fixture, super::verdict::NotApplicable> {
    require(subject.capabilities().max_messages, MESSAGES)?;
    Ok(Fixture::with(subject, |settings| settings.max_messages = Some(max)).await)
}

async fn with_outbox(
    subject: &Tested,
    max: usize,
) -> Result<Fixture, super::verdict::NotApplicable> {
    require(subject.capabilities().max_outbox, OUTBOX)?;
    Ok(Fixture::with(subject, |settings| settings.max_outbox = Some(max)).await)
}

pub(super) async fn at_the_bound_the_oldest_unconfirmed_message_goes_first(
    subject: &Tested,
) -> CaseResult {
    let f = with_messages(subject, 3).await?;
    for n in 1..=5 {
        f.insert(numbered(&f, n)).await;
    }
    assert_eq!(f.known().await, [3, 4, 5]);
    assert_eq!(f.confirm(1).await, Unknown);
    let counts = f.counts().await;
    assert_eq!((counts.evicted, counts.expired), (2, 0));
    f.sizes(3, 0, 0).await;
    Ok(())
}

pub(super) async fn a_batch_makes_room_for_each_of_its_messages(subject: &Tested) -> CaseResult {
    let f = with_messages(subject, 3).await?;
    f.insert(numbered(&f, 1)).await;
    f.queue(0, 90).await;
    let batch = [2, 3, 3, 4].map(|n| numbered(&f, n));
    use RecordOutcome::{AlreadyPresent, Inserted};
    assert_eq!(f.record_all(&batch).await, [Inserted, Inserted, AlreadyPresent, Inserted]);
    assert_eq!(f.known().await, [3, 4, 90]);
    f.sizes(3, 1, 0).await;
    Ok(())
}

pub(super) async fn what_is_known_already_evicts_nothing(subject: &Tested) -> CaseResult {
    let f = with_messages(subject, 2).await?;
    f.insert(numbered(&f, 1)).await;
    f.insert(numbered(&f, 2)).await;
    assert_eq!(f.record(numbered(&f, 2)).await, RecordOutcome::AlreadyPresent);
    assert_eq!(f.confirm_target(ConfirmTarget::Message(numbered(&f, 2))).await, Queued);
    assert_eq!(f.known().await, [1, 2]);
    Ok(())
}

pub(super) async fn what_is_in_the_outbox_never_gives_way(subject: &Tested) -> CaseResult {
    let f = with_messages(subject, 3).await?;
    f.insert(numbered(&f, 1)).await;
    f.confirm(1).await;
    for n in 2..=9 {
        f.insert(numbered(&f, n)).await;
    }
    assert_eq!(f.known().await, [1, 8, 9]);
    assert!(f.is_queued(1).await);
    Ok(())
}

pub(super) async fn a_store_full_of_the_outbox_takes_no_message_and_loses_none(
    subject: &Tested,
) -> CaseResult {
    let f = with_messages(subject, 3).await?;
    for n in 1..=3 {
        f.insert(numbered(&f, n)).await;
        f.confirm(n).await;
    }
    assert_eq!(f.record(numbered(&f, 4)).await, RecordOutcome::Full);
    assert_eq!(f.confirm_target(ConfirmTarget::Message(numbered(&f, 5))).await, Full);
    assert_eq!(f.known().await, [1, 2, 3]);
    f.sizes(3, 3, 0).await;
    // What was recorded can be confirmed by itself even so.
    let known = ConfirmTarget::Message(numbered(&f, 2));
    assert_eq!(f.confirm_target(known).await, AlreadyConfirmed);
    // A delivery makes room.
    f.settle_message(1, SettledAs::Delivered).await;
    assert_eq!(f.record(numbered(&f, 4)).await, RecordOutcome::Inserted);
    assert_eq!(f.known().await, [2, 3, 4]);
    assert_eq!(f.counts().await.evicted, 0, "it was confirmed");
    Ok(())
}

pub(super) async fn dead_letters_do_not_give_way_to_messages(subject: &Tested) -> CaseResult {
    let f = with_messages(subject, 4).await?;
    for n in 1..=2 {
        f.bury(n).await;
    }
    for n in 3..=9 {
        f.insert(numbered(&f, n)).await;
    }
    assert_eq!(f.known().await, [1, 2, 8, 9]);
    f.sizes(4, 0, 2).await;
    Ok(())
}

pub(super) async fn a_message_that_was_forgotten_and_recorded_again_stands_in_line_anew(
    subject: &Tested,
) -> CaseResult {
    let f = with_messages(subject, 3).await?;
    f.insert(numbered(&f, 1)).await;
    f.forget(1).await;
    f.insert(numbered(&f, 2)).await;
    f.insert(numbered(&f, 3)).await;
    let mut later = f.expiring(1, 1, f.start + 2 * RETENTION);
    later.sent_at = f.start;
    f.insert(later).await;
    f.insert(numbered(&f, 4)).await;
    assert_eq!(f.known().await, [1, 3, 4]);
    Ok(())
}

pub(super) async fn a_full_outbox_refuses_confirms_until_there_is_room(
    subject: &Tested,
) -> CaseResult {
    let f = with_outbox(subject, 2).await?;
    for n in 1..=4 {
        f.insert(f.message(n, n as u8)).await;
    }
    // Within a batch, too.
    let targets = [1, 2, 3, 1].map(|id| by_id(keys(id), Resends::Newest));
    assert_eq!(f.confirm_all(&targets).await, [Queued, Queued, Full, AlreadyConfirmed]);
    assert_eq!(f.confirm(3).await, Full);
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    assert_eq!(f.confirm_target(ConfirmTarget::Message(f.message(3, 3))).await, Full);
    assert_eq!(f.confirm(9).await, Unknown);
    f.sizes(4, 2, 0).await;
    // A lease makes no room, a delivery does.
    let entry = f.lease_one().await;
    assert_eq!(f.confirm(3).await, Full);
    f.settle(&entry, SettledAs::Delivered).await;
    assert_eq!(f.confirm(3).await, Queued);
    assert_eq!(f.confirm(4).await, Full);
    // So does what is forgotten.
    assert_eq!(f.forget(3).await, 1);
    assert_eq!(f.confirm(4).await, Queued);
    Ok(())
}

pub(super) async fn a_message_refused_by_itself_can_be_confirmed_once_there_is_room(
    subject: &Tested,
) -> CaseResult {
    let f = with_outbox(subject, 1).await?;
    f.queue(0, 1).await;
    let target = ConfirmTarget::Message(f.message(2, 2));
    // Whether it is recorded by that, is the store's affair.
    assert_eq!(f.confirm_target(target.clone()).await, Full);
    assert!(!f.is_queued(2).await);
    f.settle_message(1, SettledAs::Delivered).await;
    assert_eq!(f.confirm_target(target).await, Queued);
    Ok(())
}

pub(super) async fn a_full_outbox_refuses_dead_letters_too(subject: &Tested) -> CaseResult {
    let f = with_outbox(subject, 1).await?;
    f.bury(1).await;
    f.queue(0, 2).await;
    assert_eq!(f.resend(1).await, ResendOutcome::Full);
    f.sizes(2, 1, 1).await;
    f.settle_message(2, SettledAs::Delivered).await;
    assert_eq!(f.resend(1).await, ResendOutcome::Queued);
    Ok(())
}

pub(super) async fn of_all_resends_as_many_are_queued_as_fit(subject: &Tested) -> CaseResult {
    let f = with_outbox(subject, 2).await?;
    for n in 1..=3 {
        f.insert(f.sent_at(n, 1, f.start + seconds(n))).await;
    }
    let all = by_id(keys(1), Resends::All);
    // The caller is told that something is missing.
    assert_eq!(f.confirm_target(all.clone()).await, Full);
    f.sizes(3, 2, 0).await;
    let entry = f.lease_one().await;
    f.settle(&entry, SettledAs::Delivered).await;
    assert_eq!(f.confirm_target(all.clone()).await, Queued);
    f.sizes(3, 2, 0).await;
    assert_eq!(f.confirm_target(all).await, AlreadyConfirmed);
    Ok(())
}

pub(super) async fn beyond_their_bound_the_oldest_dead_letter_goes(subject: &Tested) -> CaseResult {
    require(subject.capabilities().max_dead_letters, DEAD_LETTERS)?;
    let f = Fixture::with(subject, |settings| settings.max_dead_letters = Some(2)).await;
    for n in 1..=4 {
        f.bury(n).await;
        f.advance(seconds(1));
        f.expire(100).await;
    }
    f.sizes(2, 0, 2).await;
    assert_eq!(f.known().await, [3, 4]);
    assert_eq!(f.counts().await.dead_letters_dropped, 2);
    // One that died again is no longer the oldest.
    f.resend(3).await;
    f.settle_message(3, SettledAs::Dead(REJECTED)).await;
    f.advance(seconds(1));
    f.bury(5).await;
    f.expire(100).await;
    assert_eq!(f.known().await, [3, 5]);
    Ok(())
}
