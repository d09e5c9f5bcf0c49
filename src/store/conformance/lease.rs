//! Handing out what is due.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use super::{
    erased::Tested,
    fixture::{Fixture, LEASE, REJECTED, seconds, sids},
    messages::{account, base_url, sid},
    verdict::{CaseResult, require},
};
use crate::store::{LeaseRequest, SettleOutcome, SettledAs};

const NOT_EXACT: &str = "its next_due is not exact";

pub(super) async fn an_empty_outbox_leases_nothing_and_is_never_due(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    let answer = f.lease(10).await;
    assert!(answer.entries.is_empty());
    assert_eq!((answer.next_due, answer.more_due), (None, false));
    Ok(())
}

pub(super) async fn a_leased_entry_says_all_that_a_call_needs(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let url = base_url("https://api.dublin.ie1.twilio.com/2010-04-01");
    let mut message = f.message_of(3, 1, 1);
    message.base_url = url.clone();
    f.insert(message).await;
    f.advance(Duration::from_millis(1));
    f.confirm(1).await;
    let confirmed_at = f.time.now();
    f.advance(Duration::from_millis(5678));
    let entry = f.lease_one().await;
    assert_eq!((entry.sid, entry.account, &entry.base_url), (sid(1), account(3), &url));
    assert_eq!(entry.confirmed_at, confirmed_at);
    assert_eq!(entry.age, Duration::from_millis(5678));
    assert_eq!((entry.attempts.total, entry.attempts.not_found), (0, 0));
    Ok(())
}

pub(super) async fn an_entry_under_a_lease_is_leased_to_nobody_else(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    assert_eq!(f.lease(10).await.entries.len(), 1);
    for wait in [Duration::ZERO, LEASE - seconds(1), Duration::from_millis(999)] {
        f.advance(wait);
        let answer = f.lease(10).await;
        assert!(answer.entries.is_empty());
        assert!(!answer.more_due, "it is not due");
    }
    f.advance(Duration::from_millis(1));
    assert_eq!(f.lease(10).await.entries.len(), 1);
    Ok(())
}

pub(super) async fn a_lease_that_ran_out_is_anothers_and_the_old_token_settles_nothing(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    let first = f.lease_one().await;
    f.advance(LEASE);
    let second = f.lease_one().await;
    assert_eq!(second.id, first.id);
    assert_ne!(second.token, first.token);
    assert_eq!(second.attempts, first.attempts, "a lease is no attempt");
    let before = f.status(1).await;
    let ends = [SettledAs::Delivered, SettledAs::Retry(Duration::ZERO), SettledAs::Dead(REJECTED)];
    for settled_as in ends {
        assert_eq!(f.settle(&first, settled_as).await, SettleOutcome::LeaseLost);
    }
    assert_eq!(f.status(1).await, before);
    assert!(f.lease(10).await.entries.is_empty(), "the second lease holds");
    assert_eq!(f.settle(&second, SettledAs::Delivered).await, SettleOutcome::Settled);
    f.sizes(1, 0, 0).await;
    Ok(())
}

pub(super) async fn no_entry_has_the_same_token_twice(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=3 {
        f.queue(0, n).await;
    }
    let mut tokens = HashSet::new();
    for turn in 0..20 {
        let entries = f.lease(10).await.entries;
        for entry in &entries {
            assert!(tokens.insert((entry.id, entry.token)));
            if turn % 3 == 0 {
                f.settle(entry, SettledAs::Retry(Duration::ZERO)).await;
            }
        }
        f.advance(LEASE);
    }
    assert_eq!(tokens.len(), 60);
    Ok(())
}

pub(super) async fn the_limit_holds_and_more_due_says_what_is_left(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=5 {
        f.queue(u64::from(n % 2), n).await;
    }
    let mut seen = BTreeSet::new();
    for (limit, count) in [(0, 0), (3, 3), (0, 0), (1, 1)] {
        let mut request = LeaseRequest::new(limit, LEASE);
        request.other_accounts = 100;
        let answer = f.lease_fully(&request).await;
        assert_eq!(answer.entries.len(), count);
        assert!(answer.more_due, "some are left behind");
        seen.extend(sids(&answer));
    }
    let answer = f.lease(10).await;
    seen.extend(sids(&answer));
    assert_eq!((answer.entries.len(), answer.more_due), (1, false));
    assert_eq!(seen.len(), 5);
    let nothing = LeaseRequest { limit: 0, ..LeaseRequest::new(100, LEASE) };
    let answer = f.lease_fully(&nothing).await;
    assert_eq!((answer.entries.len(), answer.more_due), (0, false));
    Ok(())
}

pub(super) async fn each_account_has_its_bound(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 1..=12 {
        f.queue(u64::from(n % 3), n).await;
    }
    let mut request = LeaseRequest::new(100, LEASE);
    // One that has nothing in the outbox is no matter.
    request.accounts = vec![(account(0), 0), (account(1), 3), (account(9), 5)];
    request.other_accounts = 2;
    let answer = f.lease_fully(&request).await;
    let count = |n| answer.entries.iter().filter(|entry| entry.account == account(n)).count();
    assert_eq!([count(0), count(1), count(2)], [0, 3, 2]);
    request.limit = 0;
    assert!(f.lease_as(&request).await.more_due, "the bounds left some behind");
    request.limit = 100;
    // The named ones alone, down to the last.
    request.accounts = vec![(account(1), 9)];
    request.other_accounts = 0;
    let answer = f.lease_fully(&request).await;
    assert_eq!((answer.entries.len(), answer.more_due), (1, false));
    request.accounts.clear();
    let answer = f.lease_fully(&request).await;
    assert_eq!((answer.entries.len(), answer.more_due, answer.next_due), (0, false, None));
    Ok(())
}

pub(super) async fn next_due_is_the_time_until_the_next_that_is_not_due_yet(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().exact_next_due, NOT_EXACT)?;
    let f = Fixture::new(subject).await;
    for n in 1..=4 {
        f.queue(u64::from(n % 2), n).await;
    }
    let answer = f.lease(3).await;
    assert_eq!((answer.entries.len(), answer.next_due, answer.more_due), (3, Some(LEASE), true));
    f.advance(seconds(1));
    let entries = [answer.entries, f.lease(4).await.entries].concat();
    for (entry, wait) in entries.iter().zip([40, 20, 30, 60]) {
        f.settle(entry, SettledAs::Retry(seconds(wait))).await;
    }
    assert_eq!(f.lease(10).await.next_due, Some(seconds(20)));
    f.advance(Duration::from_millis(19_999));
    assert_eq!(f.lease(10).await.next_due, Some(Duration::from_millis(1)));
    f.advance(Duration::from_millis(10_001));
    // What is leased here is due again when its lease runs out.
    let due = f.lease(10).await;
    assert_eq!((due.entries.len(), due.next_due), (2, Some(seconds(10))));
    Ok(())
}

pub(super) async fn next_due_says_nothing_of_accounts_whose_bound_is_zero(
    subject: &Tested,
) -> CaseResult {
    require(subject.capabilities().exact_next_due, NOT_EXACT)?;
    let f = Fixture::new(subject).await;
    f.queue(0, 1).await;
    f.queue(1, 2).await;
    let mut request = LeaseRequest::new(100, LEASE);
    request.accounts = vec![(account(0), 0)];
    let answer = f.lease_fully(&request).await;
    assert_eq!((sids(&answer), answer.more_due), (vec![sid(2)], false));
    f.advance(seconds(10));
    let answer = f.lease_fully(&request).await;
    assert!(answer.entries.is_empty());
    assert_eq!(answer.next_due, Some(LEASE - seconds(10)));
    request.accounts.push((account(1), 0));
    assert_eq!(f.lease_fully(&request).await.next_due, None);
    Ok(())
}

pub(super) async fn what_comes_due_is_leased_in_as_many_calls_as_it_takes(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    for n in 0..60 {
        f.queue(u64::from(n % 7), n).await;
    }
    let mut leased = BTreeSet::new();
    loop {
        let answer = f.lease(7).await;
        for entry in &answer.entries {
            assert!(leased.insert(entry.sid), "{} is leased twice", entry.sid);
        }
        if answer.entries.is_empty() {
            assert!(!answer.more_due, "more is due and is not leased");
            break;
        }
    }
    assert_eq!(leased, (0..60).map(sid).collect());
    Ok(())
}
