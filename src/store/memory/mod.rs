//! Tracked messages in the memory of this process.
//!
//! ```
//! use tower_message_feedback::store::MemoryStore;
//!
//! let store = MemoryStore::builder().max_messages(100_000).build();
//! ```
//!
//! It promises nothing beyond the life of the process: what it holds is gone
//! after a crash, and another process cannot confirm what this one sent. It is
//! bounded in every direction, whatever arrives.

mod builder;
mod dead;
mod expiry;
mod messages;
mod notes;
mod outbox;
mod rollups;
mod shard;
mod shards;
mod slot;
mod sources;

use std::fmt;

pub use self::builder::MemoryStoreBuilder;
use self::{
    builder::Settings,
    dead::{DeadLetter, DeadLetters},
    expiry::Queue,
    messages::{AtTheBound, Messages},
    notes::Notes,
    outbox::{Hint, Outbox},
    rollups::Rollups,
    shard::Shard,
    slot::{Progress, Stage},
};
use super::{
    Attempts, ConfirmOutcome, ConfirmTarget, Durability, EntryId, FeedbackStore, ForgetTarget,
    LeaseAnswer, LeaseRequest, LedgerEntry, Note, NoteOutcome, RecordOutcome, ResendOutcome,
    Resends, Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, SettledAs, Settlement,
    StatusOutcome, StatusUpdate, StoreCounts, StoreFuture, TrackedMessage,
};
use crate::{
    CorrelationKey, CorrelationKeys, MessageSid, Timestamp,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A [`FeedbackStore`] in the memory of one process.
///
/// A message that waits takes some 90 bytes, and one that was confirmed some 220 until
/// the ledger drops it.
pub struct MemoryStore {
    /// Its locks come before that of the outbox or of the dead letters, and these two
    /// are never held at once. A message's entry in either changes under its shard's lock:
    /// if it is forgotten and comes again, nothing is left of what it was.
    messages: Messages,
    outbox: Mutex<Outbox>,
    dead: Mutex<DeadLetters>,
    notes: Mutex<Notes>,
    rollups: Mutex<Rollups>,
    evicted: AtomicU64,
    dead_dropped: AtomicU64,
    expired: AtomicU64,
    settings: Settings,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here can panic half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// Starts from the default bounds.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::new()
    }

    fn with(settings: Settings) -> Self {
        Self {
            messages: Messages::new(settings.max_messages),
            outbox: Mutex::default(),
            dead: Mutex::default(),
            notes: Mutex::default(),
            rollups: Mutex::default(),
            evicted: AtomicU64::new(0),
            dead_dropped: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            settings,
        }
    }

    /// A store with the default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    fn record_one(&self, message: &TrackedMessage, now: Timestamp) -> RecordOutcome {
        self.making_room(|| self.messages.insert(message, now)).unwrap_or(RecordOutcome::Full)
    }

    /// What an insert answers once there is room; `None` if there will be none.
    fn making_room<T>(&self, mut insert: impl FnMut() -> Result<T, AtTheBound>) -> Option<T> {
        loop {
            if let Ok(done) = insert() {
                return Some(done);
            }
            // The oldest that may go makes room.
            let removed = self.messages.remove_first()?;
            self.evicted.fetch_add(u64::from(removed.progress.is_none()), Relaxed);
        }
    }

    fn expire_due(&self, limit: usize) -> usize {
        let now = self.settings.clock.now();
        lock(&self.notes).expire(now, limit);
        lock(&self.rollups).expire(now, limit);
        let mut dropped = self.messages.remove_due(now, limit);
        while dropped < limit {
            let Some(first) = lock(&self.dead).first(Some(now)) else { break };
            dropped += usize::from(self.drop_dead(first));
        }
        self.expired.fetch_add(dropped as u64, Relaxed);
        dropped
    }

    /// Drops a dead letter, unless it has been sent again or forgotten since, or another
    /// thread was quicker.
    fn drop_dead(&self, DeadLetter { key, sid, until }: DeadLetter) -> bool {
        let dead = |shard: &mut Shard| {
            let is_due = lock(&self.dead).remove_until(sid, until);
            let at = is_due.then(|| shard.find(key, sid))??;
            shard.progress(at).filter(Progress::is_dead).map(|_| at)
        };
        self.messages.remove(key, dead).is_some()
    }

    fn confirm_one(&self, target: &ConfirmTarget, now: Timestamp) -> ConfirmOutcome {
        match target {
            ConfirmTarget::Id { keys, resends: Resends::Newest } => keys
                .iter()
                .find_map(|key| {
                    self.messages.with_key(key, |shard| {
                        shard.newest(key, now).map(|at| self.enqueue(shard, at, now))
                    })
                })
                .unwrap_or(ConfirmOutcome::Unknown),
            // In a rotation, resends lie on both sides of it.
            ConfirmTarget::Id { keys, resends: Resends::All } => keys
                .iter()
                .filter_map(|key| {
                    self.messages.with_key(key, |shard| {
                        let mut sent: Vec<u32> = shard.under(key).collect();
                        // What was sent first is delivered first.
                        sent.reverse();
                        let confirmed = sent.into_iter().map(|at| self.enqueue(shard, at, now));
                        confirmed.reduce(ConfirmOutcome::most_telling)
                    })
                })
                .reduce(ConfirmOutcome::most_telling)
                .unwrap_or(ConfirmOutcome::Unknown),
            ConfirmTarget::Recorded { key, sid } => self
                .messages
                .with_key(*key, |shard| {
                    shard.find(*key, *sid).map(|at| self.enqueue(shard, at, now))
                })
                .unwrap_or(ConfirmOutcome::Unknown),
            ConfirmTarget::Message(message) => {
                let enqueue = |shard: &mut Shard, at| self.enqueue(shard, at, now);
                let confirmed =
                    self.making_room(|| self.messages.insert_and(message, now, enqueue));
                confirmed.and_then(|(_, outcome)| outcome).unwrap_or(ConfirmOutcome::Full)
            }
        }
    }

    fn enqueue(&self, shard: &mut Shard, at: u32, now: Timestamp) -> ConfirmOutcome {
        if shard.progress(at).is_some() {
            return ConfirmOutcome::AlreadyConfirmed;
        }
        let Some(id) = self.queue(shard, at, now) else { return ConfirmOutcome::Full };
        let stage = Stage::Queued(id);
        let attempts = Attempts::default();
        shard.set_progress(at, Progress { confirmed_at: now, attempts, stage });
        shard.keep(at);
        ConfirmOutcome::Queued
    }

    /// Puts a message into the outbox, if that has room.
    fn queue(&self, shard: &Shard, at: u32, now: Timestamp) -> Option<EntryId> {
        let source = shard.source(at)?;
        let mut outbox = lock(&self.outbox);
        let has_room = outbox.len() < self.settings.max_outbox;
        let hint = Hint { key: shard.key(at), at, sid: shard.sid(at) };
        has_room.then(|| outbox.push(hint, source, now))
    }

    fn settle_one(&self, settlement: &Settlement, now: Timestamp) -> SettleOutcome {
        let Some(Hint { key, at, sid }) = lock(&self.outbox).settle(settlement, now) else {
            return SettleOutcome::LeaseLost;
        };
        let stage = match settlement.settled_as {
            SettledAs::Delivered => Stage::Delivered(now),
            SettledAs::Dead(failure) => Stage::Dead(now, failure),
            SettledAs::Retry(_) => Stage::Queued(settlement.id),
        };
        self.messages.with_key(key, |shard| {
            // Unless it was forgotten meanwhile, whatever the slot holds now.
            let is_this = |progress: &Progress| progress.entry_id() == Some(settlement.id);
            let held = shard.holds(at, sid).then(|| shard.progress(at))?;
            let progress = held.filter(is_this)?;
            shard.set_progress(at, Progress { attempts: settlement.attempts, stage, ..progress });
            match stage {
                Stage::Queued(_) => {}
                Stage::Delivered(_) => {
                    shard.expire_at(at, now + self.settings.ledger_retention, Queue::Delivered);
                }
                Stage::Dead(..) => {
                    let until = now + self.settings.dead_letter_retention;
                    lock(&self.dead).insert(sid, key, until);
                }
            }
            Some(())
        });
        while lock(&self.dead).len() > self.settings.max_dead_letters {
            let Some(first) = lock(&self.dead).first(None) else { break };
            self.dead_dropped.fetch_add(u64::from(self.drop_dead(first)), Relaxed);
        }
        SettleOutcome::Settled
    }

    fn forget_one(&self, target: &ForgetTarget) -> usize {
        let mut forgotten = 0;
        match *target {
            ForgetTarget::Id(keys) => {
                for key in keys.iter() {
                    while self.forget(key, |shard| shard.under(key).next()) {
                        forgotten += 1;
                    }
                }
            }
            ForgetTarget::Message(sid) => {
                let key = self.messages.with_sid(sid, |shard, at| shard.key(at));
                let found = key.is_some_and(|key| self.forget(key, |shard| shard.find(key, sid)));
                forgotten += usize::from(found);
            }
        }
        forgotten
    }

    fn forget(&self, key: CorrelationKey, choose: impl FnOnce(&mut Shard) -> Option<u32>) -> bool {
        let forgotten = |shard: &mut Shard| {
            let at = choose(shard)?;
            match shard.progress(at).map(|progress| progress.stage) {
                Some(Stage::Queued(id)) => lock(&self.outbox).remove(id),
                Some(Stage::Dead(..)) => lock(&self.dead).remove(shard.sid(at)),
                Some(Stage::Delivered(_)) | None => {}
            }
            Some(at)
        };
        self.messages.remove(key, forgotten).is_some()
    }

    fn update_one(&self, update: &StatusUpdate) -> StatusOutcome {
        let updated = self.messages.with_sid(update.sid, |shard, at| {
            if shard.source(at).is_none_or(|source| source.account != update.account) {
                return StatusOutcome::Unknown;
            }
            let previous = shard.status(at);
            if previous >= Some(update.status) {
                return StatusOutcome::NotNewer;
            }
            shard.set_status(at, update.status, update.error_code);
            StatusOutcome::Updated { previous }
        });
        updated.unwrap_or(StatusOutcome::Unknown)
    }

    fn lookup_one(&self, keys: &CorrelationKeys) -> Vec<LedgerEntry> {
        let mut found: Vec<LedgerEntry> = Vec::new();
        for key in keys.iter() {
            self.messages.with_key(key, |shard| {
                found.extend(shard.under(key).filter_map(|at| shard.ledger_entry(at)));
            });
        }
        found
    }

    fn resend_one(&self, sid: MessageSid) -> ResendOutcome {
        let now = self.settings.clock.now();
        let resent = self.messages.with_sid(sid, |shard, at| {
            let Some(progress) = shard.progress(at).filter(Progress::is_dead) else {
                return ResendOutcome::NotDead;
            };
            // Its age starts anew, or the retry policy would give it up at once.
            let Some(id) = self.queue(shard, at, now) else { return ResendOutcome::Full };
            let stage = Stage::Queued(id);
            shard.set_progress(at, Progress { attempts: Attempts::default(), stage, ..progress });
            lock(&self.dead).remove(sid);
            ResendOutcome::Queued
        });
        resent.unwrap_or(ResendOutcome::NotDead)
    }

    fn dead_letters_after(&self, after: Option<MessageSid>, limit: usize) -> Vec<LedgerEntry> {
        let dead = lock(&self.dead).after(after, limit);
        let entry = |shard: &mut Shard, key, sid| {
            let at = shard.find(key, sid)?;
            shard.progress(at).filter(Progress::is_dead)?;
            shard.ledger_entry(at)
        };
        let entries = dead
            .into_iter()
            .filter_map(|(key, sid)| self.messages.with_key(key, |shard| entry(shard, key, sid)));
        entries.collect()
    }

    fn counts_now(&self) -> StoreCounts {
        let now = self.settings.clock.now();
        let (outbox, oldest) = {
            let outbox = lock(&self.outbox);
            (outbox.len(), outbox.oldest())
        };
        StoreCounts {
            messages: self.messages.count() as u64,
            outbox: outbox as u64,
            dead_letters: lock(&self.dead).len() as u64,
            oldest_outbox_age: oldest.map(|oldest| now.since(oldest)),
            evicted: self.evicted.load(Relaxed),
            dead_letters_dropped: self.dead_dropped.load(Relaxed),
            expired: self.expired.load(Relaxed),
        }
    }
}

fn answer<'a, T: Send + 'a>(operation: impl FnOnce() -> T + Send + 'a) -> StoreFuture<'a, T> {
    Box::pin(async move { Ok(operation()) })
}

impl FeedbackStore for MemoryStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        answer(|| {
            let now = self.settings.clock.now();
            messages.iter().map(|message| self.record_one(message, now)).collect()
        })
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        answer(|| {
            let now = self.settings.clock.now();
            targets.iter().map(|target| self.confirm_one(target, now)).collect()
        })
    }

    fn try_record(&self, message: &TrackedMessage) -> Option<RecordOutcome> {
        Some(self.record_one(message, self.settings.clock.now()))
    }

    fn try_confirm(&self, target: &ConfirmTarget) -> Option<ConfirmOutcome> {
        Some(self.confirm_one(target, self.settings.clock.now()))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        answer(|| lock(&self.outbox).lease(request, self.settings.clock.now()))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        answer(|| {
            let now = self.settings.clock.now();
            settlements.iter().map(|settlement| self.settle_one(settlement, now)).collect()
        })
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        answer(move || self.expire_due(limit))
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        answer(|| targets.iter().map(|target| self.forget_one(target)).collect())
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        answer(|| updates.iter().map(|update| self.update_one(update)).collect())
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        answer(|| lock(&self.notes).keep(notes))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        answer(|| lock(&self.notes).read(keys))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        answer(|| ids.iter().map(|keys| self.lookup_one(keys)).collect())
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        answer(|| {
            let entry = |shard: &mut Shard, at| shard.ledger_entry(at);
            sids.iter().map(|sid| self.messages.with_sid(*sid, entry).flatten()).collect()
        })
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        answer(move || self.dead_letters_after(after, limit))
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        answer(|| sids.iter().map(|sid| self.resend_one(*sid)).collect())
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        answer(|| lock(&self.rollups).add(batch))
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        answer(move || lock(&self.rollups).read(resolution, from, to))
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        answer(|| self.counts_now())
    }

    fn durability(&self) -> Durability {
        Durability::Volatile
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("counts", &self.counts_now()).finish_non_exhaustive()
    }
}
