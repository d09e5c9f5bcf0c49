use std::collections::HashSet;

use tower_message_feedback::store::{LeaseRequest, SettleOutcome, SettledAs};

use crate::support::{Fixture, LEASE, START, account, seconds, sid, sids};

#[test]
fn an_empty_outbox_leases_nothing_and_is_never_due() {
    let fixture = Fixture::new();
    let answer = fixture.lease(10);
    assert!(answer.entries.is_empty());
    assert_eq!(answer.next_due, None);
}

#[test]
fn a_leased_entry_says_all_that_a_call_needs() {
    let fixture = Fixture::new();
    fixture.queue(3, 1);
    fixture.advance(seconds(5));
    let entry = fixture.lease_one();
    assert_eq!(entry.sid, sid(1));
    assert_eq!(entry.account, account(3));
    assert_eq!(entry.base_url.as_str(), "https://api.twilio.com/2010-04-01");
    assert_eq!(entry.confirmed_at, START);
    assert_eq!(entry.age, seconds(5));
    assert_eq!(entry.attempts.total, 0);
}

#[test]
fn an_entry_under_a_lease_is_leased_to_nobody_else() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    assert_eq!(fixture.lease(10).entries.len(), 1);
    let answer = fixture.lease(10);
    assert!(answer.entries.is_empty());
    assert_eq!(answer.next_due, Some(LEASE));
    fixture.advance(LEASE - seconds(1));
    let answer = fixture.lease(10);
    assert!(answer.entries.is_empty());
    assert_eq!(answer.next_due, Some(seconds(1)));
}

#[test]
fn a_lease_that_ran_out_is_anothers_and_the_old_token_settles_nothing() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    let first = fixture.lease_one();
    fixture.advance(LEASE);
    let second = fixture.lease_one();
    assert_eq!(second.id, first.id);
    assert_ne!(second.token, first.token);
    for settled_as in [SettledAs::Delivered, SettledAs::Retry(seconds(0))] {
        assert_eq!(fixture.settle(&first, settled_as), SettleOutcome::LeaseLost);
    }
    assert!(fixture.is_queued(1));
    assert!(fixture.lease(10).entries.is_empty(), "the second lease holds");
    assert_eq!(fixture.settle(&second, SettledAs::Delivered), SettleOutcome::Settled);
    assert_eq!(fixture.sizes(), (1, 0, 0));
}

#[test]
fn tokens_are_never_used_twice() {
    let fixture = Fixture::new();
    for n in 1..=3 {
        fixture.queue(0, n);
    }
    let mut tokens = HashSet::new();
    for _ in 0..20 {
        for entry in fixture.lease(10).entries {
            assert!(tokens.insert(entry.token));
        }
        fixture.advance(LEASE);
    }
    assert_eq!(tokens.len(), 60);
}

#[test]
fn entries_of_an_account_go_in_the_order_of_their_confirms() {
    let fixture = Fixture::new();
    for n in [5, 3, 4] {
        fixture.queue(0, n);
        fixture.advance(seconds(1));
    }
    assert_eq!(sids(&fixture.lease(2)), [sid(5), sid(3)]);
    assert_eq!(sids(&fixture.lease(2)), [sid(4)]);
}

#[test]
fn the_limit_holds_and_what_is_left_is_due_at_once() {
    let fixture = Fixture::new();
    for n in 1..=5 {
        fixture.queue(u64::from(n % 2), n);
    }
    let answer = fixture.lease(3);
    assert_eq!(answer.entries.len(), 3);
    assert!(answer.more_due);
    assert_eq!(answer.next_due, Some(LEASE));
    let answer = fixture.lease(0);
    assert!(answer.entries.is_empty());
    assert_eq!(fixture.lease(10).entries.len(), 2);
}

#[test]
fn each_account_has_its_bound() {
    let fixture = Fixture::new();
    for n in 1..=12 {
        fixture.queue(u64::from(n % 3), n);
    }
    let mut request = LeaseRequest::new(100, LEASE);
    request.accounts = vec![(account(0), 0), (account(1), 3)];
    request.other_accounts = 2;
    let answer = fixture.lease_as(&request);
    let count = |n| answer.entries.iter().filter(|entry| entry.account == account(n)).count();
    assert_eq!([count(0), count(1), count(2)], [0, 3, 2]);
    assert!(answer.more_due);
    assert_eq!(answer.next_due, Some(LEASE));
}

#[test]
fn next_due_says_nothing_of_accounts_whose_bound_is_zero() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    fixture.queue(1, 2);
    let mut request = LeaseRequest::new(100, LEASE);
    request.accounts = vec![(account(0), 0)];
    assert_eq!(sids(&fixture.lease_as(&request)), [sid(2)]);
    fixture.advance(seconds(10));
    let answer = fixture.lease_as(&request);
    assert!(answer.entries.is_empty());
    assert_eq!(answer.next_due, Some(LEASE - seconds(10)));
    request.accounts.push((account(1), 0));
    assert_eq!(fixture.lease_as(&request).next_due, None);
}

#[test]
fn a_large_account_does_not_starve_a_small_one() {
    let fixture = Fixture::new();
    for n in 1..=50 {
        fixture.queue(0, n);
    }
    fixture.queue(1, 100);
    fixture.queue(2, 101);
    let answer = fixture.lease(4);
    let accounts: HashSet<_> = answer.entries.iter().map(|entry| entry.account).collect();
    assert_eq!(accounts.len(), 3, "{:?}", sids(&answer));
}

#[test]
fn leases_continue_the_round_where_the_last_one_ended() {
    let fixture = Fixture::new();
    for n in 0..30 {
        fixture.queue(u64::from(n % 3), n);
    }
    let mut served = Vec::new();
    for limit in [1, 1, 2, 1, 4] {
        served.extend(fixture.lease(limit).entries.into_iter().map(|entry| entry.account));
    }
    let turns: Vec<_> = (0..9).map(|turn| account(turn % 3)).collect();
    assert_eq!(served, turns);
}

#[test]
fn the_round_goes_on_when_the_account_served_last_is_gone() {
    let fixture = Fixture::new();
    for n in 0..6 {
        fixture.queue(u64::from(n % 3), n);
    }
    fixture.lease(2);
    // Account 1, which was served last, has nothing left.
    fixture.forget(1);
    fixture.forget(4);
    let served: Vec<_> = fixture.lease(3).entries.into_iter().map(|entry| entry.account).collect();
    assert_eq!(served, [account(2), account(0), account(2)]);
}
