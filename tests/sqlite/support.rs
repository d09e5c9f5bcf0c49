//! A directory of its own for each test, and what the tests ask of a store.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower_message_feedback::{
    AccountSid, BaseUrl, CorrelationKey, CorrelationKeys, ManualClock, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, FeedbackStore, LeaseRequest, Leased, LedgerStatus,
        RecordOutcome, Resends, SettleOutcome, SettledAs, Settlement, SqliteStore,
        SqliteStoreBuilder, StoreError, StoreFuture, TrackedMessage,
        sqlite::{SqliteError, rusqlite::Connection},
    },
};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const LEASE: Duration = seconds(30);
pub(crate) const RETENTION: Duration = seconds(3600);

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A directory that goes with its last owner.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tmf-sqlite-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a directory for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("feedback.db")
    }

    /// What is at rest: the bytes of every file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(&self.0).expect("the directory");
        files.flat_map(|file| fs::read(file.expect("a file").path()).expect("its bytes")).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Which error the store gives as the source of its own.
pub(crate) fn sqlite_error(error: &StoreError) -> &SqliteError {
    let source = error.source().expect("a source");
    source.downcast_ref().expect("an error of the SQLite store")
}

/// The whole chain of an error, as a log shows it.
pub(crate) fn text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

pub(crate) fn sid(n: u64) -> MessageSid {
    format!("SM{n:032x}").parse().expect("a SID")
}

pub(crate) fn account(n: u64) -> AccountSid {
    format!("AC{n:032x}").parse().expect("a SID")
}

/// A key that is as good as random, as real ones are.
pub(crate) fn key(n: u64) -> CorrelationKey {
    let word = |n: u64| (n ^ (n >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word(n + 1).to_le_bytes());
    bytes[8..].copy_from_slice(&word(word(n + 1)).to_le_bytes());
    CorrelationKey::from_bytes(bytes)
}

pub(crate) fn keys(n: u64) -> CorrelationKeys {
    key(n).into()
}

/// Message `n`, under the key `n`.
pub(crate) fn message(n: u64) -> TrackedMessage {
    let base_url = BaseUrl::default();
    TrackedMessage::new(key(n), sid(n), account(n % 3), base_url, START, START + RETENTION)
}

pub(crate) fn by_id(n: u64) -> ConfirmTarget {
    ConfirmTarget::Id { keys: keys(n), resends: Resends::Newest }
}

fn one<T>(answers: Vec<T>) -> T {
    let [answer] = <[T; 1]>::try_from(answers).ok().expect("one answer for one item");
    answer
}

pub(crate) async fn ok<T>(future: StoreFuture<'_, T>) -> T {
    match future.await {
        Ok(answer) => answer,
        Err(error) => panic!("{}", text(&error)),
    }
}

/// Store objects on a file, by a clock that the test owns.
pub(crate) struct Fixture {
    pub(crate) store: SqliteStore,
    pub(crate) builder: SqliteStoreBuilder,
    pub(crate) time: ManualClock,
    pub(crate) directory: Directory,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(set: impl FnOnce(SqliteStoreBuilder) -> SqliteStoreBuilder) -> Self {
        let directory = Directory::new();
        let time = ManualClock::new(START);
        let builder = set(SqliteStore::builder(directory.file()).clock(time.clock()));
        builder.migrate().await.expect("tables");
        let store = builder.clone().open().await.expect("a store");
        Self { store, builder, time, directory }
    }

    /// Another store object on the same file.
    pub(crate) async fn again(&self) -> SqliteStore {
        self.builder.clone().open().await.expect("a store")
    }

    /// A connection of the application's own, as rusqlite opens one.
    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.directory.file()).expect("a connection")
    }

    pub(crate) async fn record(&self, n: u64) {
        let outcome = one(ok(self.store.record(&[message(n)])).await);
        assert_eq!(outcome, RecordOutcome::Inserted);
    }

    pub(crate) async fn confirm(&self, n: u64) -> ConfirmOutcome {
        confirm(&self.store, n).await
    }

    /// Records message `n` and confirms it.
    pub(crate) async fn queue(&self, n: u64) {
        self.record(n).await;
        assert_eq!(self.confirm(n).await, ConfirmOutcome::Queued);
    }

    pub(crate) async fn lease(&self, limit: usize) -> Vec<Leased> {
        ok(self.store.lease(&LeaseRequest::new(limit, LEASE))).await.entries
    }

    pub(crate) async fn settle(&self, entry: &Leased, settled_as: SettledAs) -> SettleOutcome {
        let settlement = Settlement::new(entry, entry.attempts, settled_as);
        one(ok(self.store.settle(&[settlement])).await)
    }

    pub(crate) async fn status(&self, n: u64) -> Option<LedgerStatus> {
        status(&self.store, n).await
    }

    /// Messages, outbox and dead letters.
    pub(crate) async fn sizes(&self) -> (u64, u64, u64) {
        let counts = ok(self.store.counts()).await;
        (counts.messages, counts.outbox, counts.dead_letters)
    }

    /// Asserts that SQLite finds the file sound, and the counters in it right.
    pub(crate) fn is_sound(&self) {
        let connection = self.connection();
        let number = |sql: &str| -> i64 {
            connection.query_row(sql, [], |row| row.get(0)).expect("a number")
        };
        let check: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(check, "ok");
        for (counter, rows) in [
            ("messages", "tmf_message"),
            ("outbox", "tmf_outbox"),
            ("outbox", "tmf_message WHERE state = 3"),
            ("dead_letters", "tmf_message WHERE state = 2"),
        ] {
            let counted = number(&format!("SELECT {counter} FROM tmf_store"));
            assert_eq!(counted, number(&format!("SELECT count(*) FROM {rows}")), "{rows}");
        }
    }
}

pub(crate) async fn confirm(store: &SqliteStore, n: u64) -> ConfirmOutcome {
    one(ok(store.confirm(&[by_id(n)])).await)
}

pub(crate) async fn status(store: &SqliteStore, n: u64) -> Option<LedgerStatus> {
    one(ok(store.by_sid(&[sid(n)])).await).map(|entry| entry.status)
}
