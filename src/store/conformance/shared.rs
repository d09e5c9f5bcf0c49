//! Several store objects on the same data, as several processes have.

use std::time::Duration;

pub(super) use super::{
    notes::what_one_notes_the_other_reads, rollups::what_one_counts_the_other_reads,
    statuses::what_one_is_told_of_a_message_the_other_knows,
};

use super::{
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, RETENTION, answer, seconds, sids},
    messages::{by_id, keys, rotated, sid},
    verdict::CaseResult,
};
use crate::store::{
    Attempts, ConfirmOutcome, Durability, FeedbackStore, LedgerStatus, RecordOutcome,
    ResendOutcome, Resends, SettleOutcome, SettledAs, Settlement,
};

pub(super) async fn what_survives_its_process_can_be_opened_again(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let durability = f.store.durability();
    assert_eq!(f.store.durability(), durability);
    if durability == Durability::Volatile {
        return Ok(());
    }
    assert!(f.again().await.is_ok(), "{durability:?}, and not to be opened again");
    let interval = f.store.poll_interval();
    assert!(
        interval.is_some_and(|interval| !interval.is_zero()),
        "other processes confirm, and nobody looks: {interval:?}"
    );
    Ok(())
}

pub(super) async fn one_records_another_confirms_a_third_delivers(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let (b, c) = (a.again().await?, a.again().await?);
    let mut message = a.message_of(3, 1, 1);
    message.segment = "login".into();
    a.insert(message.clone()).await;
    assert_eq!(b.record(message).await, RecordOutcome::AlreadyPresent);
    assert_eq!(b.confirm_target(by_id(rotated(2, 1), Resends::Newest)).await, Queued);
    use ConfirmOutcome::{AlreadyConfirmed, Queued};
    assert_eq!(a.confirm(1).await, AlreadyConfirmed);
    let entry = c.lease_one().await;
    assert_eq!(entry.sid, sid(1));
    assert!(a.lease(10).await.entries.is_empty() && b.lease(10).await.entries.is_empty());
    assert_eq!(c.settle(&entry, SettledAs::Delivered).await, SettleOutcome::Settled);
    let delivered = LedgerStatus::delivered(a.start, a.start, Attempts::new(1, 0));
    for f in [&a, &b, &c] {
        let entries = f.lookup(keys(1)).await;
        assert_eq!(entries.iter().map(|e| e.status).collect::<Vec<_>>(), [delivered]);
        assert_eq!(entries[0].label(), Some("login"));
        f.sizes(1, 0, 0).await;
        assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    }
    Ok(())
}

pub(super) async fn a_worker_that_was_fenced_off_settles_nothing(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    a.queue(0, 1).await;
    let stale = a.lease_one().await;
    a.advance(LEASE);
    let fresh = b.lease_one().await;
    assert_eq!(fresh.sid, stale.sid);
    assert_ne!((fresh.id, fresh.token), (stale.id, stale.token));
    let ends = [SettledAs::Delivered, SettledAs::Retry(Duration::ZERO), SettledAs::Dead(REJECTED)];
    for settled_as in ends {
        assert_eq!(a.settle(&stale, settled_as).await, SettleOutcome::LeaseLost);
    }
    assert!(a.lease(10).await.entries.is_empty());
    assert_eq!(b.settle(&fresh, SettledAs::Retry(seconds(5))).await, SettleOutcome::Settled);
    assert_eq!(a.settle(&stale, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    a.advance(seconds(5));
    // Both take turns, and never meet.
    let again = a.lease_one().await;
    assert_ne!((again.id, again.token), (fresh.id, fresh.token));
    assert_eq!(b.settle(&fresh, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    assert_eq!(a.settle(&again, SettledAs::Delivered).await, SettleOutcome::Settled);
    Ok(())
}

pub(super) async fn whoever_holds_the_token_may_settle(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    a.queue(0, 1).await;
    let entry = a.lease_one().await;
    assert_eq!(b.settle(&entry, SettledAs::Delivered).await, SettleOutcome::Settled);
    assert_eq!(a.settle(&entry, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    Ok(())
}

pub(super) async fn two_lease_what_there_is_between_them(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    for n in 1..=20 {
        a.queue(u64::from(n % 3), n).await;
    }
    let mut leased = Vec::new();
    for turn in 0..100 {
        let answer = if turn % 2 == 0 { a.lease(3).await } else { b.lease(3).await };
        leased.extend(sids(&answer));
        if answer.entries.is_empty() {
            break;
        }
    }
    leased.sort();
    assert_eq!(leased, (1..=20).map(sid).collect::<Vec<_>>());
    Ok(())
}

pub(super) async fn what_one_forgets_is_gone_for_the_other(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    a.queue(0, 1).await;
    let entry = a.lease_one().await;
    assert_eq!(b.forget(1).await, 1);
    assert_eq!(a.settle(&entry, SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    assert!(!a.is_known(1).await);
    a.sizes(0, 0, 0).await;
    assert_eq!(a.record(a.message(1, 2)).await, RecordOutcome::Inserted);
    assert_eq!(b.confirm(2).await, ConfirmOutcome::Queued);
    Ok(())
}

pub(super) async fn what_dies_with_one_is_sent_again_by_the_other(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    a.bury(1).await;
    assert_eq!(b.dead_letters(None, 10).await, [sid(1)]);
    assert_eq!(b.resend(1).await, ResendOutcome::Queued);
    assert_eq!(a.resend(1).await, ResendOutcome::NotDead);
    let entry = a.lease_one().await;
    assert_eq!(b.settle(&entry, SettledAs::Delivered).await, SettleOutcome::Settled);
    Ok(())
}

pub(super) async fn segments_places_and_accounts_are_the_same_for_both(
    subject: &Tested,
) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    // Each learns of new ones while the other does.
    for n in 0..12 {
        let f = if n % 2 == 0 { &a } else { &b };
        let mut message = f.message_of(n % 4, n, n as u8);
        message.segment = format!("label {}", n % 3).as_str().into();
        message.base_url = super::messages::base_url(&format!("https://{}.test/p", n % 5));
        f.insert(message).await;
    }
    let c = a.again().await?;
    let all: Vec<_> = (0..12).map(sid).collect();
    let shown = c.by_sid(&all).await;
    assert_eq!(a.by_sid(&all).await, shown);
    assert_eq!(b.by_sid(&all).await, shown);
    for (n, entry) in shown.into_iter().enumerate() {
        let Some(entry) = entry else { panic!("message {n} is gone") };
        assert_eq!(entry.account, super::messages::account(n as u64 % 4));
        assert_eq!(entry.label(), Some(&*format!("label {}", n % 3)));
        assert_eq!(entry.base_url.as_str(), format!("https://{}.test/p", n % 5));
    }
    Ok(())
}

pub(super) async fn what_one_object_wrote_outlives_it(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    a.insert(a.message(1, 1)).await;
    a.queue(1, 2).await;
    a.queue(2, 3).await;
    a.settle_message(3, SettledAs::Delivered).await;
    a.bury(4).await;
    let entry = a.lease_one().await;
    let before = a.by_sid(&[1, 2, 3, 4].map(sid)).await;
    let b = a.again().await?;
    drop(a);
    assert_eq!(b.by_sid(&[1, 2, 3, 4].map(sid)).await, before);
    b.sizes(4, 1, 1).await;
    // A lease does not end with the object that took it.
    assert!(b.lease(10).await.entries.is_empty());
    b.advance(LEASE);
    let again = b.lease_one().await;
    assert_eq!(again.sid, sid(2));
    let late = Settlement::new(&entry, Attempts::new(1, 0), SettledAs::Delivered);
    assert_eq!(answer("settle", b.store.settle(&[late])).await, [SettleOutcome::LeaseLost]);
    assert_eq!(b.settle(&again, SettledAs::Delivered).await, SettleOutcome::Settled);
    assert_eq!(b.confirm(1).await, ConfirmOutcome::Queued);
    b.advance(RETENTION * 10);
    assert_eq!(b.lease_one().await.age, RETENTION * 10);
    Ok(())
}
