//! What a lease may answer.

use std::{collections::HashMap, time::Duration};

use super::{
    model::Model,
    step::{Step, ensure, same},
};
use crate::{
    AccountSid, Timestamp,
    store::{LeaseAnswer, LeaseRequest, LedgerStatus, conformance::Capabilities},
};

/// Compares an answer with the model, and takes the leases into it.
pub(super) fn check_lease(
    model: &mut Model,
    request: &LeaseRequest,
    answer: LeaseAnswer,
    now: Timestamp,
    capabilities: Capabilities,
) -> Step {
    let leasable = model.leasable(request, now);
    let most: usize = leasable.iter().map(|(_, most)| most).sum::<usize>().min(request.limit);
    let count = answer.entries.len();
    if capabilities.ordered_leases {
        same!(count, most, "lease: how many entries");
        in_turn(&leasable, answer.entries.iter().map(|entry| entry.account).collect())?;
        in_order(model, &leasable, &answer, now)?;
    } else {
        ensure!(count <= most, "lease: {count} entries when {most} may go");
        ensure!(count == most || answer.more_due, "lease: {count} of {most}, and no more_due");
    }
    for entry in answer.entries {
        let (sid, lease) = (entry.sid, model.leases.len());
        let message = model.message(sid).map(|message| message.ledger_entry());
        let Some(of) = model.entry(sid) else {
            return Err(format!("lease: {sid} is not in the outbox"));
        };
        ensure!(of.due_at <= now, "lease: {sid} is not due");
        same!(entry.account, of.account, "lease: account of {sid}");
        same!(entry.attempts, of.attempts, "lease: attempts of {sid}");
        same!(entry.age, now.since(of.queued_at), "lease: age of {sid}");
        (of.due_at, of.lease) = (now + request.duration, Some(lease));
        let resent = of.resent;
        if let Some(message) = message {
            same!(entry.base_url, message.base_url, "lease: base URL of {sid}");
            if let (LedgerStatus::Queued { confirmed_at, .. }, false) = (message.status, resent) {
                same!(entry.confirmed_at, confirmed_at, "lease: confirm of {sid}");
            }
        }
        model.leases.push(entry);
    }
    let of_round = model.outbox.iter().filter(|entry| request.bound(entry.account) > 0);
    let (due, later): (Vec<_>, Vec<_>) = of_round.partition(|entry| entry.due_at <= now);
    if capabilities.ordered_leases {
        same!(answer.more_due, !due.is_empty(), "lease: more_due");
    } else {
        ensure!(answer.more_due || due.is_empty(), "lease: no more_due, and some are left");
    }
    if capabilities.exact_next_due {
        // Leased before a step back, it may be looked at when it is due again, too.
        let again = later.iter().map(|entry| match entry.due_first_at > now {
            true => entry.due_first_at.since(now),
            false => entry.due_at.since(now),
        });
        let again: Option<Duration> = again.min();
        let next: Option<Duration> = later.iter().map(|entry| entry.due_at.since(now)).min();
        let answered = answer.next_due;
        ensure!(
            answered == next || answered == again,
            "lease: next_due: {answered:?} instead of {next:?}"
        );
    }
    Ok(())
}

/// The accounts are served in turn: while an account has more to give, none is
/// two ahead of it.
fn in_turn(leasable: &[(AccountSid, usize)], served: Vec<AccountSid>) -> Step {
    let mut given: HashMap<AccountSid, usize> = HashMap::new();
    for account in served {
        *given.entry(account).or_default() += 1;
        let ahead = given[&account];
        for (other, most) in leasable {
            let behind = given.get(other).copied().unwrap_or(0);
            ensure!(
                ahead <= behind + 1 || behind == *most,
                "lease: {account} has {ahead} turns when {other} has {behind} of {most}"
            );
        }
    }
    Ok(())
}

/// Of each account, what was due first; of those due at the same time, any. What a
/// lease ran out of may have kept its place, or stand where the lease ended.
fn in_order(
    model: &Model,
    leasable: &[(AccountSid, usize)],
    answer: &LeaseAnswer,
    now: Timestamp,
) -> Step {
    for (account, _) in leasable {
        let of_account = model.outbox.iter().filter(|entry| entry.account == *account);
        let due: Vec<_> = of_account
            .filter(|entry| entry.due_at <= now)
            .map(|entry| (entry.due_first_at, entry.due_at))
            .collect();
        let leased = answer.entries.iter().filter(|entry| entry.account == *account);
        let leased: Vec<_> = leased
            .filter_map(|leased| model.outbox.iter().find(|entry| entry.sid == leased.sid))
            .map(|entry| (entry.due_first_at, entry.due_at))
            .collect();
        let in_order_of = |time: fn(&(Timestamp, Timestamp)) -> Timestamp| {
            let mut due: Vec<_> = due.iter().map(time).collect();
            due.sort();
            let leased: Vec<_> = leased.iter().map(time).collect();
            due.starts_with(&leased)
        };
        ensure!(
            in_order_of(|(first, _)| *first) || in_order_of(|(_, at)| *at),
            "lease: order of {account}: {leased:?} of {due:?}"
        );
    }
    Ok(())
}
