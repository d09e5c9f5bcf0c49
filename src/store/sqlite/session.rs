//! One connection at work: its statements, what it has learnt, and the numbers
//! of the transaction that it is in.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    connection::{self, ConnectionRole, ConnectionSettings, Target},
    error::{Problem, SqliteError},
    names::Names,
    schema,
    statements::{Query, Statements},
};
use crate::{AccountSid, Timestamp};

/// How much the file holds: kept in it, so that all processes agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    pub(super) messages: i64,
    pub(super) outbox: i64,
    pub(super) dead_letters: i64,
    /// The token that was given last: none is given twice.
    pub(super) lease_token: i64,
}

/// What a transaction dropped.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) evicted: u64,
    pub(super) dead_letters_dropped: u64,
    pub(super) expired: u64,
}

/// What the store object has dropped in its life.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) evicted: AtomicU64,
    pub(super) dead_letters_dropped: AtomicU64,
    pub(super) expired: AtomicU64,
}

impl Dropped {
    fn add(&self, tally: Tally) {
        self.evicted.fetch_add(tally.evicted, Relaxed);
        self.dead_letters_dropped.fetch_add(tally.dead_letters_dropped, Relaxed);
        self.expired.fetch_add(tally.expired, Relaxed);
    }
}

pub(super) struct Session<'c> {
    pub(super) target: Arc<Target>,
    pub(super) statements: Statements<'c>,
    pub(super) names: Names,
    pub(super) totals: Totals,
    pub(super) tally: Tally,
    /// When the job at hand began.
    pub(super) now: Timestamp,
    /// The account that was served last: the next lease begins behind it.
    pub(super) last_served: Option<AccountSid>,
    /// Whether something was removed that must not be left in the log.
    pub(super) scrub: bool,
    /// The totals as the file has them.
    saved: Totals,
}

impl<'c> Session<'c> {
    pub(super) fn new(connection: &'c rusqlite::Connection, target: &Arc<Target>) -> Self {
        Self {
            now: target.clock.now(),
            target: Arc::clone(target),
            statements: Statements::new(connection),
            names: Names::default(),
            totals: Totals::default(),
            tally: Tally::default(),
            last_served: None,
            scrub: false,
            saved: Totals::default(),
        }
    }

    pub(super) fn settings(
        &mut self,
        role: ConnectionRole,
    ) -> Result<ConnectionSettings, SqliteError> {
        connection::settings(self.statements.connection(), role)
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        !self.statements.connection().is_autocommit()
    }

    /// Reads what the transaction starts from, once it has the lock it needs.
    pub(super) fn start(&mut self) -> Result<(), SqliteError> {
        let read = |row: &rusqlite::Row<'_>| {
            let totals = Totals {
                messages: row.get(2)?,
                outbox: row.get(3)?,
                dead_letters: row.get(4)?,
                lease_token: row.get(5)?,
            };
            Ok((row.get(0)?, row.get(1)?, totals))
        };
        let Some((version, compatible_from, totals)) =
            self.statements.row(Query::Totals, [], read)?
        else {
            return Err(Problem::NoSchema.into());
        };
        schema::check(version, compatible_from)?;
        (self.totals, self.saved) = (totals, totals);
        (self.tally, self.scrub) = (Tally::default(), false);
        Ok(())
    }

    /// Does `work` as a whole or not at all; the transaction stays usable.
    ///
    /// # Errors
    ///
    /// Those of the work; the transaction itself may be gone then.
    pub(super) fn whole<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, SqliteError>,
    ) -> Result<T, SqliteError> {
        let before = (self.totals, self.tally, self.scrub);
        self.statements.execute(Query::Savepoint, [])?;
        self.now = self.target.clock.now();
        let answer = work(self);
        if answer.is_err() && self.is_in_transaction() {
            (self.totals, self.tally, self.scrub) = before;
            self.names = Names::default();
            if self.statements.execute(Query::RollbackTo, []).is_err() {
                // Half a job must not be committed with its neighbours.
                let _ = self.statements.execute(Query::Rollback, []);
                return Err(Problem::RolledBack.into());
            }
        }
        if self.is_in_transaction() {
            self.statements.execute(Query::Release, [])?;
        }
        answer
    }

    /// Writes the totals, if they have changed.
    pub(super) fn save(&mut self) -> Result<(), SqliteError> {
        if self.totals != self.saved {
            let Totals { messages, outbox, dead_letters, lease_token } = self.totals;
            let totals = [messages, outbox, dead_letters, lease_token];
            self.statements.execute(Query::SaveTotals, totals)?;
            self.saved = self.totals;
        }
        Ok(())
    }

    pub(super) fn committed(&mut self) {
        self.target.dropped.add(std::mem::take(&mut self.tally));
    }

    /// Forgets what a transaction taught that is undone.
    pub(super) fn undone(&mut self) {
        self.names = Names::default();
        (self.tally, self.scrub) = (Tally::default(), false);
    }
}
