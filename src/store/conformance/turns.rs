//! Who is served first.

use std::{collections::HashSet, time::Duration};

use super::{
    erased::Tested,
    fixture::{Fixture, seconds, sids},
    messages::{account, sid},
    verdict::{CaseResult, require},
};
use crate::store::{ConfirmTarget, SettledAs};

const NOT_ORDERED: &str = "its leases follow no order across the store";

pub(super) async fn entries_of_an_account_go_in_the_order_of_their_confirms(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().ordered_leases, NOT_ORDERED)?;
    let f = Fixture::new(subject).await;
    for n in [5, 3, 4, 1] {
        f.queue(0, n).await;
        f.advance(Duration::from_millis(1));
    }
    assert_eq!(sids(&f.lease(2).await), [5, 3].map(sid));
    assert_eq!(sids(&f.lease(2).await), [4, 1].map(sid));
    Ok(())
}

pub(super) async fn entries_of_an_account_go_in_the_order_they_are_due(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().ordered_leases, NOT_ORDERED)?;
    let f = Fixture::new(subject).await;
    for n in 1..=4 {
        f.queue(0, n).await;
    }
    for entry in f.lease(4).await.entries {
        let wait = match entry.sid {
            due if due == sid(1) => 40,
            due if due == sid(2) => 20,
            due if due == sid(3) => 30,
            _ => 10,
        };
        f.settle(&entry, SettledAs::Retry(seconds(wait))).await;
    }
    f.advance(seconds(25));
    f.queue(0, 5).await;
    f.advance(seconds(25));
    assert_eq!(sids(&f.lease(10).await), [4, 2, 5, 3, 1].map(sid));
    Ok(())
}

pub(super) async fn a_large_account_does_not_starve_a_small_one(subject: &Tested) -> CaseResult {
    require(subject.capabilities().ordered_leases, NOT_ORDERED)?;
    let f = Fixture::new(subject).await;
    let large = (1..=50).map(|n| ConfirmTarget::Message(f.message(n, 1)));
    f.confirm_all(&large.collect::<Vec<_>>()).await;
    f.advance(seconds(1));
    f.queue(1, 100).await;
    f.queue(2, 101).await;
    let answer = f.lease(4).await;
    let accounts: HashSet<_> = answer.entries.iter().map(|entry| entry.account).collect();
    assert_eq!(accounts.len(), 3, "{:?}", sids(&answer));
    // In turn within the answer, too.
    let first: HashSet<_> = answer.entries[..3].iter().map(|entry| entry.account).collect();
    assert_eq!(first.len(), 3, "{:?}", sids(&answer));
    Ok(())
}

pub(super) async fn the_accounts_have_their_turns_across_leases(subject: &Tested) -> CaseResult {
    require(subject.capabilities().ordered_leases, NOT_ORDERED)?;
    let f = Fixture::new(subject).await;
    for n in 0..30 {
        f.queue(u64::from(n % 3), n).await;
    }
    let mut served = Vec::new();
    for limit in [1, 1, 1, 2, 1, 4, 2] {
        served.extend(f.lease(limit).await.entries.into_iter().map(|entry| entry.account));
    }
    for turn in served.chunks(3) {
        let turn: HashSet<_> = turn.iter().collect();
        assert_eq!(turn.len(), 3, "an account was passed over: {served:?}");
    }
    Ok(())
}

pub(super) async fn the_turns_go_on_when_the_account_served_last_is_gone(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().ordered_leases, NOT_ORDERED)?;
    let f = Fixture::new(subject).await;
    for n in 0..6 {
        f.queue(u64::from(n % 3), n).await;
    }
    let served: Vec<_> = f.lease(2).await.entries.into_iter().map(|entry| entry.account).collect();
    let last = (0..3).find(|n| account(*n) == served[1]).unwrap_or_default() as u8;
    // Nothing is left of the account that was served last.
    f.forget(last).await;
    f.forget(last + 3).await;
    let left: Vec<_> = f.lease(3).await.entries.into_iter().map(|entry| entry.account).collect();
    let unserved = (0..3).map(account).find(|account| !served.contains(account));
    assert_eq!(left.len(), 3);
    assert_eq!(Some(left[0]), unserved, "it was passed over: {served:?}, then {left:?}");
    Ok(())
}
