//! Dead letters, and what is forgotten.

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, answer, seconds},
    messages::{forgetting, keys, message_sid, sid},
    verdict::CaseResult,
};
use crate::store::{
    Attempts, ConfirmOutcome, FeedbackStore, ForgetTarget, LedgerStatus, RecordOutcome,
    ResendOutcome::{self, NotDead, Queued},
    SettleOutcome, SettledAs,
};

pub(super) async fn dead_letters_are_listed_in_pages_by_their_sids(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in [3, 1, 4, 2, 5] {
        f.bury(n).await;
    }
    f.queue(0, 9).await;
    assert_eq!(f.dead_letters(None, 2).await, [1, 2].map(sid));
    assert_eq!(f.dead_letters(Some(2), 2).await, [3, 4].map(sid));
    assert_eq!(f.dead_letters(Some(4), 2).await, [sid(5)]);
    assert!(f.dead_letters(Some(5), 2).await.is_empty());
    assert!(f.dead_letters(None, 0).await.is_empty());
    // The page begins behind a letter that is gone since.
    f.forget(2).await;
    assert_eq!(f.dead_letters(Some(2), 1).await, [sid(3)]);
    // A letter is shown as `by_sid` shows it.
    let letters = answer("dead_letters", f.store.dead_letters(Some(sid(4)), 9)).await;
    let by_sid: Vec<_> = f.by_sid(&[sid(5)]).await.into_iter().flatten().collect();
    assert_eq!(letters, by_sid);
    Ok(())
}

pub(super) async fn dead_letters_are_in_the_order_of_sids_whatever_their_prefix_and_case(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let mut sids = [
        "MM00000000000000000000000000000001",
        "SM000000000000000000000000000000aa",
        "SM000000000000000000000000000000AA",
        "SM000000000000000000000000000000aA",
        "SMffffffffffffffffffffffffffffffff",
        "SMFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "MMffffffffffffffffffffffffffffffff",
        "SM00000000000000000000000000000100",
    ]
    .map(message_sid);
    for (id, sid) in (0..).zip(sids) {
        let mut message = f.message(0, id);
        message.sid = sid;
        f.insert(message).await;
        f.confirm(id).await;
        let entry = f.lease_one().await;
        f.settle(&entry, SettledAs::Dead(REJECTED)).await;
    }
    sids.sort();
    let mut paged = Vec::new();
    loop {
        let page = answer("dead_letters", f.store.dead_letters(paged.last().copied(), 3)).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page.into_iter().map(|entry| entry.sid));
        assert!(paged.len() <= 8, "pages overlap: {paged:?}");
    }
    assert_eq!(paged, sids);
    Ok(())
}

pub(super) async fn a_dead_letter_is_sent_again_at_once_and_starts_anew(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.bury(1).await;
    f.advance(seconds(100));
    assert_eq!(f.resend(1).await, Queued);
    f.sizes(1, 1, 0).await;
    assert!(f.dead_letters(None, 10).await.is_empty());
    let queued = LedgerStatus::queued(f.start, Attempts::default());
    assert_eq!(f.status(1).await, Some(queued), "it was confirmed when it was");
    assert_eq!(f.confirm(1).await, ConfirmOutcome::AlreadyConfirmed);
    let entry = f.lease_one().await;
    assert_eq!((entry.sid, entry.attempts), (sid(1), Attempts::default()));
    assert_eq!(entry.age, seconds(0), "or the retry policy would give it up at once");
    assert_eq!(f.resend(1).await, NotDead);
    assert_eq!(f.settle(&entry, SettledAs::Delivered).await, SettleOutcome::Settled);
    let now = f.time.now();
    let delivered = LedgerStatus::delivered(f.start, now, Attempts::new(1, 0));
    assert_eq!(f.status(1).await, Some(delivered));
    assert_eq!(f.resend(1).await, NotDead);
    Ok(())
}

pub(super) async fn only_dead_letters_are_sent_again(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.queue(0, 2).await;
    f.queue(0, 3).await;
    f.settle_message(3, SettledAs::Delivered).await;
    f.bury(5).await;
    f.bury(6).await;
    f.forget(6).await;
    // As if one after the other.
    let outcomes = f.resend_all(&[1, 2, 3, 4, 5, 5, 6].map(sid)).await;
    let expected: [ResendOutcome; 7] =
        [NotDead, NotDead, NotDead, NotDead, Queued, NotDead, NotDead];
    assert_eq!(outcomes, expected);
    f.sizes(4, 2, 0).await;
    Ok(())
}

pub(super) async fn a_dead_letter_may_die_again(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.bury(1).await;
    f.advance(seconds(5));
    f.resend(1).await;
    f.settle_message(1, SettledAs::Dead(REJECTED)).await;
    assert_eq!(f.dead_letters(None, 10).await, [sid(1)]);
    f.sizes(1, 0, 1).await;
    let dead = LedgerStatus::dead(f.start, f.start + seconds(5), Attempts::new(1, 0), REJECTED);
    assert_eq!(f.status(1).await, Some(dead));
    assert_eq!(f.resend(1).await, Queued);
    Ok(())
}

pub(super) async fn a_lease_from_before_it_died_settles_nothing_after_a_resend(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let before = f.lease_one().await;
    f.settle(&before, SettledAs::Dead(REJECTED)).await;
    f.resend(1).await;
    assert_eq!(f.settle(&before, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    let after = f.lease_one().await;
    assert_ne!((after.id, after.token), (before.id, before.token));
    assert_eq!(f.settle(&before, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    assert!(f.is_queued(1).await);
    Ok(())
}

pub(super) async fn forgetting_removes_every_message_of_an_id_whatever_its_state(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=4 {
        f.insert(f.sent_at(n, 1, f.start + seconds(n))).await;
        // The last one stays pending.
        if n < 4 {
            f.confirm(1).await;
        }
    }
    let entries = f.lease(3).await.entries;
    f.settle(&entries[0], SettledAs::Delivered).await;
    f.settle(&entries[1], SettledAs::Dead(REJECTED)).await;
    f.insert(f.message(9, 9)).await;
    f.sizes(5, 1, 1).await;

    let targets = [keys(1), keys(1), keys(2)].map(forgetting);
    assert_eq!(f.forget_all(&targets).await, [4, 0, 0]);
    f.sizes(1, 0, 0).await;
    assert_eq!(f.known().await, [9]);
    assert!(f.lookup(keys(1)).await.is_empty());
    assert!(f.dead_letters(None, 10).await.is_empty());
    // The call in flight finds its entry gone.
    assert_eq!(f.settle(&entries[2], SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    assert_eq!(f.confirm(1).await, ConfirmOutcome::Unknown);
    f.advance(seconds(1000));
    assert!(f.lease(10).await.entries.is_empty());
    assert_eq!(f.resend_all(&[1, 2, 3].map(sid)).await, [NotDead; 3]);
    Ok(())
}

pub(super) async fn one_message_can_be_forgotten_and_the_others_of_its_id_stay(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.insert(f.sent_at(n, 1, f.start + seconds(n))).await;
    }
    f.confirm(1).await;
    let targets = [
        ForgetTarget::Message(sid(3)),
        ForgetTarget::Message(sid(2)),
        ForgetTarget::Message(sid(2)),
        ForgetTarget::Message(sid(404)),
    ];
    assert_eq!(f.forget_all(&targets).await, [1, 1, 0, 0]);
    assert_eq!(f.found(keys(1)).await, [sid(1)]);
    f.sizes(1, 0, 0).await;
    assert!(f.lease(10).await.entries.is_empty());
    // Down to the last.
    assert_eq!(f.forget_all(&[ForgetTarget::Message(sid(1)), forgetting(keys(1))]).await, [1, 0]);
    f.sizes(0, 0, 0).await;
    Ok(())
}

pub(super) async fn a_forgotten_message_may_be_recorded_again(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let before = f.lease_one().await;
    f.forget(1).await;
    assert_eq!(f.record(f.message(1, 2)).await, RecordOutcome::Inserted);
    assert_eq!(f.status(1).await, Some(LedgerStatus::Pending));
    assert_eq!(f.confirm(2).await, ConfirmOutcome::Queued);
    f.sizes(1, 1, 0).await;
    // The lease from before is of another entry.
    assert_eq!(f.settle(&before, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    assert!(f.is_queued(1).await);
    assert_eq!(f.lease_one().await.sid, sid(1));
    Ok(())
}
