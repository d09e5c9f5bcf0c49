use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use tokio_postgres::Row;

use super::{PostgresStore, access::Param, error::PostgresError, param::millis, turns::Look};
use crate::{
    AccountSid, MessageSid, Timestamp,
    store::{Attempts, EntryId, LeaseAnswer, LeaseRequest, LeaseToken, Leased},
};

impl PostgresStore {
    pub(super) async fn lease_once(
        &self,
        request: &LeaseRequest,
    ) -> Result<LeaseAnswer, PostgresError> {
        let mut probe = None;
        match self.turns.look(Instant::now()) {
            Look::All => {}
            Look::Probe(known) => {
                let nothing = LeaseRequest { limit: 0, ..request.clone() };
                let begun = Instant::now();
                self.lease_from(&nothing, Some(&known)).await?;
                probe = Some(begun.elapsed());
            }
            Look::Known(known) => {
                let found = self.lease_from(request, Some(&known)).await?;
                self.turns.advanced(found.beginnings());
                return self.answer(request, found).await;
            }
        }
        let begun = Instant::now();
        let found = self.lease_from(request, None).await?;
        self.turns.looked(Instant::now(), begun.elapsed(), probe, found.beginnings());
        self.answer(request, found).await
    }

    /// Leases from the known accounts, or from all that have entries.
    async fn lease_from(
        &self,
        request: &LeaseRequest,
        known: Option<&[(i32, i64)]>,
    ) -> Result<Found, PostgresError> {
        let bound = |bound: usize| i64::try_from(bound).unwrap_or(i64::MAX - 1).min(i64::MAX - 1);
        // Of two bounds of one account the first counts.
        let mut named: BTreeMap<AccountSid, i64> = BTreeMap::new();
        for (account, entries) in &request.accounts {
            named.entry(*account).or_insert(bound(*entries));
        }
        let accounts: Vec<Vec<u8>> = named.keys().map(|account| account.pack()).collect();
        let bounds: Vec<i64> = named.into_values().collect();
        let token = self.next_token();
        let now = self.now();
        let (others, limit) = (bound(request.other_accounts), bound(request.limit));
        let duration = millis(request.duration);
        let served = self.turns.served().map(AccountSid::pack);
        let mut params: Vec<Param<'_>> =
            vec![&now, &accounts, &bounds, &others, &limit, &duration, &token, &served];
        let (ids, since): (Vec<i32>, Vec<i64>);
        let rows = match known {
            None => self.access.query(&self.statements.lease_all, &params).await?,
            Some(known) => {
                (ids, since) = known.iter().copied().unzip();
                params.push(&ids);
                params.push(&since);
                self.access.query(&self.statements.lease_known, &params).await?
            }
        };
        Found::read(&rows, LeaseToken::new(token as u64))
    }

    async fn answer(
        &self,
        request: &LeaseRequest,
        mut found: Found,
    ) -> Result<LeaseAnswer, PostgresError> {
        let sources = found.entries.iter().map(|entry| entry.source);
        self.sources.load(&self.access, &self.statements, sources).await?;
        let leased = !found.entries.is_empty();
        let due: i64 = found.accounts.values().map(|account| account.due).sum();
        let more_due = due > i64::try_from(found.entries.len()).unwrap_or(i64::MAX);
        let next = found.accounts.values().filter_map(|account| account.next).min();
        let mut next_due = next.map(|at| Timestamp::from_millis(at).since(found.now));
        if leased {
            // What was leased just now is due again when the lease runs out.
            next_due = Some(next_due.map_or(request.duration, |due| due.min(request.duration)));
        }
        found.take_turns();
        let mut entries = Vec::with_capacity(found.entries.len());
        for entry in &found.entries {
            // An account or URL that only a later version can read: its lease
            // runs out, and another process delivers it.
            let Some(source) = self.sources.get(entry.source) else {
                tracing::warn!(sid = %entry.sid, "an entry of the outbox cannot be read");
                continue;
            };
            let confirmed_at = Timestamp::from_millis(entry.confirmed_at);
            entries.push(Leased {
                id: EntryId::new(entry.id as u64),
                token: found.token,
                sid: entry.sid,
                account: source.account,
                base_url: source.base_url,
                confirmed_at,
                age: found.now.since(confirmed_at),
                attempts: entry.attempts,
            });
        }
        if let Some(last) = entries.last() {
            self.turns.serve(last.account);
        }
        Ok(LeaseAnswer { entries, next_due, more_due })
    }
}

/// What a lease found.
struct Found {
    now: Timestamp,
    token: LeaseToken,
    entries: Vec<Entry>,
    accounts: HashMap<i32, Account>,
}

struct Entry {
    account: i32,
    id: i64,
    due_at: i64,
    sid: MessageSid,
    source: i32,
    confirmed_at: i64,
    attempts: Attempts,
}

struct Account {
    turn: i64,
    /// How many entries were due, up to one more than the bound.
    due: i64,
    /// When the next one is due that was not.
    next: Option<i64>,
    /// When the first of all was due, leased ones included.
    first: Option<i64>,
}

impl Found {
    fn read(rows: &[Row], token: LeaseToken) -> Result<Self, PostgresError> {
        let mut found = Self {
            now: Timestamp::from_millis(0),
            token,
            entries: Vec::with_capacity(rows.len()),
            accounts: HashMap::new(),
        };
        for row in rows {
            found.now = Timestamp::from_millis(row.try_get(12)?);
            let Some(account) = row.try_get::<_, Option<i32>>(0)? else { continue };
            let Some(id) = row.try_get::<_, Option<i64>>(1)? else {
                let of = Account {
                    turn: row.try_get(8)?,
                    due: row.try_get(9)?,
                    next: row.try_get(10)?,
                    first: row.try_get(11)?,
                };
                found.accounts.insert(account, of);
                continue;
            };
            let Some(sid) = MessageSid::unpack(row.try_get(3)?) else { continue };
            found.entries.push(Entry {
                account,
                id,
                due_at: row.try_get(2)?,
                sid,
                source: row.try_get(4)?,
                confirmed_at: row.try_get(5)?,
                attempts: attempts(row.try_get(6)?, row.try_get(7)?),
            });
        }
        Ok(found)
    }

    fn beginnings(&self) -> impl Iterator<Item = (i32, Option<i64>)> {
        self.accounts.iter().map(|(account, of)| (*account, of.first))
    }

    /// Puts the entries in order: one of each account, then the next of each.
    fn take_turns(&mut self) {
        self.entries.sort_by_key(|entry| (entry.account, entry.due_at, entry.id));
        let mut round = 0_u32;
        let mut last = None;
        let mut places = HashMap::with_capacity(self.entries.len());
        for entry in &self.entries {
            round = if last == Some(entry.account) { round + 1 } else { 0 };
            last = Some(entry.account);
            let turn = self.accounts.get(&entry.account).map_or(0, |account| account.turn);
            places.insert(entry.id, (round, turn));
        }
        self.entries.sort_by_key(|entry| places.get(&entry.id).copied());
    }
}

/// Attempts as they are kept; a negative number is nobody's.
pub(super) fn attempts(total: i32, not_found: i32) -> Attempts {
    Attempts::new(total.max(0) as u32, not_found.max(0) as u32)
}
