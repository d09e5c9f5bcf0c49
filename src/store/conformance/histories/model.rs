//! The simplest store there is: a list of messages and a list of outbox
//! entries, scanned from end to end each time.

use std::time::Duration;

use crate::{
    AccountSid, CorrelationKeys, MessageSid, MessageStatus, Timestamp,
    store::{
        Attempts, ConfirmOutcome, LeaseRequest, Leased, LedgerEntry, LedgerStatus, SCHEDULED,
        SettledAs, StatusOutcome, StatusUpdate, TrackedMessage,
    },
};

#[derive(Debug)]
pub(super) struct Message {
    pub(super) tracked: TrackedMessage,
    pub(super) arrival: u64,
    pub(super) expires_at: Timestamp,
    pub(super) status: LedgerStatus,
    pub(super) delivery: Option<(MessageStatus, Option<u32>)>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sid: MessageSid,
    pub(super) account: AccountSid,
    /// When its age began: at its confirm, or when it was sent again.
    pub(super) queued_at: Timestamp,
    /// When it may be leased: under a lease, at its end.
    pub(super) due_at: Timestamp,
    /// The same, leases aside.
    pub(super) due_first_at: Timestamp,
    pub(super) attempts: Attempts,
    pub(super) resent: bool,
    /// The lease that holds it, as a place in the list of all leases.
    pub(super) lease: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) messages: Vec<Message>,
    pub(super) outbox: Vec<Entry>,
    pub(super) leases: Vec<Leased>,
    pub(super) arrivals: u64,
}

/// What [`Model::confirm`] leaves to the store.
pub(super) enum Confirmed {
    Outcome(ConfirmOutcome),
    /// Of these, as many as there is room for: which ones is the store's affair.
    SomeOf(Vec<MessageSid>),
}

impl Message {
    pub(super) fn is_pending(&self) -> bool {
        self.status == LedgerStatus::Pending
    }

    pub(super) fn is_queued(&self) -> bool {
        matches!(self.status, LedgerStatus::Queued { .. })
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.status, LedgerStatus::Dead { .. })
    }

    /// Whether it may be dropped at `now`.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        !self.is_queued() && self.expires_at <= now
    }

    fn confirmed_at(&self) -> Option<Timestamp> {
        match self.status {
            LedgerStatus::Pending => None,
            LedgerStatus::Queued { confirmed_at, .. }
            | LedgerStatus::Delivered { confirmed_at, .. }
            | LedgerStatus::Dead { confirmed_at, .. } => Some(confirmed_at),
        }
    }

    pub(super) fn ledger_entry(&self) -> LedgerEntry {
        LedgerEntry {
            key: self.tracked.key,
            sid: self.tracked.sid,
            account: self.tracked.account,
            base_url: self.tracked.base_url.clone(),
            sent_at: self.tracked.sent_at,
            segment: self.tracked.segment.clone(),
            status: self.status,
            message_status: self.delivery.map(|(status, _)| status),
            error_code: self.delivery.and_then(|(_, code)| code),
        }
    }
}

impl Model {
    pub(super) fn message(&self, sid: MessageSid) -> Option<&Message> {
        self.messages.iter().find(|message| message.tracked.sid == sid)
    }

    fn message_mut(&mut self, sid: MessageSid) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.tracked.sid == sid)
    }

    pub(super) fn insert(&mut self, tracked: &TrackedMessage) {
        self.arrivals += 1;
        self.messages.push(Message {
            tracked: tracked.clone(),
            arrival: self.arrivals,
            expires_at: tracked.expires_at,
            status: LedgerStatus::Pending,
            delivery: None,
        });
    }

    pub(super) fn update_status(&mut self, update: &StatusUpdate) -> StatusOutcome {
        let message = self.message_mut(update.sid);
        let Some(message) = message.filter(|m| m.tracked.account == update.account) else {
            return StatusOutcome::Unknown;
        };
        let previous = message.delivery.map(|(status, _)| status);
        if previous >= Some(update.status) {
            return StatusOutcome::NotNewer;
        }
        message.delivery = Some((update.status, update.error_code));
        StatusOutcome::Updated { previous }
    }

    /// A confirmed message's status may go before it.
    pub(super) fn drop_status(&mut self, sid: MessageSid) {
        if let Some(message) = self.message_mut(sid).filter(|message| !message.is_pending()) {
            message.delivery = None;
        }
    }

    /// The messages under each key, the newest first.
    fn chains(&self, keys: CorrelationKeys) -> Vec<Vec<&Message>> {
        keys.iter()
            .map(|key| {
                let of_key = self.messages.iter().filter(|message| message.tracked.key == key);
                let mut chain: Vec<&Message> = of_key.collect();
                chain.sort_by_key(|message| {
                    std::cmp::Reverse((message.tracked.sent_at, message.arrival))
                });
                chain
            })
            .collect()
    }

    /// What a lookup shows, in its order.
    pub(super) fn under(&self, keys: CorrelationKeys) -> Vec<&Message> {
        self.chains(keys).concat()
    }

    pub(super) fn enqueue(
        &mut self,
        sid: MessageSid,
        now: Timestamp,
        room: usize,
    ) -> ConfirmOutcome {
        let Some(message) = self.message_mut(sid) else { return ConfirmOutcome::Unknown };
        if !message.is_pending() {
            return ConfirmOutcome::AlreadyConfirmed;
        }
        if room == 0 {
            return ConfirmOutcome::Full;
        }
        message.status = LedgerStatus::queued(now, Attempts::default());
        let account = message.tracked.account;
        self.push(sid, account, now, false);
        ConfirmOutcome::Queued
    }

    fn push(&mut self, sid: MessageSid, account: AccountSid, now: Timestamp, resent: bool) {
        self.outbox.push(Entry {
            sid,
            account,
            queued_at: now,
            due_at: now,
            due_first_at: now,
            attempts: Attempts::default(),
            resent,
            lease: None,
        });
    }

    /// Confirms the newest under `keys`.
    pub(super) fn confirm_newest(
        &mut self,
        keys: CorrelationKeys,
        now: Timestamp,
        room: usize,
    ) -> ConfirmOutcome {
        let chains = self.chains(keys);
        let Some(chain) = chains.into_iter().find(|chain| !chain.is_empty()) else {
            return ConfirmOutcome::Unknown;
        };
        let sent = chain.iter().find(|message| message.tracked.sent_at < now + SCHEDULED);
        let sid = sent.unwrap_or(&chain[0]).tracked.sid;
        self.enqueue(sid, now, room)
    }

    /// Confirms all under `keys`, if there is room for them.
    pub(super) fn confirm_all(
        &mut self,
        keys: CorrelationKeys,
        now: Timestamp,
        room: usize,
    ) -> Confirmed {
        let chain = self.under(keys);
        if chain.is_empty() {
            return Confirmed::Outcome(ConfirmOutcome::Unknown);
        }
        let pending = chain.iter().filter(|message| message.is_pending());
        let pending: Vec<MessageSid> = pending.map(|message| message.tracked.sid).collect();
        if pending.len() > room {
            return Confirmed::SomeOf(pending);
        }
        for sid in &pending {
            self.enqueue(*sid, now, room);
        }
        Confirmed::Outcome(match pending.is_empty() {
            true => ConfirmOutcome::AlreadyConfirmed,
            false => ConfirmOutcome::Queued,
        })
    }

    /// The accounts that have entries and may have some leased, with how many at
    /// most.
    pub(super) fn leasable(
        &self,
        request: &LeaseRequest,
        now: Timestamp,
    ) -> Vec<(AccountSid, usize)> {
        let mut accounts: Vec<_> = self.outbox.iter().map(|entry| entry.account).collect();
        accounts.sort();
        accounts.dedup();
        accounts.retain(|account| request.bound(*account) > 0);
        let due = |account: AccountSid| {
            let of_account = self.outbox.iter().filter(|entry| entry.account == account);
            of_account.filter(|entry| entry.due_at <= now).count()
        };
        accounts
            .into_iter()
            .map(|account| (account, due(account).min(request.bound(account))))
            .collect()
    }

    pub(super) fn entry(&mut self, sid: MessageSid) -> Option<&mut Entry> {
        self.outbox.iter_mut().find(|entry| entry.sid == sid)
    }

    /// Whether the lease is still the entry's.
    pub(super) fn settle(
        &mut self,
        lease: usize,
        attempts: Attempts,
        to: SettledAs,
        now: Timestamp,
        retentions: (Duration, Duration),
    ) -> bool {
        let Some(at) = self.outbox.iter().position(|entry| entry.lease == Some(lease)) else {
            return false;
        };
        let entry = &mut self.outbox[at];
        (entry.lease, entry.attempts) = (None, attempts);
        if let SettledAs::Retry(wait) = to {
            entry.due_at = now + wait;
            entry.due_first_at = entry.due_at;
        }
        let sid = entry.sid;
        let Some(message) = self.message_mut(sid) else { return false };
        let Some(confirmed_at) = message.confirmed_at() else { return false };
        message.status = match to {
            SettledAs::Retry(_) => LedgerStatus::queued(confirmed_at, attempts),
            SettledAs::Delivered => {
                message.expires_at = now + retentions.0;
                LedgerStatus::delivered(confirmed_at, now, attempts)
            }
            SettledAs::Dead(failure) => {
                message.expires_at = now + retentions.1;
                LedgerStatus::dead(confirmed_at, now, attempts, failure)
            }
        };
        if !message.is_queued() {
            self.outbox.remove(at);
        }
        true
    }

    /// How many messages went.
    pub(super) fn forget(&mut self, gone: &[MessageSid]) -> usize {
        let before = self.messages.len();
        self.messages.retain(|message| !gone.contains(&message.tracked.sid));
        self.outbox.retain(|entry| !gone.contains(&entry.sid));
        before - self.messages.len()
    }

    /// Whether it was a dead letter; `None` if the outbox has no room for it.
    pub(super) fn resend(&mut self, sid: MessageSid, now: Timestamp, room: usize) -> Option<bool> {
        let Some(message) = self.message_mut(sid).filter(|message| message.is_dead()) else {
            return Some(false);
        };
        if room == 0 {
            return None;
        }
        let Some(confirmed_at) = message.confirmed_at() else { return Some(false) };
        message.status = LedgerStatus::queued(confirmed_at, Attempts::default());
        let account = message.tracked.account;
        self.push(sid, account, now, true);
        Some(true)
    }

    /// When something is due or over, of what is not yet.
    pub(super) fn edges(&self, now: Timestamp) -> Vec<Timestamp> {
        let over = self.messages.iter().filter(|message| !message.is_queued());
        let over = over.map(|message| message.expires_at);
        let due = self.outbox.iter().map(|entry| entry.due_at);
        over.chain(due).filter(|at| *at > now).collect()
    }

    /// The ages of the oldest entry, as from when it was confirmed or sent again,
    /// and as from its first confirm.
    pub(super) fn oldest(&self, now: Timestamp) -> Option<(Duration, Duration)> {
        let since = self.outbox.iter().map(|entry| now.since(entry.queued_at)).max()?;
        let first = self.outbox.iter().filter_map(|entry| self.message(entry.sid)?.confirmed_at());
        Some((since, first.map(|at| now.since(at)).max()?))
    }
}
