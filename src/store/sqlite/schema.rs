//! The tables, as a list of migrations that only grows.

use rusqlite::{Connection, TransactionBehavior};

use super::error::{Problem, SqliteError};

/// What one version adds to the one before it.
struct Migration {
    /// The oldest version whose statements still work on this one.
    compatible_from: i64,
    sql: &'static str,
}

/// A message's `state`. Nothing of a pending one costs a byte of payload, and
/// what may give way to a new message is what is not above `DELIVERED`.
pub(super) const PENDING: i64 = 0;
pub(super) const DELIVERED: i64 = 1;
pub(super) const DEAD: i64 = 2;
pub(super) const QUEUED: i64 = 3;

/// The version that this build writes.
pub(super) const VERSION: i64 = 4;

const MIGRATIONS: [Migration; VERSION as usize] = [
    // Remembering, confirming, delivering.
    Migration {
        compatible_from: 1,
        sql: "
CREATE TABLE tmf_store (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version INTEGER NOT NULL,
    compatible_from INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    outbox INTEGER NOT NULL DEFAULT 0,
    dead_letters INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO tmf_store (only_row, version, compatible_from) VALUES (1, 0, 0);

CREATE TABLE tmf_account (id INTEGER PRIMARY KEY, sid BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE tmf_base_url (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE tmf_message (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    sid BLOB NOT NULL,
    account INTEGER NOT NULL,
    base_url INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tmf_message_key ON tmf_message (key, sent_at);
CREATE UNIQUE INDEX tmf_message_sid ON tmf_message (sid);
CREATE INDEX tmf_message_evictable ON tmf_message (expires_at) WHERE state <= 1;
CREATE INDEX tmf_message_dead ON tmf_message (expires_at) WHERE state = 2;

CREATE TABLE tmf_outbox (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_found INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER
) STRICT;
CREATE INDEX tmf_outbox_due ON tmf_outbox (account, due_at);

CREATE TABLE tmf_settled (
    message INTEGER PRIMARY KEY,
    confirmed_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    not_found INTEGER NOT NULL,
    failure INTEGER,
    status INTEGER,
    code INTEGER
) STRICT;
",
    },
    // What people ask for: labels, and pages of dead letters.
    Migration {
        compatible_from: 1,
        sql: "
CREATE TABLE tmf_label (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
ALTER TABLE tmf_message ADD COLUMN label INTEGER;
CREATE INDEX tmf_message_dead_sid ON tmf_message (sid) WHERE state = 2;
",
    },
    // What status callbacks tell, and what all processes shall know.
    Migration {
        compatible_from: 1,
        sql: "
ALTER TABLE tmf_message ADD COLUMN delivery INTEGER;
ALTER TABLE tmf_message ADD COLUMN error_code INTEGER;
CREATE TABLE tmf_note (
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL,
    keep_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tmf_note_keep_until ON tmf_note (keep_until);
",
    },
    // The counters of the report.
    Migration {
        compatible_from: 1,
        sql: "
CREATE TABLE tmf_rollup (
    resolution INTEGER NOT NULL,
    start INTEGER NOT NULL,
    account BLOB NOT NULL,
    segment TEXT NOT NULL,
    counts TEXT NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (resolution, start, account, segment)
) STRICT, WITHOUT ROWID;
CREATE INDEX tmf_rollup_keep_until ON tmf_rollup (keep_until);
CREATE TABLE tmf_rollup_writer (
    writer INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    keep_until INTEGER NOT NULL
) STRICT;
",
    },
];

/// Creates the tables, or brings those of an older version up to date. Of many
/// processes that start at once, one does it and the others wait.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), SqliteError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = match read(&transaction) {
        Ok((version, compatible_from)) => {
            check_not_too_new(compatible_from)?;
            version
        }
        Err(error) if error.is(&Problem::NoSchema) => 0,
        Err(error) => return Err(error),
    };
    let missing = usize::try_from(found).unwrap_or(0)..;
    for (version, migration) in (1..).zip(&MIGRATIONS).skip(missing.start) {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "UPDATE tmf_store SET version = ?1, compatible_from = ?2",
            [version, migration.compatible_from],
        )?;
    }
    Ok(transaction.commit()?)
}

/// Whether this build may use a file of this version.
pub(super) fn check(version: i64, compatible_from: i64) -> Result<(), SqliteError> {
    check_not_too_new(compatible_from)?;
    if version < VERSION {
        return Err(Problem::OldSchema { found: version }.into());
    }
    Ok(())
}

fn check_not_too_new(compatible_from: i64) -> Result<(), SqliteError> {
    if compatible_from > VERSION {
        return Err(Problem::NewSchema { compatible_from }.into());
    }
    Ok(())
}

/// The version of a file, and the oldest that may use it.
pub(super) fn read(connection: &Connection) -> Result<(i64, i64), SqliteError> {
    let tables: i64 = connection.query_row(
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'tmf_store'",
        [],
        |row| row.get(0),
    )?;
    if tables == 0 {
        return Err(Problem::NoSchema.into());
    }
    let sql = "SELECT version, compatible_from FROM main.tmf_store";
    Ok(connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}
