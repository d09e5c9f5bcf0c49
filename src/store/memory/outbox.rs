use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

use super::sources::Source;
use crate::{
    AccountSid, BaseUrl, CorrelationKey, MessageSid, Timestamp,
    store::{
        Attempts, EntryId, LeaseAnswer, LeaseRequest, LeaseToken, Leased, SettledAs, Settlement,
    },
};

/// Where a message lies, if it is still there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hint {
    /// Names the shard.
    pub(super) key: CorrelationKey,
    pub(super) at: u32,
    pub(super) sid: MessageSid,
}

/// The confirmed messages that Twilio has not acknowledged, by account and by
/// the time they are due.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: BTreeMap<EntryId, Entry>,
    accounts: BTreeMap<AccountSid, BTreeSet<(Timestamp, EntryId)>>,
    /// The account that was served last: the next lease begins behind it.
    last_served: Option<AccountSid>,
    next_id: u64,
    next_token: u64,
}

#[derive(Debug)]
struct Entry {
    hint: Hint,
    account: AccountSid,
    base_url: BaseUrl,
    confirmed_at: Timestamp,
    due_at: Timestamp,
    attempts: Attempts,
    token: Option<LeaseToken>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn oldest(&self) -> Option<Timestamp> {
        // Ids rise with the time of the confirm.
        self.entries.first_key_value().map(|(_, entry)| entry.confirmed_at)
    }

    pub(super) fn push(&mut self, hint: Hint, source: &Source, now: Timestamp) -> EntryId {
        self.next_id += 1;
        let id = EntryId::new(self.next_id);
        self.entries.insert(
            id,
            Entry {
                hint,
                account: source.account,
                base_url: source.base_url.clone(),
                confirmed_at: now,
                due_at: now,
                attempts: Attempts::default(),
                token: None,
            },
        );
        self.accounts.entry(source.account).or_default().insert((now, id));
        id
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.undue(&entry, id);
        }
    }

    fn undue(&mut self, entry: &Entry, id: EntryId) {
        if let Some(due) = self.accounts.get_mut(&entry.account) {
            due.remove(&(entry.due_at, id));
            if due.is_empty() {
                self.accounts.remove(&entry.account);
            }
        }
    }

    fn reschedule(&mut self, id: EntryId, due_at: Timestamp) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(due) = self.accounts.get_mut(&entry.account) {
            due.remove(&(entry.due_at, id));
            due.insert((due_at, id));
        }
        entry.due_at = due_at;
    }

    pub(super) fn lease(&mut self, request: &LeaseRequest, now: Timestamp) -> LeaseAnswer {
        let mut accounts: Vec<(AccountSid, usize)> = self
            .in_turn()
            .map(|account| (account, request.bound(account)))
            .filter(|(_, bound)| *bound > 0)
            .collect();
        let mut entries = Vec::new();
        let until = now + request.duration;
        let mut progress = true;
        while progress {
            progress = false;
            for (account, bound) in &mut accounts {
                if *bound == 0 || entries.len() == request.limit {
                    continue;
                }
                let Some(leased) = self.lease_next(*account, now, until) else { continue };
                *bound -= 1;
                progress = true;
                self.last_served = Some(*account);
                entries.push(leased);
            }
        }
        let mut answer = LeaseAnswer { entries, next_due: None, more_due: false };
        for (account, _) in &accounts {
            let Some(due) = self.accounts.get(account) else { continue };
            answer.more_due |= due.first().is_some_and(|(due_at, _)| *due_at <= now);
            let later = due.range((Excluded((now, EntryId::new(u64::MAX))), Unbounded)).next();
            let wait = later.map(|(due_at, _)| due_at.since(now));
            answer.next_due = answer.next_due.into_iter().chain(wait).min();
        }
        answer
    }

    /// The accounts with entries, beginning behind the one that was served last.
    fn in_turn(&self) -> impl Iterator<Item = AccountSid> {
        let behind = self.accounts.range((self.last_served.map_or(Unbounded, Excluded), Unbounded));
        let rest = self.last_served.map(|last| self.accounts.range(..=last)).into_iter().flatten();
        behind.chain(rest).map(|(account, _)| *account)
    }

    fn lease_next(
        &mut self,
        account: AccountSid,
        now: Timestamp,
        until: Timestamp,
    ) -> Option<Leased> {
        let (due_at, id) = *self.accounts.get(&account)?.first()?;
        if due_at > now {
            return None;
        }
        self.next_token += 1;
        let token = LeaseToken::new(self.next_token);
        self.reschedule(id, until);
        let entry = self.entries.get_mut(&id)?;
        entry.token = Some(token);
        Some(Leased {
            id,
            token,
            sid: entry.hint.sid,
            account,
            base_url: entry.base_url.clone(),
            confirmed_at: entry.confirmed_at,
            age: now.since(entry.confirmed_at),
            attempts: entry.attempts,
        })
    }

    /// Settles an entry; `None` if the lease is no longer the caller's.
    pub(super) fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Option<Hint> {
        let entry = self.entries.get_mut(&settlement.id)?;
        if entry.token != Some(settlement.token) {
            return None;
        }
        let hint = entry.hint;
        entry.token = None;
        entry.attempts = settlement.attempts;
        match settlement.settled_as {
            SettledAs::Retry(after) => self.reschedule(settlement.id, now + after),
            SettledAs::Delivered | SettledAs::Dead(_) => self.remove(settlement.id),
        }
        Some(hint)
    }
}
