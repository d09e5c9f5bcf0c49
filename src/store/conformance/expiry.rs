//! Dropping what is over, and nothing before.

use std::time::Duration;

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, seconds},
    messages::keys,
    verdict::{CaseResult, require},
};
use crate::store::{ConfirmOutcome, RecordOutcome, SettleOutcome, SettledAs};

const AT_LEISURE: &str = "it drops what is over at its own time";

/// Asserts that nothing goes, and after `wait`, that as many go as said.
async fn go_after(f: &Fixture, wait: Duration, dropped: usize) {
    assert_eq!(f.expire(100).await, 0, "dropped early");
    f.advance(wait);
    let answered = f.expire(100).await;
    if f.capabilities().exact_expiry {
        assert_eq!(answered, dropped, "expire answers how many it dropped");
    }
}

pub(super) async fn a_message_is_dropped_after_its_time_and_never_before(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.advance(RETENTION - Duration::from_millis(1));
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_known(1).await, "dropped early");
    assert_eq!(f.found(keys(1)).await.len(), 1, "dropped early");
    go_after(&f, Duration::from_millis(2), 1).await;
    require(f.capabilities().exact_expiry, AT_LEISURE)?;
    assert!(!f.is_known(1).await);
    assert!(f.lookup(keys(1)).await.is_empty());
    assert_eq!(f.confirm(1).await, ConfirmOutcome::Unknown);
    assert_eq!(f.expire(10).await, 0);
    let counts = f.counts().await;
    assert_eq!((counts.expired, counts.evicted), (1, 0));
    f.sizes(0, 0, 0).await;
    Ok(())
}

pub(super) async fn messages_go_in_the_order_of_their_times_and_up_to_the_limit(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().exact_expiry, AT_LEISURE)?;
    let f = Fixture::new(subject).await;
    for (n, after) in [(1, 50), (2, 10), (3, 40), (4, 20), (5, 30), (6, 90)] {
        f.insert(f.expiring(n, 1, f.start + seconds(after))).await;
    }
    f.advance(seconds(60));
    assert_eq!(f.expire(0).await, 0);
    assert_eq!(f.known().await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(f.expire(2).await, 2);
    assert_eq!(f.known().await, [1, 3, 5, 6]);
    assert_eq!(f.expire(2).await, 2);
    assert_eq!(f.known().await, [1, 6]);
    assert_eq!(f.expire(2).await, 1);
    assert_eq!(f.known().await, [6]);
    assert_eq!(f.counts().await.expired, 5);
    Ok(())
}

pub(super) async fn what_lives_on_is_spared_by_every_expire(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 0..20 {
        f.insert(f.expiring(n, n as u8 % 3, f.start + seconds(10 * n))).await;
    }
    for turn in 0..20_u64 {
        f.expire(100).await;
        let alive: Vec<u64> = (turn + 1..20).collect();
        let known = f.known().await;
        assert!(alive.iter().all(|n| known.contains(n)), "dropped early: of {alive:?}, {known:?}");
        f.advance(seconds(10));
    }
    Ok(())
}

pub(super) async fn nothing_expires_while_it_is_in_the_outbox(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.advance(RETENTION * 100);
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_queued(1).await);
    let entry = f.lease_one().await;
    f.advance(RETENTION);
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_queued(1).await);
    assert_eq!(f.found(keys(1)).await.len(), 1);
    assert_eq!(f.confirm(1).await, ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(f.record(f.message(1, 1)).await, RecordOutcome::AlreadyPresent);
    assert_eq!(f.settle(&entry, SettledAs::Delivered).await, SettleOutcome::Settled);
    Ok(())
}

pub(super) async fn a_delivered_message_stays_in_the_ledger_for_its_retention_from_the_delivery(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::with(subject, |settings| settings.ledger_retention = seconds(500)).await;
    f.queue(0, 1).await;
    f.advance(RETENTION * 2);
    f.settle_message(1, SettledAs::Delivered).await;
    f.advance(Duration::from_millis(499_999));
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_known(1).await, "dropped early");
    go_after(&f, Duration::from_millis(2), 1).await;
    if f.capabilities().exact_expiry {
        f.sizes(0, 0, 0).await;
    }
    Ok(())
}

pub(super) async fn a_delivered_message_outlives_the_time_of_its_record(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::with(subject, |settings| settings.ledger_retention = RETENTION * 10).await;
    f.queue(0, 1).await;
    f.settle_message(1, SettledAs::Delivered).await;
    f.advance(RETENTION * 10 - seconds(1));
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_known(1).await, "dropped early");
    assert_eq!(f.found(keys(1)).await.len(), 1, "dropped early");
    assert_eq!(f.confirm(1).await, ConfirmOutcome::AlreadyConfirmed);
    go_after(&f, seconds(2), 1).await;
    Ok(())
}

pub(super) async fn a_dead_letter_is_kept_for_its_own_retention(subject: &Tested) -> CaseResult {
    let f = Fixture::with(subject, |settings| {
        settings.ledger_retention = seconds(10);
        settings.dead_letter_retention = RETENTION * 5;
    })
    .await;
    f.bury(1).await;
    f.advance(RETENTION * 5 - seconds(1));
    assert_eq!(f.expire(10).await, 0);
    f.sizes(1, 0, 1).await;
    assert_eq!(f.dead_letters(None, 10).await.len(), 1);
    go_after(&f, seconds(2), 1).await;
    if f.capabilities().exact_expiry {
        f.sizes(0, 0, 0).await;
        assert!(f.dead_letters(None, 10).await.is_empty());
    }
    Ok(())
}

pub(super) async fn a_dead_letter_that_is_sent_again_does_not_expire_in_the_outbox(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::with(subject, |settings| settings.dead_letter_retention = seconds(100)).await;
    f.bury(1).await;
    f.resend(1).await;
    f.advance(RETENTION * 3);
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_queued(1).await);
    f.settle_message(1, SettledAs::Dead(REJECTED)).await;
    f.advance(seconds(99));
    assert_eq!(f.expire(10).await, 0);
    assert!(f.is_known(1).await, "dropped early");
    go_after(&f, seconds(2), 1).await;
    Ok(())
}

pub(super) async fn a_message_that_is_over_and_gone_may_come_again(subject: &Tested) -> CaseResult {
    require(subject.capabilities().exact_expiry, AT_LEISURE)?;
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    f.advance(RETENTION);
    assert_eq!(f.expire(10).await, 1);
    f.insert(f.expiring(1, 2, f.time.now() + RETENTION)).await;
    assert!(f.lookup(keys(1)).await.is_empty());
    assert_eq!(f.confirm(2).await, ConfirmOutcome::Queued);
    f.sizes(1, 1, 0).await;
    Ok(())
}
