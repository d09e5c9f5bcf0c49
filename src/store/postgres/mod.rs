#![doc = include_str!("guide.md")]

mod access;
mod builder;
mod check;
mod confirm;
mod error;
mod expiry;
mod forget;
mod joined;
mod lease;
mod ledger;
mod migrate;
mod notes;
mod param;
mod record;
mod rollups;
mod schema;
mod settle;
mod sources;
mod statements;
mod status;
mod turns;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

pub use deadpool_postgres;
pub use tokio_postgres;

use self::{
    access::{Access, Link},
    check::Checked,
    expiry::Expiry,
    schema::Schema,
    sources::Sources,
    statements::Statements,
    turns::Turns,
};
pub use self::{builder::PostgresStoreBuilder, error::PostgresError, joined::JoinTransaction};
use super::{
    ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
    LeaseRequest, LedgerEntry, Note, NoteOutcome, RecordOutcome, ResendOutcome, Resolution, Rollup,
    RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome, StatusUpdate,
    StoreCounts, StoreError, StoreFuture, TrackedMessage,
};
use crate::{Clock, CorrelationKeys, MessageSid, Timestamp};

/// A [`FeedbackStore`] in PostgreSQL 15 or later, for any number of processes.
///
/// See the [module](self) for what it needs and what it promises.
pub struct PostgresStore {
    access: Access,
    schema: Schema,
    statements: Statements,
    sources: Sources,
    turns: Turns,
    expiry: Expiry,
    checked: Checked,
    token: AtomicU64,
    poll_interval: Duration,
    ledger_retention: Duration,
    dead_letter_retention: Duration,
    clock: Option<Clock>,
}

impl PostgresStore {
    /// Starts a configuration.
    pub fn builder() -> PostgresStoreBuilder {
        PostgresStoreBuilder::new()
    }

    fn with(
        access: Access,
        schema: Schema,
        settings: PostgresStoreBuilder,
    ) -> Result<Self, PostgresError> {
        let mut token = [0; 8];
        getrandom::getrandom(&mut token)
            .map_err(|_| PostgresError::new("the system has no random numbers"))?;
        Ok(Self {
            access,
            statements: Statements::new(&schema),
            schema,
            sources: Sources::default(),
            turns: Turns::new(),
            expiry: Expiry::new(),
            checked: Checked::new(),
            token: AtomicU64::new(u64::from_ne_bytes(token)),
            poll_interval: settings.poll_interval,
            ledger_retention: settings.ledger_retention,
            dead_letter_retention: settings.dead_letter_retention,
            clock: settings.clock,
        })
    }

    /// Connects and makes sure that the server is recent enough, that its tables
    /// are there and of a version that fits, and whether it syncs what it
    /// writes. The first operation does the same; this does it before traffic
    /// comes.
    ///
    /// # Errors
    ///
    /// One of these is not so; the error's source names the fix.
    pub async fn check(&self) -> Result<(), StoreError> {
        let link = Link::Pool(&self.access);
        Ok(self.ready(link).await?)
    }

    /// The pool that its statements run on.
    #[must_use]
    pub fn pool(&self) -> &deadpool_postgres::Pool {
        &self.access.pool
    }

    /// The schema that holds its tables.
    #[must_use]
    pub fn schema(&self) -> &str {
        self.schema.name()
    }

    /// The time by the builder's clock; none by the server's.
    fn now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now().as_millis())
    }

    /// A token that no other lease has: counted from a random number, because a
    /// sequence of the server's may go back in a crash after a commit that was
    /// not synced.
    fn next_token(&self) -> i64 {
        self.token.fetch_add(1, Relaxed) as i64
    }

    async fn source_ids<'a>(
        &self,
        link: Link<'_>,
        messages: impl Iterator<Item = &'a TrackedMessage>,
    ) -> Result<Vec<i32>, PostgresError> {
        self.sources.ids(&self.access, link, &self.statements, messages).await
    }

    /// Runs an operation once the server is known to be fit for it.
    fn run<'a, T>(
        &'a self,
        operation: impl Future<Output = Result<T, PostgresError>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let whole = async {
                self.ready(Link::Pool(&self.access)).await?;
                operation.await
            };
            Ok(self.access.bounded(whole).await?)
        })
    }

    /// The same, for a batch that may be empty.
    fn run_batch<'a, T>(
        &'a self,
        size: usize,
        operation: impl Future<Output = Result<Vec<T>, PostgresError>> + Send + 'a,
    ) -> StoreFuture<'a, Vec<T>> {
        if size == 0 { Box::pin(async { Ok(Vec::new()) }) } else { self.run(operation) }
    }
}

impl FeedbackStore for PostgresStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        self.run_batch(messages.len(), self.record_via(Link::Pool(&self.access), messages))
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        self.run_batch(targets.len(), self.confirm_via(Link::Pool(&self.access), targets))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        self.run(self.lease_once(request))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        self.run_batch(settlements.len(), self.settle_once(settlements))
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.run(self.expire_once(limit))
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        self.run_batch(targets.len(), self.forget_all(targets))
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        self.run_batch(updates.len(), self.update_status_once(updates))
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        self.run_batch(notes.len(), self.keep_all_notes(notes))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        self.run_batch(keys.len(), self.notes_of(keys))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        self.run_batch(ids.len(), self.lookup_all(ids))
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        self.run_batch(sids.len(), self.by_sids(sids))
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        self.run(self.dead_letters_behind(after, limit))
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        self.run_batch(sids.len(), self.resend_all(sids))
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        self.run(self.add_rollups_once(batch))
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        self.run(self.rollups_of(resolution, from, to))
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        self.run(self.counts_now())
    }

    fn durability(&self) -> Durability {
        self.checked.durability()
    }

    fn poll_interval(&self) -> Option<Duration> {
        Some(self.poll_interval)
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the pool: its configuration has a password.
        f.debug_struct("PostgresStore")
            .field("schema", &self.schema.name())
            .field("connections", &self.access.pool.status().size)
            .finish_non_exhaustive()
    }
}
