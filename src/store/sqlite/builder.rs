use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    SqliteStore,
    connection::{Limits, Synchronous, Target},
    error::{Problem, SqliteError},
    session::Dropped,
    worker,
};
use crate::{Clock, store::StoreError};

/// Sets the bounds and the file of a [`SqliteStore`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `open` or `migrate` is called"]
pub struct SqliteStoreBuilder {
    path: PathBuf,
    synchronous: Synchronous,
    busy_timeout: Duration,
    limits: Limits,
    clock: Clock,
}

fn bound(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

impl SqliteStoreBuilder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(5),
            limits: Limits {
                max_messages: 1_000_000,
                max_outbox: 100_000,
                max_dead_letters: 10_000,
                ledger_retention: Duration::from_secs(24 * 60 * 60),
                dead_letter_retention: Duration::from_secs(30 * 24 * 60 * 60),
            },
            clock: Clock::system(),
        }
    }

    /// How many messages the file holds at most, confirmed and delivered ones
    /// included: 1,000,000 by default, at about 200 bytes each. At the bound
    /// the oldest goes that is not in the outbox and no dead letter.
    ///
    /// The bounds hold for the file, whichever process writes: give all of them
    /// the same.
    pub fn max_messages(mut self, max: usize) -> Self {
        self.limits.max_messages = bound(max);
        self
    }

    /// How many confirmed messages wait for delivery at most: 100,000 by
    /// default. At the bound a confirm is refused.
    pub fn max_outbox(mut self, max: usize) -> Self {
        self.limits.max_outbox = bound(max);
        self
    }

    /// How many dead letters are kept at most: 10,000 by default. Beyond it the
    /// oldest is dropped.
    pub fn max_dead_letters(mut self, max: usize) -> Self {
        self.limits.max_dead_letters = bound(max);
        self
    }

    /// How long a delivered message stays in the ledger: one day by default.
    pub fn ledger_retention(mut self, retention: Duration) -> Self {
        self.limits.ledger_retention = retention;
        self
    }

    /// How long a dead letter is kept: 30 days by default.
    pub fn dead_letter_retention(mut self, retention: Duration) -> Self {
        self.limits.dead_letter_retention = retention;
        self
    }

    /// How long an operation waits for another connection's lock before it
    /// fails: 5 s by default, 24 days at most.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        self
    }

    /// When SQLite waits for the disk: [`Synchronous::Full`] by default.
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// The clock that leases, retries and expiry go by: the system's by default,
    /// which all processes of a machine share.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Creates the file, if there is none, and the store's tables, or brings
    /// those of an older version up to date. Does nothing if they are. The file's
    /// directory has to be there.
    ///
    /// Many processes may call it at once. A process of the version before goes
    /// on working meanwhile and afterwards.
    ///
    /// # Errors
    ///
    /// If the file cannot be made or written, stays locked for longer than the
    /// busy timeout, cannot have a write-ahead log, or is of a version that says
    /// that this build is too old for it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let target = self.target()?;
        Ok(worker::detached("tmf-sqlite-make", move || target.migrate()).await?)
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// If the file is not there or was not [migrated](Self::migrate), if it needs
    /// a newer build, or if a setting that the store's promises rest on did not
    /// take: the error's source says which.
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        Ok(SqliteStore::start(Arc::new(self.target()?)).await?)
    }

    pub(super) fn target(&self) -> Result<Target, SqliteError> {
        Ok(Target {
            // The process may change its directory and open the file once more.
            path: std::path::absolute(&self.path).map_err(|_| Problem::CannotOpen)?,
            synchronous: self.synchronous,
            busy_timeout: self.busy_timeout,
            limits: self.limits.clone(),
            clock: self.clock.clone(),
            dropped: Dropped::default(),
        })
    }
}
