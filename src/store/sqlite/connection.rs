//! Opening a connection, and proof that its settings took.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, types::Value};

use super::{
    error::{Problem, SqliteError},
    schema,
    session::Dropped,
};
use crate::Clock;

/// When SQLite waits until the disk has what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// At every commit: what was answered survives the machine's death.
    #[default]
    Full,
    /// At checkpoints alone. The file stays sound whatever happens, and the
    /// death of a process loses nothing, but the machine's death undoes the last
    /// commits: those that the operating system had not written yet.
    Normal,
}

impl Synchronous {
    /// The number that `PRAGMA synchronous` answers.
    pub(super) const fn level(self) -> i64 {
        match self {
            Self::Full => 2,
            Self::Normal => 1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Full => "2 (FULL)",
            Self::Normal => "1 (NORMAL)",
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionRole {
    /// Every change goes through it.
    Writer,
    /// Look-ups and counts go through it.
    Reader,
}

/// The settings that a connection has, as SQLite answers them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// What the connection is for.
    pub role: ConnectionRole,
    /// `PRAGMA journal_mode`: always `wal`.
    pub journal_mode: String,
    /// `PRAGMA synchronous`: 2 is FULL, 1 is NORMAL.
    pub synchronous: i64,
    /// `PRAGMA fullfsync`: whether macOS is asked to sync the drive's cache, too.
    pub fullfsync: bool,
    /// `PRAGMA secure_delete`: whether what is removed is overwritten.
    pub secure_delete: bool,
    /// `PRAGMA busy_timeout`: how long it waits for another connection's lock.
    pub busy_timeout: Duration,
}

/// The bounds of a store, and how long it keeps what is over.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) max_messages: i64,
    pub(super) max_outbox: i64,
    pub(super) max_dead_letters: i64,
    pub(super) ledger_retention: Duration,
    pub(super) dead_letter_retention: Duration,
}

/// The file, and all that its connections share.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) synchronous: Synchronous,
    pub(super) busy_timeout: Duration,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) dropped: Dropped,
}

/// SQLite 3.37: the first with STRICT tables.
const OLDEST_LIBRARY: i32 = 3_037_000;

impl Target {
    /// A connection to a file that `migrate` has made.
    pub(super) fn open(&self, role: ConnectionRole) -> Result<Connection, SqliteError> {
        let connection = self.connect(OpenFlags::empty())?;
        if role == ConnectionRole::Reader {
            set(&connection, "query_only = ON")?;
        }
        // In a transaction, so that no upgrade is seen half way.
        let reading = connection.unchecked_transaction()?;
        let (version, compatible_from) = schema::read(&reading)?;
        schema::check(version, compatible_from)?;
        drop(reading);
        Ok(connection)
    }

    /// Makes the file, if there is none, and its tables.
    pub(super) fn migrate(&self) -> Result<(), SqliteError> {
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::migrate(&mut connection).map_err(|error| error.waited(self.busy_timeout))
    }

    fn connect(&self, more: OpenFlags) -> Result<Connection, SqliteError> {
        if rusqlite::version_number() < OLDEST_LIBRARY {
            return Err(Problem::OldLibrary.into());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        // SQLite does not wait here, where two processes might wait for each other.
        wait(self.busy_timeout, || set(&connection, "journal_mode = WAL"))?;
        for setting in [
            match self.synchronous {
                Synchronous::Full => "synchronous = FULL",
                Synchronous::Normal => "synchronous = NORMAL",
            },
            // Nothing but macOS knows it: its fsync leaves the drive's cache alone.
            "fullfsync = ON",
            "checkpoint_fullfsync = ON",
            "secure_delete = ON",
            // No copy of a page in a temporary file.
            "temp_store = MEMORY",
            "cache_size = -8192",
            // 16 MiB: a page that changes often goes into the file once for many
            // commits.
            "wal_autocheckpoint = 4096",
            // What a burst has made of the log is cut down again: 32 MiB.
            "journal_size_limit = 33554432",
        ] {
            set(&connection, setting)?;
        }
        self.verify(&settings(&connection, ConnectionRole::Writer)?)?;
        Ok(connection)
    }

    fn verify(&self, settings: &ConnectionSettings) -> Result<(), SqliteError> {
        let wrong = |name, wanted, found: String| {
            Err(SqliteError::from(Problem::Setting { name, wanted, found }))
        };
        if settings.journal_mode != "wal" {
            return wrong("journal_mode", "wal", settings.journal_mode.clone());
        }
        if settings.synchronous != self.synchronous.level() {
            let found = settings.synchronous.to_string();
            return wrong("synchronous", self.synchronous.name(), found);
        }
        if !settings.fullfsync {
            return wrong("fullfsync", "1", "0".to_owned());
        }
        if !settings.secure_delete {
            return wrong("secure_delete", "1", "0".to_owned());
        }
        Ok(())
    }

    /// Whether the main database of `connection` is this file, and will be
    /// synced as this store promises.
    pub(super) fn verify_joined(&self, connection: &Connection) -> Result<(), SqliteError> {
        if connection.is_autocommit() {
            return Err(Problem::NoTransaction.into());
        }
        let main: Option<Vec<u8>> = connection.query_row(
            "SELECT file FROM pragma_database_list WHERE name = 'main'",
            [],
            |row| Ok(row.get_ref(0)?.as_bytes_or_null()?.map(<[u8]>::to_vec)),
        )?;
        if !main.is_some_and(|main| same_file(&path_of(main), &self.path)) {
            return Err(Problem::OtherFile.into());
        }
        let journal_mode = text(connection, "main.journal_mode")?;
        if journal_mode != "wal" {
            let name = "journal_mode";
            return Err(Problem::Setting { name, wanted: "wal", found: journal_mode }.into());
        }
        let synchronous = number(connection, "main.synchronous")?;
        if synchronous < self.synchronous.level() {
            let (wanted, found) = (self.synchronous.name(), synchronous.to_string());
            return Err(Problem::Setting { name: "synchronous", wanted, found }.into());
        }
        Ok(())
    }
}

/// The settings of a connection as they are.
pub(super) fn settings(
    connection: &Connection,
    role: ConnectionRole,
) -> Result<ConnectionSettings, SqliteError> {
    let busy_timeout = u64::try_from(number(connection, "busy_timeout")?).unwrap_or(0);
    Ok(ConnectionSettings {
        role,
        journal_mode: text(connection, "journal_mode")?,
        synchronous: number(connection, "synchronous")?,
        fullfsync: number(connection, "fullfsync")? == 1,
        secure_delete: number(connection, "secure_delete")? == 1,
        busy_timeout: Duration::from_millis(busy_timeout),
    })
}

/// Repeats what another connection's lock keeps from succeeding. SQLite's own
/// wait sleeps for up to 100 ms at a time, and a busy neighbour frees the lock
/// for less than one.
pub(super) fn wait<T>(
    at_most: Duration,
    mut attempt: impl FnMut() -> Result<T, SqliteError>,
) -> Result<T, SqliteError> {
    const LONGEST_PAUSE: Duration = Duration::from_millis(2);
    let begun = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match attempt() {
            Err(error) if error.is_locked() => {
                if begun.elapsed() >= at_most {
                    return Err(error.waited(at_most));
                }
                thread::sleep(pause.mul_f64(0.5 + fastrand::f64()));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}

pub(super) fn set_busy_timeout(
    connection: &Connection,
    timeout: Duration,
) -> Result<(), SqliteError> {
    Ok(connection.busy_timeout(timeout)?)
}

fn set(connection: &Connection, setting: &str) -> Result<(), SqliteError> {
    let mut statement = connection.prepare(&format!("PRAGMA {setting}"))?;
    // Some answer with a row, some with none.
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn value(connection: &Connection, name: &str) -> Result<Value, SqliteError> {
    Ok(connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
}

fn number(connection: &Connection, name: &str) -> Result<i64, SqliteError> {
    Ok(match value(connection, name)? {
        Value::Integer(number) => number,
        _ => -1,
    })
}

fn text(connection: &Connection, name: &str) -> Result<String, SqliteError> {
    Ok(match value(connection, name)? {
        Value::Text(text) => text,
        _ => String::new(),
    })
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(unix)]
fn same_file(one: &Path, other: &Path) -> bool {
    use std::{fs::metadata, os::unix::fs::MetadataExt};
    match (metadata(one), metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    fn refusal(connection: &Connection) -> String {
        let target = SqliteStore::builder("unused").target().unwrap();
        let settings = settings(connection, ConnectionRole::Writer).unwrap();
        target.verify(&settings).unwrap_err().to_string()
    }

    #[test]
    fn a_setting_that_did_not_take_is_refused_by_its_name() {
        let memory = Connection::open_in_memory().unwrap();
        set(&memory, "journal_mode = WAL").unwrap();
        let wal = "PRAGMA journal_mode did not take: wal was set, it is memory";
        assert_eq!(refusal(&memory), wal);

        let path = std::env::temp_dir().join(format!("tmf-settings-{}", std::process::id()));
        let file = Connection::open(&path).unwrap();
        set(&file, "journal_mode = WAL").unwrap();
        for (setting, refused) in [
            ("synchronous = OFF", "synchronous did not take: 2 (FULL) was set, it is 0"),
            ("synchronous = FULL", "fullfsync did not take: 1 was set, it is 0"),
            ("fullfsync = ON", "secure_delete did not take: 1 was set, it is 0"),
        ] {
            set(&file, setting).unwrap();
            assert_eq!(refusal(&file), format!("PRAGMA {refused}"));
        }
        drop(file);
        std::fs::remove_file(path).unwrap();
    }
}
