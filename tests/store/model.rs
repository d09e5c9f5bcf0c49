//! The simplest store there is: a list of messages and a list of outbox
//! entries, scanned from end to end each time.

use std::time::Duration;

use tower_message_feedback::{
    AccountSid, CorrelationKeys, Timestamp,
    store::{
        Attempts, ConfirmOutcome, Leased, LedgerStatus, ResendOutcome, SettledAs, TrackedMessage,
    },
};

use crate::support::{LEASE, account, keys, seconds};

pub(crate) const MAX_OUTBOX: usize = 4;
pub(crate) const LEDGER: Duration = seconds(300);
pub(crate) const DEAD_LETTERS: Duration = seconds(900);

pub(crate) struct Message {
    pub(crate) n: u64,
    pub(crate) tracked: TrackedMessage,
    pub(crate) arrival: usize,
    pub(crate) expires_at: Timestamp,
    pub(crate) status: LedgerStatus,
}

pub(crate) struct Entry {
    pub(crate) n: u64,
    pub(crate) owner: AccountSid,
    pub(crate) confirmed_at: Timestamp,
    pub(crate) due_at: Timestamp,
    pub(crate) order: usize,
    pub(crate) attempts: Attempts,
    /// The lease that holds it, as a place in the list of all leases.
    pub(crate) lease: Option<usize>,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) messages: Vec<Message>,
    pub(crate) outbox: Vec<Entry>,
    pub(crate) leases: Vec<Leased>,
    pub(crate) served: Option<AccountSid>,
    pub(crate) next: usize,
}

impl Message {
    pub(crate) fn is_queued(&self) -> bool {
        matches!(self.status, LedgerStatus::Queued { .. })
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.status, LedgerStatus::Dead { .. })
    }

    pub(crate) fn age(&self) -> (Timestamp, usize) {
        (self.tracked.sent_at, self.arrival)
    }
}

impl Model {
    pub(crate) fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    pub(crate) fn message(&mut self, n: u64) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.n == n)
    }

    pub(crate) fn insert(&mut self, n: u64, tracked: &TrackedMessage) {
        let arrival = self.number();
        self.messages.push(Message {
            n,
            tracked: tracked.clone(),
            arrival,
            expires_at: tracked.expires_at,
            status: LedgerStatus::Pending,
        });
    }

    pub(crate) fn enqueue(&mut self, n: u64, now: Timestamp) -> ConfirmOutcome {
        let full = self.outbox.len() >= MAX_OUTBOX;
        let order = self.number();
        let message = self.message(n).expect("a known message");
        if message.status != LedgerStatus::Pending {
            return ConfirmOutcome::AlreadyConfirmed;
        }
        if full {
            return ConfirmOutcome::Full;
        }
        let attempts = Attempts::default();
        message.status = LedgerStatus::queued(now, attempts);
        let owner = message.tracked.account;
        self.outbox.push(Entry {
            n,
            owner,
            confirmed_at: now,
            due_at: now,
            order,
            attempts,
            lease: None,
        });
        ConfirmOutcome::Queued
    }

    pub(crate) fn under(&self, keys: CorrelationKeys) -> Vec<Vec<u64>> {
        let under = |key| {
            let mut found: Vec<&Message> =
                self.messages.iter().filter(|message| message.tracked.key == key).collect();
            found.sort_by_key(|message| std::cmp::Reverse(message.age()));
            found.iter().map(|message| message.n).collect()
        };
        keys.iter().map(under).collect()
    }

    pub(crate) fn confirm(
        &mut self,
        keys: CorrelationKeys,
        all: bool,
        now: Timestamp,
    ) -> ConfirmOutcome {
        let chains = self.under(keys);
        if all {
            // In the order they were sent, the current key's first.
            let order: Vec<u64> = chains.into_iter().flat_map(|c| c.into_iter().rev()).collect();
            let outcomes: Vec<_> = order.into_iter().map(|n| self.enqueue(n, now)).collect();
            use ConfirmOutcome::{AlreadyConfirmed, Full, Queued, Unknown};
            let said = [Full, Queued, AlreadyConfirmed].into_iter().find(|o| outcomes.contains(o));
            return said.unwrap_or(Unknown);
        }
        let Some(chain) = chains.into_iter().find(|chain| !chain.is_empty()) else {
            return ConfirmOutcome::Unknown;
        };
        let sent = chain
            .iter()
            .copied()
            .find(|n| self.message(*n).is_some_and(|m| m.tracked.sent_at < now + seconds(60)));
        self.enqueue(sent.unwrap_or(chain[0]), now)
    }

    pub(crate) fn bound(owner: AccountSid, small: usize) -> usize {
        if owner == account(0) { small } else { 2 }
    }

    pub(crate) fn lease(
        &mut self,
        limit: usize,
        small: usize,
        now: Timestamp,
    ) -> (Vec<u64>, Option<Duration>, bool) {
        let mut round: Vec<AccountSid> = self.outbox.iter().map(|entry| entry.owner).collect();
        round.sort();
        round.dedup();
        let behind = round.iter().position(|owner| Some(*owner) > self.served).unwrap_or(0);
        round.rotate_left(behind);
        round.retain(|owner| Self::bound(*owner, small) > 0);
        let mut leased = Vec::new();
        for turn in 0.. {
            let before = leased.len();
            for owner in &round {
                if leased.len() == limit || turn >= Self::bound(*owner, small) {
                    continue;
                }
                let next = self
                    .outbox
                    .iter_mut()
                    .filter(|entry| entry.owner == *owner && entry.due_at <= now)
                    .min_by_key(|entry| (entry.due_at, entry.order));
                let Some(next) = next else { continue };
                next.due_at = now + LEASE;
                next.lease = Some(self.leases.len() + leased.len());
                leased.push(next.n);
                self.served = Some(*owner);
            }
            if leased.len() == before {
                break;
            }
        }
        let of_round = |entry: &&Entry| round.contains(&entry.owner);
        let (due, later): (Vec<&Entry>, Vec<&Entry>) =
            self.outbox.iter().filter(of_round).partition(|entry| entry.due_at <= now);
        let next_due = later.iter().map(|entry| entry.due_at.since(now)).min();
        (leased, next_due, !due.is_empty())
    }

    pub(crate) fn settle(
        &mut self,
        lease: usize,
        attempts: Attempts,
        to: SettledAs,
        now: Timestamp,
    ) -> bool {
        let Some(at) = self.outbox.iter().position(|entry| entry.lease == Some(lease)) else {
            return false;
        };
        let entry = &mut self.outbox[at];
        (entry.lease, entry.attempts) = (None, attempts);
        if let SettledAs::Retry(wait) = to {
            entry.due_at = now + wait;
        }
        let n = entry.n;
        let message = self.message(n).expect("a message of the outbox");
        let LedgerStatus::Queued { confirmed_at, .. } = message.status else { panic!("queued") };
        message.status = match to {
            SettledAs::Retry(_) => LedgerStatus::queued(confirmed_at, attempts),
            SettledAs::Delivered => {
                message.expires_at = now + LEDGER;
                LedgerStatus::delivered(confirmed_at, now, attempts)
            }
            SettledAs::Dead(failure) => {
                message.expires_at = now + DEAD_LETTERS;
                LedgerStatus::dead(confirmed_at, now, attempts, failure)
            }
            _ => panic!("a new way to settle"),
        };
        if !message.is_queued() {
            self.outbox.remove(at);
        }
        true
    }

    pub(crate) fn forget(&mut self, id: u8) -> usize {
        let gone = self.under(keys(id)).concat();
        self.messages.retain(|message| !gone.contains(&message.n));
        self.outbox.retain(|entry| !gone.contains(&entry.n));
        gone.len()
    }

    pub(crate) fn resend(&mut self, n: u64, now: Timestamp) -> ResendOutcome {
        let full = self.outbox.len() >= MAX_OUTBOX;
        let order = self.number();
        let Some(message) = self.message(n) else { return ResendOutcome::NotDead };
        let LedgerStatus::Dead { confirmed_at, .. } = message.status else {
            return ResendOutcome::NotDead;
        };
        if full {
            return ResendOutcome::Full;
        }
        let attempts = Attempts::default();
        message.status = LedgerStatus::queued(confirmed_at, attempts);
        let owner = message.tracked.account;
        self.outbox.push(Entry {
            n,
            owner,
            confirmed_at: now,
            due_at: now,
            order,
            attempts,
            lease: None,
        });
        ResendOutcome::Queued
    }
}
