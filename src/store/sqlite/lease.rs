//! Handing out what is due, the accounts in turn.

use std::collections::VecDeque;

use rusqlite::Row;

use super::{
    error::{Problem, SqliteError},
    session::Session,
    statements::Query,
};
use crate::{
    AccountSid, MessageSid, Timestamp,
    store::{Attempts, EntryId, LeaseAnswer, LeaseRequest, LeaseToken, Leased},
};

/// An entry that is due.
struct Due {
    id: i64,
    due_at: i64,
    queued_at: Timestamp,
    attempts: Attempts,
    sid: MessageSid,
    base_url: i64,
}

/// What an account may still get, and what of it was read so far.
struct Lane {
    account: AccountSid,
    number: i64,
    bound: usize,
    read: VecDeque<Due>,
    /// Where the next reading begins.
    behind: (i64, i64),
    is_exhausted: bool,
}

pub(super) fn attempts(total: i64, not_found: i64) -> Attempts {
    let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Attempts::new(count(total), count(not_found))
}

fn due(row: &Row<'_>) -> Result<Due, SqliteError> {
    let sid = row.get_ref(5)?.as_blob().ok().and_then(MessageSid::unpack);
    Ok(Due {
        id: row.get(0)?,
        due_at: row.get(1)?,
        queued_at: Timestamp::from_millis(row.get(2)?),
        attempts: attempts(row.get(3)?, row.get(4)?),
        sid: sid.ok_or(Problem::Unreadable { column: "tmf_message.sid" })?,
        base_url: row.get(6)?,
    })
}

impl Session<'_> {
    pub(super) fn lease(&mut self, request: &LeaseRequest) -> Result<LeaseAnswer, SqliteError> {
        let mut lanes = self.lanes(request)?;
        let chosen = self.choose(&mut lanes, request.limit)?;
        let mut answer = LeaseAnswer::default();
        if !chosen.is_empty() {
            self.totals.lease_token += 1;
        }
        let until = (self.now + request.duration).as_millis();
        for (account, due) in chosen {
            let token = self.totals.lease_token;
            self.statements.execute(Query::Lease, [due.id, until, token])?;
            answer.entries.push(Leased {
                id: EntryId::new(due.id.unsigned_abs()),
                token: LeaseToken::new(token.unsigned_abs()),
                sid: due.sid,
                account,
                base_url: self.names.base_urls.name(due.base_url, &mut self.statements)?,
                confirmed_at: due.queued_at,
                age: self.now.since(due.queued_at),
                attempts: due.attempts,
            });
        }
        for lane in &lanes {
            answer.more_due |= !self.due_of(lane.number, (i64::MIN, 0), 1)?.is_empty();
            let now = self.now.as_millis();
            let later =
                self.statements.row(Query::FirstDue, [lane.number, now], |row| Ok(row.get(0)?))?;
            let wait = later.map(|at| Timestamp::from_millis(at).since(self.now));
            answer.next_due = answer.next_due.into_iter().chain(wait).min();
        }
        Ok(answer)
    }

    /// The accounts with entries that may get some, beginning behind the one
    /// that was served last.
    fn lanes(&mut self, request: &LeaseRequest) -> Result<Vec<Lane>, SqliteError> {
        let mut lanes = Vec::new();
        let mut last = i64::MIN;
        let next = |session: &mut Self, last: i64| {
            session.statements.row(Query::NextAccount, [last], |row| Ok(row.get(0)?))
        };
        while let Some(number) = next(self, last)? {
            last = number;
            let account = self.names.accounts.name(number, &mut self.statements)?;
            let bound = request.bound(account);
            let (read, behind) = (VecDeque::new(), (i64::MIN, 0));
            lanes.push(Lane { account, number, bound, read, behind, is_exhausted: bound == 0 });
        }
        lanes.retain(|lane| lane.bound > 0);
        lanes.sort_unstable_by_key(|lane| lane.account);
        let behind = lanes.partition_point(|lane| Some(lane.account) <= self.last_served);
        lanes.rotate_left(behind);
        Ok(lanes)
    }

    /// One entry an account and round, until nothing is left or allowed.
    fn choose(
        &mut self,
        lanes: &mut [Lane],
        limit: usize,
    ) -> Result<Vec<(AccountSid, Due)>, SqliteError> {
        let mut chosen = Vec::new();
        let mut goes_on = true;
        let accounts = lanes.len();
        while goes_on {
            goes_on = false;
            for lane in &mut *lanes {
                if lane.bound == 0 || chosen.len() >= limit {
                    continue;
                }
                if lane.read.is_empty() && !lane.is_exhausted {
                    let share = ((limit - chosen.len()) / accounts + 1).min(lane.bound);
                    let read = self.due_of(lane.number, lane.behind, share)?;
                    lane.is_exhausted = read.len() < share;
                    lane.behind = read.last().map_or(lane.behind, |due| (due.due_at, due.id));
                    lane.read = read.into();
                }
                let Some(due) = lane.read.pop_front() else { continue };
                lane.bound -= 1;
                goes_on = true;
                self.last_served = Some(lane.account);
                chosen.push((lane.account, due));
            }
        }
        Ok(chosen)
    }

    fn due_of(
        &mut self,
        account: i64,
        behind: (i64, i64),
        limit: usize,
    ) -> Result<Vec<Due>, SqliteError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let now = self.now.as_millis();
        self.statements.rows(Query::Due, [account, behind.0, behind.1, now, limit], due)
    }
}
