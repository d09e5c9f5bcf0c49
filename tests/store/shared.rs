//! A store in memory that several objects share, as processes share a server,
//! and that can confirm inside an open transaction.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tower_message_feedback::{
    CorrelationKeys, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, LedgerStatus, MemoryStore, Note, NoteOutcome, RecordOutcome,
        ResendOutcome, Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement,
        StatusOutcome, StatusUpdate, StoreCounts, StoreError, StoreFuture, TrackedMessage,
        conformance::{HeldConfirm, HeldEnd, Settings, Subject},
    },
};

use crate::{conformance::open, delegate::feedback_store};

/// What breaks in it, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharedFault {
    None,
    /// Another object sees an empty store.
    NothingIsShared,
    /// It says that it survives its process, and cannot be opened again.
    CannotBeOpenedAgain,
    /// An open confirm keeps no other waiting.
    LocksNothing,
    RollbackCommits,
    CommitRollsBack,
    /// An open confirm answers what it would not do.
    HeldAnswersUnknown,
    /// A confirm that waited answers what it saw before it did.
    AnswersFromBeforeTheWait,
}

pub(crate) struct Shared {
    durability: Durability,
    pub(crate) fault: SharedFault,
}

impl Shared {
    pub(crate) fn new(durability: Durability) -> Self {
        Self { durability, fault: SharedFault::None }
    }
}

pub(crate) struct SharedStore {
    memory: Arc<MemoryStore>,
    /// Held by a transaction until its end.
    transaction: Arc<Mutex<()>>,
    durability: Durability,
    /// The one that counts what was dropped.
    first: bool,
    fault: SharedFault,
}

impl SharedStore {
    async fn record_(&self, batch: &[TrackedMessage]) -> Result<Vec<RecordOutcome>, StoreError> {
        self.memory.record(batch).await
    }

    async fn confirm_(&self, batch: &[ConfirmTarget]) -> Result<Vec<ConfirmOutcome>, StoreError> {
        let before = match self.fault {
            SharedFault::AnswersFromBeforeTheWait => Some(foreseen(&self.memory, &batch[0]).await),
            _ => None,
        };
        let locks = self.fault != SharedFault::LocksNothing;
        let _guard = if locks { Some(self.transaction.lock().await) } else { None };
        let outcomes = self.memory.confirm(batch).await?;
        Ok(match before {
            Some(before) if batch.len() == 1 => vec![before],
            _ => outcomes,
        })
    }

    async fn lease_(&self, request: &LeaseRequest) -> Result<LeaseAnswer, StoreError> {
        self.memory.lease(request).await
    }

    async fn settle_(&self, batch: &[Settlement]) -> Result<Vec<SettleOutcome>, StoreError> {
        self.memory.settle(batch).await
    }

    async fn expire_(&self, limit: usize) -> Result<usize, StoreError> {
        self.memory.expire(limit).await
    }

    async fn forget_(&self, targets: &[ForgetTarget]) -> Result<Vec<usize>, StoreError> {
        self.memory.forget(targets).await
    }

    async fn update_status_(
        &self,
        updates: &[StatusUpdate],
    ) -> Result<Vec<StatusOutcome>, StoreError> {
        self.memory.update_status(updates).await
    }

    async fn keep_notes_(&self, notes: &[Note]) -> Result<Vec<NoteOutcome>, StoreError> {
        self.memory.keep_notes(notes).await
    }

    async fn notes_(&self, keys: &[CorrelationKeys]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.memory.notes(keys).await
    }

    async fn add_rollups_(&self, batch: &RollupBatch) -> Result<RollupOutcome, StoreError> {
        self.memory.add_rollups(batch).await
    }

    async fn rollups_(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Rollup>, StoreError> {
        self.memory.rollups(resolution, from, to).await
    }

    async fn lookup_(&self, ids: &[CorrelationKeys]) -> Result<Vec<Vec<LedgerEntry>>, StoreError> {
        self.memory.lookup(ids).await
    }

    async fn by_sid_(&self, sids: &[MessageSid]) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        self.memory.by_sid(sids).await
    }

    async fn dead_letters_(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.memory.dead_letters(after, limit).await
    }

    async fn resend_(&self, sids: &[MessageSid]) -> Result<Vec<ResendOutcome>, StoreError> {
        self.memory.resend(sids).await
    }

    async fn counts_(&self) -> Result<StoreCounts, StoreError> {
        let mut counts = self.memory.counts().await?;
        if !self.first {
            (counts.evicted, counts.expired, counts.dead_letters_dropped) = (0, 0, 0);
        }
        Ok(counts)
    }

    fn durability_(&self) -> Durability {
        self.durability
    }
}

feedback_store!(SharedStore);

/// What a confirm of `target` would answer now.
async fn foreseen(memory: &MemoryStore, target: &ConfirmTarget) -> ConfirmOutcome {
    let statuses: Vec<LedgerStatus> = match target {
        ConfirmTarget::Id { keys, .. } => {
            let found = memory.lookup(&[*keys]).await.expect("an answer").remove(0);
            found.into_iter().map(|entry| entry.status).collect()
        }
        ConfirmTarget::Recorded { sid, .. } => {
            let known = memory.by_sid(&[*sid]).await.expect("an answer").remove(0);
            known.map(|entry| entry.status).into_iter().collect()
        }
        ConfirmTarget::Message(message) => {
            let known = memory.by_sid(&[message.sid]).await.expect("an answer").remove(0);
            vec![known.map_or(LedgerStatus::Pending, |entry| entry.status)]
        }
        _ => panic!("a new target"),
    };
    match statuses.first() {
        None => ConfirmOutcome::Unknown,
        Some(LedgerStatus::Pending) => ConfirmOutcome::Queued,
        Some(_) => ConfirmOutcome::AlreadyConfirmed,
    }
}

/// A confirm that takes place at the commit, and keeps others waiting until then.
struct Held {
    memory: Arc<MemoryStore>,
    target: ConfirmTarget,
    outcome: ConfirmOutcome,
    guard: Option<OwnedMutexGuard<()>>,
    fault: SharedFault,
}

impl Held {
    fn end(self, commits: bool) -> HeldEnd {
        Box::pin(async move {
            if commits {
                self.memory.confirm(&[self.target]).await.expect("an answer");
            }
            drop(self.guard);
        })
    }
}

impl HeldConfirm for Held {
    fn outcome(&self) -> ConfirmOutcome {
        match self.fault {
            SharedFault::HeldAnswersUnknown => ConfirmOutcome::Unknown,
            _ => self.outcome,
        }
    }

    fn commit(self: Box<Self>) -> HeldEnd {
        let commits = self.fault != SharedFault::CommitRollsBack;
        self.end(commits)
    }

    fn rollback(self: Box<Self>) -> HeldEnd {
        let commits = self.fault == SharedFault::RollbackCommits;
        self.end(commits)
    }
}

impl Subject for Shared {
    type Store = SharedStore;

    async fn open(&self, settings: Settings) -> SharedStore {
        SharedStore {
            memory: Arc::new(open(&settings)),
            transaction: Arc::default(),
            durability: self.durability,
            first: true,
            fault: self.fault,
        }
    }

    async fn open_again(&self, store: &SharedStore, settings: Settings) -> Option<SharedStore> {
        let memory = match self.fault {
            SharedFault::CannotBeOpenedAgain => return None,
            SharedFault::NothingIsShared => Arc::new(open(&settings)),
            _ => store.memory.clone(),
        };
        let transaction = store.transaction.clone();
        let (durability, fault) = (self.durability, self.fault);
        Some(SharedStore { memory, transaction, durability, first: false, fault })
    }

    async fn hold_confirm(
        &self,
        store: &SharedStore,
        target: ConfirmTarget,
    ) -> Option<Box<dyn HeldConfirm>> {
        let locks = self.fault != SharedFault::LocksNothing;
        let guard = if locks { Some(store.transaction.clone().lock_owned().await) } else { None };
        let outcome = foreseen(&store.memory, &target).await;
        let (memory, fault) = (store.memory.clone(), self.fault);
        Some(Box::new(Held { memory, target, outcome, guard, fault }))
    }
}
