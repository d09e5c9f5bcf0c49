//! A store that keeps nothing of what the contract leaves open: the suite must
//! not ask for more.

use tower_message_feedback::{
    CorrelationKeys, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, MemoryStore, Note, NoteOutcome, RecordOutcome, ResendOutcome,
        Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome,
        StatusUpdate, StoreCounts, StoreError, StoreFuture, TrackedMessage,
        conformance::{Capabilities, Settings, Subject},
    },
};

use crate::{conformance::open, delegate::feedback_store};

pub(crate) struct Loose;

pub(crate) struct LooseStore(MemoryStore);

impl LooseStore {
    async fn record_(&self, batch: &[TrackedMessage]) -> Result<Vec<RecordOutcome>, StoreError> {
        self.0.record(batch).await
    }

    async fn confirm_(&self, batch: &[ConfirmTarget]) -> Result<Vec<ConfirmOutcome>, StoreError> {
        self.0.confirm(batch).await
    }

    /// Looks at some of it, which may be the wrong part, and in no order.
    async fn lease_(&self, request: &LeaseRequest) -> Result<LeaseAnswer, StoreError> {
        let mut some = request.clone();
        some.limit = some.limit.min(fastrand::usize(0..5));
        let mut answer = self.0.lease(&some).await?;
        fastrand::shuffle(&mut answer.entries);
        answer.next_due = None;
        Ok(answer)
    }

    async fn settle_(&self, batch: &[Settlement]) -> Result<Vec<SettleOutcome>, StoreError> {
        self.0.settle(batch).await
    }

    async fn expire_(&self, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn forget_(&self, targets: &[ForgetTarget]) -> Result<Vec<usize>, StoreError> {
        self.0.forget(targets).await
    }

    async fn update_status_(
        &self,
        updates: &[StatusUpdate],
    ) -> Result<Vec<StatusOutcome>, StoreError> {
        self.0.update_status(updates).await
    }

    async fn keep_notes_(&self, notes: &[Note]) -> Result<Vec<NoteOutcome>, StoreError> {
        self.0.keep_notes(notes).await
    }

    async fn notes_(&self, keys: &[CorrelationKeys]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.0.notes(keys).await
    }

    async fn add_rollups_(&self, batch: &RollupBatch) -> Result<RollupOutcome, StoreError> {
        self.0.add_rollups(batch).await
    }

    async fn rollups_(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Rollup>, StoreError> {
        self.0.rollups(resolution, from, to).await
    }

    async fn lookup_(&self, ids: &[CorrelationKeys]) -> Result<Vec<Vec<LedgerEntry>>, StoreError> {
        self.0.lookup(ids).await
    }

    /// Drops what is over when it feels like it.
    async fn by_sid_(&self, sids: &[MessageSid]) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        self.0.expire(fastrand::usize(0..3)).await?;
        self.0.by_sid(sids).await
    }

    async fn dead_letters_(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.0.dead_letters(after, limit).await
    }

    async fn resend_(&self, sids: &[MessageSid]) -> Result<Vec<ResendOutcome>, StoreError> {
        self.0.resend(sids).await
    }

    async fn counts_(&self) -> Result<StoreCounts, StoreError> {
        let mut counts = self.0.counts().await?;
        counts.messages = counts.messages * 2 / 3;
        counts.expired = 0;
        Ok(counts)
    }

    #[allow(clippy::unused_self, reason = "the delegate calls it as a method")]
    fn durability_(&self) -> Durability {
        Durability::Volatile
    }
}

feedback_store!(LooseStore);

impl Subject for Loose {
    type Store = LooseStore;

    async fn open(&self, mut settings: Settings) -> LooseStore {
        settings.max_messages = None;
        settings.max_outbox = None;
        settings.max_dead_letters = None;
        LooseStore(open(&settings))
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_messages = false;
        capabilities.max_outbox = false;
        capabilities.max_dead_letters = false;
        capabilities.exact_message_count = false;
        capabilities.exact_expiry = false;
        capabilities.ordered_leases = false;
        capabilities.exact_next_due = false;
        capabilities
    }

    fn histories(&self) -> u64 {
        200
    }
}
