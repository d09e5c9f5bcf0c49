use std::{error::Error, fmt, time::Duration};

use rusqlite::{ErrorCode, ffi};

use crate::store::StoreError;

/// Why a [`SqliteStore`](super::SqliteStore) could not answer: the source of its
/// [`StoreError`].
///
/// Its own source is SQLite's code, if SQLite has failed. Neither holds a
/// statement or a value of one.
///
/// ```
/// use std::error::Error;
/// use tower_message_feedback::store::{StoreError, sqlite::SqliteError};
///
/// fn is_locked(error: &StoreError) -> bool {
///     let source = error.source().and_then(|source| source.downcast_ref::<SqliteError>());
///     source.is_some_and(SqliteError::is_locked)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteError {
    problem: Problem,
    code: Option<ffi::Error>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    Locked { waited: Option<Duration> },
    StaleRead,
    Full,
    Io,
    ReadOnly,
    CannotOpen,
    Damaged,
    Failed,
    OldLibrary,
    Setting { name: &'static str, wanted: &'static str, found: String },
    NoSchema,
    OldSchema { found: i64 },
    NewSchema { compatible_from: i64 },
    NoTransaction,
    OtherFile,
    RolledBack,
    Unreadable { column: &'static str },
    Ended,
    NoThread,
}

impl SqliteError {
    pub(super) fn is(&self, problem: &Problem) -> bool {
        self.problem == *problem
    }

    /// Whether another connection held the file for longer than the busy timeout.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self.problem, Problem::Locked { .. })
    }

    /// Whether the disk, or what the file may take of it, is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.problem == Problem::Full
    }

    /// Whether [`migrate`](super::SqliteStore::migrate) mends it.
    #[must_use]
    pub fn needs_migration(&self) -> bool {
        matches!(self.problem, Problem::NoSchema | Problem::OldSchema { .. })
    }

    /// Whether a new connection may do better.
    pub(super) fn spoils_connection(&self) -> bool {
        use Problem::{CannotOpen, Damaged, Io, ReadOnly};
        matches!(self.problem, Io | ReadOnly | CannotOpen | Damaged)
    }

    pub(super) fn waited(mut self, waited: Duration) -> Self {
        if self.is_locked() {
            self.problem = Problem::Locked { waited: Some(waited) };
        }
        self
    }

    /// The same, now that SQLite has rolled back the application's transaction.
    pub(super) fn rolled_back(self) -> Self {
        Self { problem: Problem::RolledBack, code: self.code }
    }
}

impl From<Problem> for SqliteError {
    fn from(problem: Problem) -> Self {
        Self { problem, code: None }
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        // SQLite's own text may quote a statement: its code says enough.
        let Some(code) = error.sqlite_error().copied() else {
            return Problem::Failed.into();
        };
        let problem = match code.code {
            ErrorCode::DatabaseBusy if code.extended_code == ffi::SQLITE_BUSY_SNAPSHOT => {
                Problem::StaleRead
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Problem::Locked { waited: None },
            ErrorCode::DiskFull => Problem::Full,
            ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => Problem::Io,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Problem::ReadOnly,
            ErrorCode::CannotOpen => Problem::CannotOpen,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Problem::Damaged,
            _ => Problem::Failed,
        };
        Self { problem, code: Some(code) }
    }
}

impl From<SqliteError> for StoreError {
    fn from(error: SqliteError) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.problem {
            Problem::Locked { waited: Some(waited) } => {
                return write!(f, "another connection held the file's lock for {waited:?}");
            }
            Problem::Locked { waited: None } => "another connection holds the file's lock",
            Problem::StaleRead => {
                "the transaction has read what another connection has changed since: \
                 begin it with BEGIN IMMEDIATE"
            }
            Problem::Full => "the disk, or what the file may take of it, is full",
            Problem::Io => "the file could not be read, written, synced or locked",
            Problem::ReadOnly => "the file or its directory is read-only",
            Problem::CannotOpen => {
                "the file could not be opened: it or its directory does not exist, or may not \
                 be accessed; `migrate` creates the file"
            }
            Problem::Damaged => "the file is damaged or no SQLite database",
            Problem::Failed => "SQLite failed",
            Problem::OldLibrary => {
                return write!(
                    f,
                    "SQLite {} is linked and 3.37 or later is needed: enable the feature `sqlite`",
                    rusqlite::version()
                );
            }
            Problem::Setting { name, wanted, found } => {
                return write!(f, "PRAGMA {name} did not take: {wanted} was set, it is {found}");
            }
            Problem::NoSchema => "the file has no tables for feedback: run `migrate` first",
            Problem::OldSchema { found } => {
                return write!(
                    f,
                    "the file's tables are of version {found} and version {} is needed: run \
                     `migrate` first",
                    super::schema::VERSION
                );
            }
            Problem::NewSchema { compatible_from } => {
                return write!(
                    f,
                    "the file's tables need a build that knows their version {compatible_from}, \
                     and this one knows {}: upgrade the crate",
                    super::schema::VERSION
                );
            }
            Problem::NoTransaction => "the connection has no open transaction to join",
            Problem::OtherFile => "the connection's main database is not the store's file",
            Problem::RolledBack => "SQLite has rolled back the whole transaction",
            Problem::Unreadable { column } => {
                return write!(f, "the column {column} holds what this version cannot read");
            }
            Problem::Ended => "the store's thread has ended",
            Problem::NoThread => "the store's thread could not be started",
        })
    }
}

impl Error for SqliteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.code.as_ref().map(|code| code as &(dyn Error + 'static))
    }
}
