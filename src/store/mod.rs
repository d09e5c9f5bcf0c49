//! Where tracked messages wait: the contract that every store keeps, and the
//! store in memory.

#[cfg(feature = "test-util")]
pub mod conformance;
mod entry;
mod error;
mod ledger;
mod ledger_json;
mod memory;
mod note;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
mod rollup;
mod segment;
#[cfg(feature = "sqlite-unbundled")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub mod sqlite;
mod status;
mod url;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "redis")]
pub use self::redis::{RedisStore, RedisStoreBuilder};
#[cfg(feature = "sqlite-unbundled")]
pub use self::sqlite::{SqliteStore, SqliteStoreBuilder};
pub use self::{
    entry::{
        Attempts, ConfirmOutcome, ConfirmTarget, EntryId, Failure, FailureKind, ForgetTarget,
        LeaseAnswer, LeaseRequest, LeaseToken, Leased, RecordOutcome, ResendOutcome, Resends,
        SettleOutcome, SettledAs, Settlement, TrackedMessage,
    },
    error::StoreError,
    ledger::{LedgerEntry, LedgerStatus, StoreCounts},
    memory::{MemoryStore, MemoryStoreBuilder},
    note::{Note, NoteOutcome},
    rollup::{Counts, LatencyHistogram, Metric, Resolution, Rollup, RollupBatch, RollupOutcome},
    segment::{Dimensions, Segment},
    status::{StatusOutcome, StatusUpdate},
    url::{InvalidStoreUrl, StoreUrl},
};
use crate::{CorrelationKeys, MessageSid, Timestamp};

/// A message is taken for scheduled if it is sent this long from now or later:
/// Twilio's `SendAt` lies at least five minutes ahead, clocks differ by less.
pub(crate) const SCHEDULED: Duration = Duration::from_secs(60);

/// What an operation of a store returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a store's answer survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: what it holds ends with the process.
    Volatile,
    /// The death of any process that uses it, but perhaps not the machine's.
    Process,
    /// The machine's, too: it was synced before the answer.
    Synced,
}

/// Holds tracked messages, the outbox of confirmed ones, and the ledger.
///
/// Every operation that takes a slice costs one round trip a batch, answers
/// item by item in the order of the slice, as if the items had come one after
/// the other, and is safe to repeat: whoever does not know whether an operation
/// took place calls it again. An error means that nothing is known, not that
/// nothing happened. Only a confirm of an id may by then find a newer message under it:
/// a repeated one looks it up, and names the message that it meant
/// ([`ConfirmTarget::Recorded`]).
///
/// Durations are added to the store's own clock, so that processes whose clocks
/// differ agree on leases and retries. The clock may step back a little: what was
/// to last until a time then lasts longer, and nothing else happens.
///
/// A store must keep promises that the types do not show:
///
/// - A confirm moves a message into the outbox in one atomic step, once,
///   whatever overlaps it. One that overlaps another whose transaction is open
///   waits for the end of it.
/// - An entry under a lease that has not run out is leased to nobody else; a
///   token that is no longer the entry's settles nothing.
/// - What is in the outbox never expires.
/// - At a bound, messages that nobody confirmed give way, the oldest first; an
///   entry of the outbox never does.
/// - A future that is dropped has done what it was for or not, each item as a whole, or
///   does it soon: nothing is left half done, and a lease that nobody got runs out.
///
/// The feature `test-util` has them as a suite of tests, `store::conformance`,
/// for a store of your own.
pub trait FeedbackStore: Send + Sync + 'static {
    /// Remembers messages that were sent.
    ///
    /// A SID is remembered once, under the id that it came with first. Coming
    /// again changes nothing, whatever became of the message; after a
    /// [`forget`](Self::forget) it is new. The messages under an id are in the
    /// order of `sent_at`; of those sent at the same time the later arrival is the
    /// newer one, within a batch, too.
    ///
    /// A full store drops the oldest message that is neither in the outbox nor a
    /// dead letter, or answers [`Full`](RecordOutcome::Full) if there is none.
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>>;

    /// Puts confirmed messages into the outbox, due at once.
    ///
    /// - [`Resends::Newest`] confirms the newest message under the current key or,
    ///   if there is none at all, under the previous one. A message that is sent a
    ///   minute from now or later is scheduled, and the newest only if all are. If
    ///   the newest was confirmed before, no older one is in its stead.
    /// - [`Resends::All`] confirms every message under both keys, as many as fit,
    ///   and answers [`Full`](ConfirmOutcome::Full) if one did not fit, or else
    ///   [`Queued`](ConfirmOutcome::Queued) if one was queued.
    /// - [`ConfirmTarget::Message`] records a message that is unknown, and confirms
    ///   it under whichever id it was recorded. Refused, it may be recorded or not.
    /// - [`ConfirmTarget::Recorded`] confirms the message that was found under a key,
    ///   unless it has been dropped or forgotten since; scheduled or not is no matter.
    ///
    /// What was confirmed stays so under a lease, delivered and dead, until it is
    /// dropped or forgotten: a repeated confirm answers
    /// [`AlreadyConfirmed`](ConfirmOutcome::AlreadyConfirmed) and changes no time.
    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>>;

    /// Hands out entries of the outbox that are due.
    ///
    /// The entries of an account go in the order they are due, those due at the
    /// same time in any; the accounts go in turn, within an answer and from one
    /// answer of a store object to its next. A store that is spread over shards
    /// may answer fewer entries than it might, in another order, as long as
    /// [`more_due`](LeaseAnswer::more_due) says so: an answer without entries and
    /// without it means that nothing is due. A request for no entries only asks.
    ///
    /// An entry keeps its number for as long as it is in the outbox, and has no
    /// token twice. A lease is no attempt: its end changes nothing but who may
    /// settle.
    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer>;

    /// Says what became of leased entries, from whichever store object.
    ///
    /// A token is good until the entry is settled with it, leased again or
    /// forgotten: a lease that ran out may still settle if nobody took it over.
    /// Settled, an entry takes the settlement's attempts. A delivered message is
    /// kept for the store's ledger retention from now, a dead letter for its own.
    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>>;

    /// Drops up to `limit` messages whose time is over, of those that nobody
    /// confirmed, of those delivered and of those dead the earliest first, and
    /// the oldest dead letters beyond their bound; answers how many. Nothing goes
    /// before its time. A store whose server drops by itself need not count.
    fn expire(&self, limit: usize) -> StoreFuture<'_, usize>;

    /// Records one message without waiting, as `record` does; `None` if the store cannot,
    /// and then `record` is asked.
    ///
    /// A store in memory can, and spares a send the future.
    fn try_record(&self, message: &TrackedMessage) -> Option<RecordOutcome> {
        let _ = message;
        None
    }

    /// Confirms one target without waiting, as `confirm` does; `None` if the store cannot,
    /// and then `confirm` is asked.
    fn try_confirm(&self, target: &ConfirmTarget) -> Option<ConfirmOutcome> {
        let _ = target;
        None
    }

    /// Removes everything known of the targets, under both keys of an id, queued
    /// feedback too; answers how many messages each had. A lease on one of them
    /// settles nothing from then on, even if the message is recorded again.
    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>>;

    /// Moves the delivery status of messages forward, in whatever order it is told: of
    /// all that was said the greatest status stays, with its error code, whatever
    /// else becomes of the message. It is dropped and forgotten with the message; a
    /// store whose server drops by itself may drop a confirmed message's before.
    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>>;

    /// Keeps notes, one under each key, until their times or for longer. A store in
    /// memory bounds them: those give way first whose time is over first.
    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>>;

    /// What is noted under each, under the current key or else under the previous one.
    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>>;

    /// What is known under each id, the newest message first, those under the
    /// current key before those under the previous one.
    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>>;

    /// What is known of each message.
    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>>;

    /// Up to `limit` dead letters in the order of their SIDs, from behind `after`,
    /// which need not be one (any more).
    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>>;

    /// Puts dead letters back into the outbox, due at once. Attempts and age start
    /// anew; the ledger goes on to say when the action was confirmed. No lease from
    /// before settles it.
    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>>;

    /// Adds to the counters of the report, all of a batch or nothing, and each batch of a
    /// writer once, in the order of their sequence: whoever does not know whether one was
    /// added repeats it before the next. Counters are kept until their time or for longer;
    /// a store in memory bounds them: the oldest hours give way first, then the oldest
    /// days.
    ///
    /// What is added may be lost with the machine, whatever the store's durability.
    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome>;

    /// The counters of the periods that begin from `from` on and before `to`, in any order.
    /// What is over may still be among them.
    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>>;

    /// How much the store holds.
    fn counts(&self) -> StoreFuture<'_, StoreCounts>;

    /// What its answers survive.
    fn durability(&self) -> Durability;

    /// How often a dispatcher asks for entries that other processes confirmed;
    /// `None` if no other process can.
    fn poll_interval(&self) -> Option<Duration> {
        (self.durability() > Durability::Volatile).then_some(Duration::from_secs(1))
    }
}

impl<T: FeedbackStore + ?Sized> FeedbackStore for Arc<T> {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        (**self).record(messages)
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        (**self).confirm(targets)
    }

    fn try_record(&self, message: &TrackedMessage) -> Option<RecordOutcome> {
        (**self).try_record(message)
    }

    fn try_confirm(&self, target: &ConfirmTarget) -> Option<ConfirmOutcome> {
        (**self).try_confirm(target)
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        (**self).lease(request)
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        (**self).settle(settlements)
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        (**self).expire(limit)
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        (**self).forget(targets)
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        (**self).update_status(updates)
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        (**self).keep_notes(notes)
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        (**self).notes(keys)
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        (**self).lookup(ids)
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        (**self).by_sid(sids)
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        (**self).dead_letters(after, limit)
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        (**self).resend(sids)
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        (**self).add_rollups(batch)
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        (**self).rollups(resolution, from, to)
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        (**self).counts()
    }

    fn durability(&self) -> Durability {
        (**self).durability()
    }

    fn poll_interval(&self) -> Option<Duration> {
        (**self).poll_interval()
    }
}
