//! Stores on servers of the tests' own, and numbered messages.

use std::{
    error::Error,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use tower_message_feedback::{
    AccountSid, BaseUrl, CorrelationKey, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, FeedbackStore, LeaseRequest, Leased, LedgerStatus,
        RecordOutcome, RedisStore, RedisStoreBuilder, Resends, StoreError, TrackedMessage,
        redis::RedisStoreError,
    },
};

use crate::servers::{Redis, RedisCluster};

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Bounds that hold on a machine that does much else, too.
pub(crate) fn patient(builder: RedisStoreBuilder) -> RedisStoreBuilder {
    builder.response_timeout(seconds(60)).connect_timeout(seconds(30))
}

/// A store on database 0 of this server.
pub(crate) async fn open(server: &Redis) -> RedisStore {
    open_as(RedisStore::builder(), server).await
}

pub(crate) async fn open_as(builder: RedisStoreBuilder, server: &Redis) -> RedisStore {
    let store = patient(builder).connect(server.url()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    store
}

/// The one cluster that the tests of this binary share.
pub(crate) fn cluster() -> &'static RedisCluster {
    static SHARED: OnceLock<RedisCluster> = OnceLock::new();
    SHARED.get_or_init(RedisCluster::start)
}

pub(crate) fn account() -> AccountSid {
    "AC0123456789abcdef0123456789abcdef".parse().expect("a SID")
}

pub(crate) fn sid(n: u64) -> MessageSid {
    format!("SM{n:032x}").parse().expect("a SID")
}

/// A key as HMAC makes them: no two look alike.
pub(crate) fn key(n: u64) -> CorrelationKey {
    let mut bytes = [0; 16];
    for (at, byte) in (0..).zip(&mut bytes) {
        let mixed = (n * 16 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *byte = ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8;
    }
    CorrelationKey::from_bytes(bytes)
}

/// The same, but for the shard: it is the first for all of them.
pub(crate) fn key_in_one_shard(n: u64) -> CorrelationKey {
    let mut bytes = *key(n).as_bytes();
    bytes[0] = 0;
    CorrelationKey::from_bytes(bytes)
}

/// Message `n` under id `n`, sent now, that waits for this long.
pub(crate) fn waiting(n: u64, wait: Duration) -> TrackedMessage {
    let now = Timestamp::from(SystemTime::now());
    TrackedMessage::new(key(n), sid(n), account(), BaseUrl::default(), now, now + wait)
}

pub(crate) fn message(n: u64) -> TrackedMessage {
    waiting(n, seconds(3 * 24 * 3600))
}

pub(crate) fn target(n: u64) -> ConfirmTarget {
    ConfirmTarget::Id { keys: key(n).into(), resends: Resends::Newest }
}

pub(crate) async fn record(store: &RedisStore, n: u64) {
    let outcomes = store.record(&[message(n)]).await.expect("an answer");
    assert_eq!(outcomes, [RecordOutcome::Inserted]);
}

pub(crate) async fn confirm(store: &RedisStore, n: u64) -> ConfirmOutcome {
    store.confirm(&[target(n)]).await.expect("an answer")[0]
}

/// Records message `n` and confirms it.
pub(crate) async fn queue(store: &RedisStore, n: u64) {
    record(store, n).await;
    assert_eq!(confirm(store, n).await, ConfirmOutcome::Queued);
}

pub(crate) async fn lease(store: &RedisStore, limit: usize) -> Vec<Leased> {
    store.lease(&LeaseRequest::new(limit, seconds(30))).await.expect("an answer").entries
}

pub(crate) async fn status(store: &RedisStore, n: u64) -> Option<LedgerStatus> {
    let entries = store.by_sid(&[sid(n)]).await.expect("an answer");
    entries[0].as_ref().map(|entry| entry.status)
}

/// What is behind the error of an operation.
pub(crate) fn cause(error: &StoreError) -> &RedisStoreError {
    error.source().and_then(|source| source.downcast_ref()).expect("an error of this store")
}
