//! Where tracked messages wait: the contract that every store keeps, and the
//! store in memory.

#[cfg(feature = "test-util")]
pub mod conformance;
mod entry;
mod error;
mod ledger;
mod memory;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
#[cfg(feature = "sqlite-unbundled")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub mod sqlite;

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
};
use crate::{CorrelationKeys, MessageSid};

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
/// item by item in the order of the slice, and is safe to repeat: whoever does
/// not know whether an operation took place calls it again. An error means that
/// nothing is known, not that nothing happened.
///
/// Durations are added to the store's own clock, so that processes whose clocks
/// differ agree on leases and retries.
///
/// A store must keep promises that the types do not show:
///
/// - A confirm moves a message into the outbox in one atomic step, once,
///   whatever overlaps it.
/// - An entry under a lease that has not run out is leased to nobody else; a
///   token that is no longer the entry's settles nothing.
/// - What is in the outbox never expires.
/// - At a bound, messages that nobody confirmed give way, the oldest first; an
///   entry of the outbox never does.
pub trait FeedbackStore: Send + Sync + 'static {
    /// Remembers messages that were sent.
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>>;

    /// Puts confirmed messages into the outbox.
    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>>;

    /// Hands out entries of the outbox that are due, the accounts in turn.
    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer>;

    /// Says what became of leased entries.
    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>>;

    /// Drops up to `limit` messages whose time is over; answers how many.
    fn expire(&self, limit: usize) -> StoreFuture<'_, usize>;

    /// Removes everything known of the targets, queued feedback too; answers how
    /// many messages each had.
    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>>;

    /// What is known under each id, the newest message first.
    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>>;

    /// What is known of each message.
    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>>;

    /// Up to `limit` dead letters in the order of their SIDs, from behind `after`.
    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>>;

    /// Puts dead letters back into the outbox, due at once.
    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>>;

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
