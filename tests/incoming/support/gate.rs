use tokio::sync::watch;
use tower_message_feedback::{
    CorrelationKeys, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, MemoryStore, Note, NoteOutcome, RecordOutcome, ResendOutcome,
        Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome,
        StatusUpdate, StoreCounts, StoreFuture, TrackedMessage,
    },
};

use super::soon;

/// Where calls wait while it is shut. It counts who came.
#[derive(Clone)]
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    came: watch::Sender<u32>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { open: watch::Sender::new(true), came: watch::Sender::new(0) }
    }

    pub(crate) fn shut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Resolves once `count` calls have come, let through or not.
    pub(crate) async fn came(&self, count: u32) {
        let mut came = self.came.subscribe();
        soon("a call at the gate", came.wait_for(|came| *came >= count)).await.expect("a gate");
    }

    pub(crate) async fn pass(&self) {
        self.came.send_modify(|came| *came += 1);
        self.open.subscribe().wait_for(|open| *open).await.expect("a gate");
    }
}

/// The store in memory, behind gates for records, confirms and statuses.
#[derive(Clone)]
pub(crate) struct GatedStore {
    inner: std::sync::Arc<MemoryStore>,
    pub(crate) records: Gate,
    pub(crate) confirms: Gate,
    pub(crate) statuses: Gate,
}

impl GatedStore {
    pub(crate) fn new() -> Self {
        let inner = std::sync::Arc::new(MemoryStore::new());
        Self { inner, records: Gate::new(), confirms: Gate::new(), statuses: Gate::new() }
    }
}

impl FeedbackStore for GatedStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        Box::pin(async move {
            self.records.pass().await;
            self.inner.record(messages).await
        })
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        Box::pin(async move {
            self.confirms.pass().await;
            self.inner.confirm(targets).await
        })
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        self.inner.lease(request)
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        self.inner.settle(settlements)
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.inner.expire(limit)
    }

    fn forget<'a>(&'a self, ids: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        self.inner.forget(ids)
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        Box::pin(async move {
            self.statuses.pass().await;
            self.inner.update_status(updates).await
        })
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        self.inner.keep_notes(notes)
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        self.inner.notes(keys)
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        self.inner.add_rollups(batch)
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        self.inner.rollups(resolution, from, to)
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        self.inner.lookup(ids)
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        self.inner.by_sid(sids)
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        self.inner.dead_letters(after, limit)
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        self.inner.resend(sids)
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        self.inner.counts()
    }

    fn durability(&self) -> Durability {
        self.inner.durability()
    }
}
