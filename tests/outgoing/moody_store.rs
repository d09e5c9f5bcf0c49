//! A store in memory that fails or hangs when it is told to.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

use tokio::sync::Notify;
use tower_message_feedback::{
    CorrelationKeys, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, MemoryStore, Note, NoteOutcome, RecordOutcome, ResendOutcome,
        Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome,
        StatusUpdate, StoreCounts, StoreError, StoreFuture, TrackedMessage,
    },
};

const WELL: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

#[derive(Clone, Default)]
pub(crate) struct MoodyStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory: MemoryStore,
    mood: AtomicU8,
    healed: Notify,
}

impl MoodyStore {
    /// From now on operations fail.
    pub(crate) fn fail(&self) {
        self.0.mood.store(FAILS, SeqCst);
    }

    /// From now on operations wait until the store is well again.
    pub(crate) fn hang(&self) {
        self.0.mood.store(HANGS, SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.0.mood.store(WELL, SeqCst);
        self.0.healed.notify_waiters();
    }

    fn moody<'a, T: Send + 'a>(&'a self, operation: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            loop {
                let healed = self.0.healed.notified();
                match self.0.mood.load(SeqCst) {
                    WELL => return operation.await,
                    FAILS => return Err(StoreError::new("a scripted failure")),
                    _ => healed.await,
                }
            }
        })
    }
}

impl FeedbackStore for MoodyStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        self.moody(self.0.memory.record(messages))
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        self.moody(self.0.memory.confirm(targets))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        self.moody(self.0.memory.lease(request))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        self.moody(self.0.memory.settle(settlements))
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.moody(self.0.memory.expire(limit))
    }

    fn forget<'a>(&'a self, ids: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        self.moody(self.0.memory.forget(ids))
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        self.moody(self.0.memory.update_status(updates))
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        self.moody(self.0.memory.keep_notes(notes))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        self.moody(self.0.memory.notes(keys))
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        self.moody(self.0.memory.add_rollups(batch))
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        self.moody(self.0.memory.rollups(resolution, from, to))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        self.moody(self.0.memory.lookup(ids))
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        self.moody(self.0.memory.by_sid(sids))
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        self.moody(self.0.memory.dead_letters(after, limit))
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        self.moody(self.0.memory.resend(sids))
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        self.moody(self.0.memory.counts())
    }

    fn durability(&self) -> Durability {
        self.0.memory.durability()
    }
}
