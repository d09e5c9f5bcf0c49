//! A store that fails, hangs and dawdles on command.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Notify, task::yield_now};
use tower_message_feedback::{
    CorrelationKeys, ManualClock, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, MemoryStore, Note, NoteOutcome, RecordOutcome, ResendOutcome,
        Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome,
        StatusUpdate, StoreCounts, StoreError, StoreFuture, TrackedMessage,
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Record,
    Confirm,
    Lease,
    Settle,
    Expire,
    Forget,
    Lookup,
    DeadLetters,
    Resend,
    Status,
    Notes,
    AddRollups,
    Rollups,
    Counts,
}

impl Op {
    pub(crate) const ALL: [Self; 14] = [
        Self::Record,
        Self::Confirm,
        Self::Lease,
        Self::Settle,
        Self::Expire,
        Self::Forget,
        Self::Lookup,
        Self::DeadLetters,
        Self::Resend,
        Self::Status,
        Self::Notes,
        Self::AddRollups,
        Self::Rollups,
        Self::Counts,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Works,
    Fails,
    /// Does nothing and never answers.
    Hangs,
    /// Does it, and then answers an error.
    FailsAfterwards,
    /// Does it, and answers once the mode is another.
    AnswersLate,
    /// Lets others go before it does it, and before it answers; twice each, for who polls
    /// twice at once.
    Yields,
}

/// A clone is the same store.
#[derive(Clone)]
pub(crate) struct SwitchStore {
    pub(crate) memory: Arc<MemoryStore>,
    switches: Arc<Switches>,
    durability: Durability,
    poll_interval: Option<Duration>,
    /// Of operations that were never switched.
    otherwise: Mode,
}

#[derive(Default)]
struct Switches {
    modes: Mutex<HashMap<Op, Mode>>,
    calls: Mutex<HashMap<Op, usize>>,
    switched: Notify,
}

impl SwitchStore {
    pub(crate) fn new(time: &ManualClock) -> Self {
        Self::of(MemoryStore::builder().clock(time.clock()).build())
    }

    pub(crate) fn of(memory: MemoryStore) -> Self {
        Self {
            memory: Arc::new(memory),
            switches: Arc::default(),
            durability: Durability::Volatile,
            poll_interval: None,
            otherwise: Mode::default(),
        }
    }

    /// Each operation is two awaits.
    pub(crate) fn yielding(mut self) -> Self {
        self.otherwise = Mode::Yields;
        self
    }

    pub(crate) fn durable(mut self) -> Self {
        self.durability = Durability::Process;
        self
    }

    /// Other processes confirm, too.
    pub(crate) fn polled(mut self, interval: Duration) -> Self {
        self.poll_interval = Some(interval);
        self
    }

    pub(crate) fn set(&self, op: Op, mode: Mode) {
        self.switches.modes.lock().expect("no panic").insert(op, mode);
        self.switches.switched.notify_waiters();
    }

    /// How often the operation was called.
    pub(crate) fn calls(&self, op: Op) -> usize {
        self.switches.calls.lock().expect("no panic").get(&op).copied().unwrap_or(0)
    }

    fn mode(&self, op: Op) -> Mode {
        let modes = self.switches.modes.lock().expect("no panic");
        modes.get(&op).copied().unwrap_or(self.otherwise)
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        op: Op,
        operation: StoreFuture<'a, T>,
    ) -> StoreFuture<'a, T> {
        *self.switches.calls.lock().expect("no panic").entry(op).or_default() += 1;
        Box::pin(async move {
            let failure = || StoreError::new("switched off");
            match self.mode(op) {
                Mode::Works => operation.await,
                Mode::Fails => Err(failure()),
                Mode::Hangs => pending().await,
                Mode::Yields => {
                    yield_now().await;
                    yield_now().await;
                    let answer = operation.await;
                    yield_now().await;
                    yield_now().await;
                    answer
                }
                Mode::FailsAfterwards => operation.await.and(Err(failure())),
                Mode::AnswersLate => {
                    let answer = operation.await;
                    while self.mode(op) == Mode::AnswersLate {
                        let switched = self.switches.switched.notified();
                        if self.mode(op) == Mode::AnswersLate {
                            switched.await;
                        }
                    }
                    answer
                }
            }
        })
    }
}

impl FeedbackStore for SwitchStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        self.pass(Op::Record, self.memory.record(messages))
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        self.pass(Op::Confirm, self.memory.confirm(targets))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        self.pass(Op::Lease, self.memory.lease(request))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        self.pass(Op::Settle, self.memory.settle(settlements))
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.pass(Op::Expire, self.memory.expire(limit))
    }

    fn forget<'a>(&'a self, ids: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        self.pass(Op::Forget, self.memory.forget(ids))
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        self.pass(Op::Status, self.memory.update_status(updates))
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        self.pass(Op::Notes, self.memory.keep_notes(notes))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        self.pass(Op::Notes, self.memory.notes(keys))
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        self.pass(Op::AddRollups, self.memory.add_rollups(batch))
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        self.pass(Op::Rollups, self.memory.rollups(resolution, from, to))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        self.pass(Op::Lookup, self.memory.lookup(ids))
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        self.pass(Op::Lookup, self.memory.by_sid(sids))
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        self.pass(Op::DeadLetters, self.memory.dead_letters(after, limit))
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        self.pass(Op::Resend, self.memory.resend(sids))
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        self.pass(Op::Counts, self.memory.counts())
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn poll_interval(&self) -> Option<Duration> {
        self.poll_interval
    }
}
