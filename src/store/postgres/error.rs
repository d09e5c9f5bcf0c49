use std::{error::Error, fmt};

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// What PostgreSQL, or the way to it, said: the source of a
/// [`StoreError`] of a [`PostgresStore`](super::PostgresStore).
///
/// It has the server's message and its SQLSTATE. The server's DETAIL, which
/// quotes the values of rows, is left out.
#[derive(Debug)]
pub struct PostgresError {
    text: String,
    sqlstate: Option<SqlState>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The server refused a statement; the connection is as good as before.
    Refused,
    /// The connection is of no use any more.
    Broken,
    /// There was none to be had, or it is no fault of a connection's.
    Other,
    TimedOut,
}

impl PostgresError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), sqlstate: None, kind: Kind::Other }
    }

    pub(super) fn timed_out() -> Self {
        let text = "PostgreSQL did not answer in time".into();
        Self { text, sqlstate: None, kind: Kind::TimedOut }
    }

    /// The server's code for the error, for example `40P01` for a deadlock;
    /// `None` if it is not the server's.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.sqlstate.as_ref().map(SqlState::code)
    }

    pub(super) fn is(&self, state: &SqlState) -> bool {
        self.sqlstate.as_ref() == Some(state)
    }

    /// Whether another transaction was in the way: repeated, it may pass.
    pub(super) fn is_conflict(&self) -> bool {
        self.is(&SqlState::T_R_DEADLOCK_DETECTED) || self.is(&SqlState::T_R_SERIALIZATION_FAILURE)
    }

    /// Whether a prepared statement is not what it was.
    pub(super) fn is_stale_statement(&self) -> bool {
        // The latter: a table was altered under a cached plan.
        self.is(&SqlState::INVALID_SQL_STATEMENT_NAME)
            || self.is(&SqlState::DUPLICATE_PSTATEMENT)
            || self.is(&SqlState::FEATURE_NOT_SUPPORTED)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.kind == Kind::Broken
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refused) = error.as_db_error() else {
            let mut text = error.to_string();
            // An I/O error, or why there was no TLS: neither knows of rows. What
            // a connection string holds does not belong in an error.
            if let Some(source) = error.source().filter(|_| !is_configuration(&error)) {
                text = format!("{text}: {source}");
            }
            return Self { text, sqlstate: None, kind: Kind::Broken };
        };
        let code = refused.code();
        // The server is going away, or never let us in.
        let broken = ["57P01", "57P02", "57P03", "57P05"].contains(&code.code())
            || code.code().starts_with("08");
        Self {
            text: format!("{} (SQLSTATE {})", refused.message(), code.code()),
            kind: if broken { Kind::Broken } else { Kind::Refused },
            sqlstate: Some(code.clone()),
        }
    }
}

fn is_configuration(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("invalid con")
}

impl From<PoolError> for PostgresError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self { kind: Kind::Other, ..error.into() },
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::new("no connection of the pool was free in time")
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                Self::new("PostgreSQL did not accept a connection in time")
            }
            PoolError::Closed => Self::new("the pool of connections is closed"),
            PoolError::NoRuntimeSpecified => Self::new("the pool of connections has no runtime"),
            PoolError::PostCreateHook(_) => Self::new("a new connection could not be set up"),
        }
    }
}

impl From<PostgresError> for StoreError {
    fn from(error: PostgresError) -> Self {
        if error.kind == Kind::TimedOut { Self::timed_out() } else { Self::new(error) }
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for PostgresError {}
