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
mod chain;
mod expiry;
mod notes;
mod outbox;
mod rollups;
mod shards;

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

pub use self::builder::MemoryStoreBuilder;
use self::{
    builder::Settings,
    chain::{Chain, Held, Progress, Stage},
    expiry::{ExpiryQueue, Hint},
    notes::Notes,
    outbox::Outbox,
    rollups::Rollups,
    shards::Shards,
};
use super::{
    Attempts, ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
    LeaseRequest, LedgerEntry, Note, NoteOutcome, RecordOutcome, ResendOutcome, Resends,
    Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, SettledAs, Settlement,
    StatusOutcome, StatusUpdate, StoreCounts, StoreFuture, TrackedMessage,
};
use crate::{CorrelationKey, CorrelationKeys, MessageSid, Timestamp};

/// A [`FeedbackStore`] in the memory of one process.
///
/// Its locks are taken in one order: the messages of a key, then the index by
/// SID, the outbox or the expiry queue, and never two of the latter at once.
pub struct MemoryStore {
    by_key: Shards<CorrelationKey, Chain>,
    by_sid: Shards<MessageSid, CorrelationKey>,
    outbox: Mutex<Outbox>,
    expiry: Mutex<ExpiryQueue>,
    dead: Mutex<std::collections::BTreeMap<MessageSid, CorrelationKey>>,
    notes: Mutex<Notes>,
    rollups: Mutex<Rollups>,
    messages: AtomicUsize,
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
            by_key: Shards::new(),
            by_sid: Shards::new(),
            outbox: Mutex::default(),
            expiry: Mutex::default(),
            dead: Mutex::default(),
            notes: Mutex::default(),
            rollups: Mutex::default(),
            messages: AtomicUsize::new(0),
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

    fn record_one(&self, message: &TrackedMessage) -> RecordOutcome {
        if let Some(outcome) = self.by_sid.read(&message.sid, |key| present(*key, message.key)) {
            return outcome;
        }
        if !self.reserve() {
            return RecordOutcome::Full;
        }
        let outcome = self.by_key.update_or_default(message.key, |chain| {
            let key = self.by_sid.insert_or_read(message.sid, message.key, |key| *key);
            if key != message.key || chain.get(message.sid).is_some() {
                return present(key, message.key);
            }
            let held = chain.insert(message.clone());
            held.place = Some(lock(&self.expiry).push(message.expires_at, hint(held)));
            RecordOutcome::Inserted
        });
        if outcome != RecordOutcome::Inserted {
            self.messages.fetch_sub(1, Relaxed);
        }
        outcome
    }

    /// Makes sure that one more message fits.
    fn reserve(&self) -> bool {
        if self.messages.fetch_add(1, Relaxed) < self.settings.max_messages || self.evict() {
            return true;
        }
        self.messages.fetch_sub(1, Relaxed);
        false
    }

    /// Drops the oldest message that may go.
    fn evict(&self) -> bool {
        loop {
            let Some(oldest) = lock(&self.expiry).pop_oldest() else { return false };
            if let Some(held) = self.drop_message(oldest) {
                self.evicted.fetch_add(u64::from(held.progress.is_none()), Relaxed);
                return true;
            }
        }
    }

    fn expire_due(&self, limit: usize) -> usize {
        let now = self.settings.clock.now();
        lock(&self.notes).expire(now, limit);
        lock(&self.rollups).expire(now, limit);
        let mut dropped = 0;
        while dropped < limit {
            let Some(due) = lock(&self.expiry).pop_due(now) else { break };
            if self.drop_message(due).is_some() {
                dropped += 1;
                self.expired.fetch_add(1, Relaxed);
            }
        }
        dropped
    }

    /// Drops a message that was taken out of the expiry queue, unless it has
    /// been confirmed or forgotten since.
    fn drop_message(&self, (key, sid): Hint) -> Option<Held> {
        self.by_key.update(key, |chain| {
            chain.get(sid).filter(|held| !held.is_queued())?;
            let held = chain.remove(sid)?;
            self.unlink(&held);
            Some(held)
        })?
    }

    /// Removes what points to a message that left its chain.
    fn unlink(&self, held: &Held) {
        self.by_sid.remove(&held.message.sid);
        self.messages.fetch_sub(1, Relaxed);
        if let Some(id) = held.entry_id() {
            lock(&self.outbox).remove(id);
        }
        if held.is_dead() {
            lock(&self.dead).remove(&held.message.sid);
        }
        if let Some(place) = held.place {
            lock(&self.expiry).remove(place);
        }
    }

    fn confirm_one(&self, target: &ConfirmTarget) -> ConfirmOutcome {
        let now = self.settings.clock.now();
        match target {
            ConfirmTarget::Id { keys, resends: Resends::Newest } => keys
                .iter()
                .find_map(|key| {
                    self.by_key.update(key, |chain| {
                        chain.newest(now).map(|held| self.enqueue(key, held, now))
                    })?
                })
                .unwrap_or(ConfirmOutcome::Unknown),
            // In a rotation, resends lie on both sides of it.
            ConfirmTarget::Id { keys, resends: Resends::All } => keys
                .iter()
                .filter_map(|key| {
                    self.by_key.update(key, |chain| {
                        let held = chain.iter_mut();
                        held.map(|held| self.enqueue(key, held, now))
                            .reduce(ConfirmOutcome::most_telling)
                    })?
                })
                .reduce(ConfirmOutcome::most_telling)
                .unwrap_or(ConfirmOutcome::Unknown),
            ConfirmTarget::Message(message) => {
                // At the bound another thread's record may drop it in between.
                for _ in 0..8 {
                    if self.record_one(message) == RecordOutcome::Full {
                        break;
                    }
                    let enqueue = |key, held: &mut Held| self.enqueue(key, held, now);
                    if let Some(outcome) = self.with_held(message.sid, enqueue) {
                        return outcome;
                    }
                }
                ConfirmOutcome::Full
            }
        }
    }

    fn with_held<R>(
        &self,
        sid: MessageSid,
        change: impl FnOnce(CorrelationKey, &mut Held) -> R,
    ) -> Option<R> {
        let key = self.by_sid.read(&sid, |key| *key)?;
        self.by_key.update(key, |chain| chain.get_mut(sid).map(|held| change(key, held)))?
    }

    fn enqueue(&self, key: CorrelationKey, held: &mut Held, now: Timestamp) -> ConfirmOutcome {
        if held.progress.is_some() {
            return ConfirmOutcome::AlreadyConfirmed;
        }
        let mut outbox = lock(&self.outbox);
        if outbox.len() >= self.settings.max_outbox {
            return ConfirmOutcome::Full;
        }
        let id = outbox.push(key, &held.message, now, now);
        drop(outbox);
        held.progress = Some(Box::new(Progress {
            confirmed_at: now,
            attempts: Attempts::default(),
            stage: Stage::Queued(id),
        }));
        self.keep(held);
        ConfirmOutcome::Queued
    }

    /// Takes a message that is in the outbox out of the expiry queue.
    fn keep(&self, held: &mut Held) {
        if let Some(place) = held.place.take() {
            lock(&self.expiry).remove(place);
        }
    }

    fn settle_one(&self, settlement: &Settlement) -> SettleOutcome {
        let now = self.settings.clock.now();
        let Some((key, sid)) = lock(&self.outbox).settle(settlement, now) else {
            return SettleOutcome::LeaseLost;
        };
        let stage = match settlement.settled_as {
            SettledAs::Delivered => Some(Stage::Delivered(now)),
            SettledAs::Dead(failure) => Some(Stage::Dead(now, failure)),
            SettledAs::Retry(_) => None,
        };
        self.by_key.update(key, |chain| {
            // Unless it was forgotten, recorded and confirmed anew meanwhile.
            let held = chain.get_mut(sid).filter(|held| held.entry_id() == Some(settlement.id))?;
            let progress = held.progress.as_mut()?;
            progress.attempts = settlement.attempts;
            progress.stage = stage?;
            held.place = Some(if held.is_dead() {
                lock(&self.dead).insert(sid, key);
                let until = now + self.settings.dead_letter_retention;
                lock(&self.expiry).push_dead(until, (key, sid))
            } else {
                let until = now + self.settings.ledger_retention;
                lock(&self.expiry).push(until, (key, sid))
            });
            Some(())
        });
        while lock(&self.dead).len() > self.settings.max_dead_letters {
            let Some(oldest) = lock(&self.expiry).pop_oldest_dead() else { break };
            if self.drop_message(oldest).is_some() {
                self.dead_dropped.fetch_add(1, Relaxed);
            }
        }
        SettleOutcome::Settled
    }

    fn forget_one(&self, target: &ForgetTarget) -> usize {
        let unlink = |gone: Vec<Held>| {
            gone.iter().for_each(|held| self.unlink(held));
            gone.len()
        };
        match *target {
            ForgetTarget::Id(keys) => keys
                .iter()
                .filter_map(|key| self.by_key.update(key, |chain| unlink(chain.take())))
                .sum(),
            ForgetTarget::Message(sid) => self
                .by_sid
                .read(&sid, |key| *key)
                .and_then(|key| {
                    self.by_key.update(key, |chain| unlink(chain.remove(sid).into_iter().collect()))
                })
                .unwrap_or(0),
        }
    }

    fn update_one(&self, update: &StatusUpdate) -> StatusOutcome {
        let updated = self.with_held(update.sid, |_, held| {
            if held.message.account != update.account {
                return StatusOutcome::Unknown;
            }
            let previous = held.delivery.map(|(status, _)| status);
            if previous >= Some(update.status) {
                return StatusOutcome::NotNewer;
            }
            held.delivery = Some((update.status, update.error_code));
            StatusOutcome::Updated { previous }
        });
        updated.unwrap_or(StatusOutcome::Unknown)
    }

    fn lookup_one(&self, keys: &CorrelationKeys) -> Vec<LedgerEntry> {
        let mut found: Vec<LedgerEntry> = Vec::new();
        for key in keys.iter() {
            let _ = self.by_key.read(&key, |chain| {
                found.extend(chain.iter().rev().map(Held::ledger_entry));
            });
        }
        found
    }

    fn resend_one(&self, sid: MessageSid) -> ResendOutcome {
        let now = self.settings.clock.now();
        self.with_held(sid, |key, held| {
            if !held.is_dead() {
                return ResendOutcome::NotDead;
            }
            let mut outbox = lock(&self.outbox);
            if outbox.len() >= self.settings.max_outbox {
                return ResendOutcome::Full;
            }
            let Some(progress) = held.progress.as_mut() else { return ResendOutcome::NotDead };
            // Its age starts anew, or the retry policy would give it up at once.
            let id = outbox.push(key, &held.message, now, now);
            drop(outbox);
            progress.attempts = Attempts::default();
            progress.stage = Stage::Queued(id);
            lock(&self.dead).remove(&sid);
            self.keep(held);
            ResendOutcome::Queued
        })
        .unwrap_or(ResendOutcome::NotDead)
    }

    fn counts_now(&self) -> StoreCounts {
        let now = self.settings.clock.now();
        let (outbox, oldest) = {
            let outbox = lock(&self.outbox);
            (outbox.len(), outbox.oldest())
        };
        StoreCounts {
            messages: self.messages.load(Relaxed) as u64,
            outbox: outbox as u64,
            dead_letters: lock(&self.dead).len() as u64,
            oldest_outbox_age: oldest.map(|oldest| now.since(oldest)),
            evicted: self.evicted.load(Relaxed),
            dead_letters_dropped: self.dead_dropped.load(Relaxed),
            expired: self.expired.load(Relaxed),
        }
    }
}

fn hint(held: &Held) -> Hint {
    (held.message.key, held.message.sid)
}

fn present(held_under: CorrelationKey, recorded_under: CorrelationKey) -> RecordOutcome {
    if held_under == recorded_under {
        RecordOutcome::AlreadyPresent
    } else {
        RecordOutcome::OtherId
    }
}

fn answer<'a, T: Send + 'a>(operation: impl FnOnce() -> T + Send + 'a) -> StoreFuture<'a, T> {
    Box::pin(async move { Ok(operation()) })
}

impl FeedbackStore for MemoryStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        answer(|| messages.iter().map(|message| self.record_one(message)).collect())
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        answer(|| targets.iter().map(|target| self.confirm_one(target)).collect())
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        answer(|| lock(&self.outbox).lease(request, self.settings.clock.now()))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        answer(|| settlements.iter().map(|settlement| self.settle_one(settlement)).collect())
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
            sids.iter().map(|sid| self.with_held(*sid, |_, held| held.ledger_entry())).collect()
        })
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        use std::ops::Bound::{Excluded, Unbounded};
        answer(move || {
            let dead: Vec<Hint> = lock(&self.dead)
                .range((after.map_or(Unbounded, Excluded), Unbounded))
                .take(limit)
                .map(|(sid, key)| (*key, *sid))
                .collect();
            dead.into_iter()
                .filter_map(|(key, sid)| {
                    self.by_key
                        .read(&key, |chain| {
                            chain.get(sid).filter(|held| held.is_dead()).map(Held::ledger_entry)
                        })
                        .flatten()
                })
                .collect()
        })
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
