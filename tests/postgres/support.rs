//! Stores in schemas of their own on one server, and messages to put in them.

use std::{
    error::Error,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_message_feedback::{
    AccountSid, BaseUrl, CorrelationKey, MessageSid, Timestamp,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, FeedbackStore, LeaseRequest, Leased, LedgerStatus,
        PostgresStore, PostgresStoreBuilder, RecordOutcome, Resends, SettleOutcome, SettledAs,
        Settlement, StoreError, TrackedMessage,
        postgres::tokio_postgres::{self, Client, NoTls},
    },
};

use crate::servers::Postgres;

pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The database that the tests share.
pub(crate) fn server() -> &'static Postgres {
    Postgres::shared()
}

/// A schema that no other test has.
pub(crate) fn fresh_schema() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("feedback_{}", NUMBER.fetch_add(1, Relaxed))
}

pub(crate) fn builder_on(url: String, schema: &str) -> PostgresStoreBuilder {
    PostgresStore::builder().url(url).schema(schema).max_connections(8).timeout(PATIENCE)
}

/// A store that is to be set up, on the server that the tests share.
pub(crate) fn builder(schema: &str) -> PostgresStoreBuilder {
    builder_on(server().url(), schema)
}

pub(crate) async fn migrated(builder: PostgresStoreBuilder) -> PostgresStore {
    let store = builder.build().expect("a store");
    store.migrate().await.expect("tables");
    store
}

/// A store with tables of its own on the shared server.
pub(crate) async fn fresh() -> PostgresStore {
    migrated(builder(&fresh_schema())).await
}

/// A connection of the application's own.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

pub(crate) fn sid(n: u64) -> MessageSid {
    format!("SM{n:032x}").parse().expect("a SID")
}

pub(crate) fn key(n: u64) -> CorrelationKey {
    let mut bytes = [0xa5; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    CorrelationKey::from_bytes(bytes)
}

pub(crate) fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

/// Message `n` under the key `n`, of account 0, sent now and kept for an hour.
pub(crate) fn message(n: u64) -> TrackedMessage {
    message_of(0, n)
}

pub(crate) fn message_of(owner: u64, n: u64) -> TrackedMessage {
    let account: AccountSid = format!("AC{owner:032x}").parse().expect("a SID");
    let now = now();
    let expires_at = now + Duration::from_secs(3600);
    TrackedMessage::new(key(n), sid(n), account, BaseUrl::default(), now, expires_at)
}

pub(crate) fn by_id(n: u64) -> ConfirmTarget {
    ConfirmTarget::Id { keys: key(n).into(), resends: Resends::Newest }
}

pub(crate) async fn record(store: &PostgresStore, numbers: std::ops::Range<u64>) {
    let messages: Vec<_> = numbers.map(message).collect();
    let outcomes = store.record(&messages).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == RecordOutcome::Inserted), "{outcomes:?}");
}

pub(crate) async fn confirm(store: &PostgresStore, n: u64) -> ConfirmOutcome {
    store.confirm(&[by_id(n)]).await.expect("an answer")[0]
}

/// Records the messages and confirms them in one batch.
pub(crate) async fn queue(store: &PostgresStore, numbers: std::ops::Range<u64>) {
    record(store, numbers.clone()).await;
    let targets: Vec<_> = numbers.map(by_id).collect();
    let outcomes = store.confirm(&targets).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == ConfirmOutcome::Queued), "{outcomes:?}");
}

pub(crate) async fn lease(store: &PostgresStore, limit: usize) -> Vec<Leased> {
    store.lease(&LeaseRequest::new(limit, LEASE)).await.expect("an answer").entries
}

pub(crate) async fn settle(store: &PostgresStore, entries: &[Leased], settled_as: SettledAs) {
    let settlements: Vec<_> = entries
        .iter()
        .map(|entry| Settlement::new(entry, Attempts::new(1, 0), settled_as))
        .collect();
    let outcomes = store.settle(&settlements).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == SettleOutcome::Settled), "{outcomes:?}");
}

pub(crate) async fn status(store: &PostgresStore, n: u64) -> Option<LedgerStatus> {
    let [entry] = &store.by_sid(&[sid(n)]).await.expect("an answer")[..] else { panic!("one") };
    entry.as_ref().map(|entry| entry.status)
}

pub(crate) async fn is_queued(store: &PostgresStore, n: u64) -> bool {
    matches!(status(store, n).await, Some(LedgerStatus::Queued { .. }))
}

/// What an error and its sources say.
pub(crate) fn said(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error} {error:?}"));
        source = error.source();
    }
    text
}

/// Waits until `holds` does.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = std::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The server whose commits are synced.
pub(crate) fn synced_server() -> &'static Postgres {
    static SYNCED: OnceLock<Postgres> = OnceLock::new();
    SYNCED.get_or_init(|| Postgres::options().synced().start())
}
