use std::{future::Future, pin::Pin, time::Duration};

use crate::{
    Clock,
    store::{ConfirmOutcome, ConfirmTarget, FeedbackStore},
};

/// A sort of store that the suite can open.
///
/// Each case of the suite opens stores of its own; cases run at the same time,
/// so what one opens must not meet what another does (a file, a schema, a key
/// prefix of its own).
///
/// # Panics
///
/// A method that cannot do its work panics: the case that called it fails then.
pub trait Subject: Send + Sync + 'static {
    /// The store.
    type Store: FeedbackStore;

    /// An empty store that shares its data with no other.
    fn open(&self, settings: Settings) -> impl Future<Output = Self::Store> + Send;

    /// Another store object on the data of `store`, with nothing in common that
    /// lives in this process: what a second process would have. `None` if no
    /// other process can reach the data, which is right for a store that is
    /// [`Volatile`](crate::store::Durability::Volatile) and for no other.
    fn open_again(
        &self,
        store: &Self::Store,
        settings: Settings,
    ) -> impl Future<Output = Option<Self::Store>> + Send {
        let _ = (store, settings);
        async { None }
    }

    /// What the contract leaves open and this store keeps; everything by default.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// How many generated histories the store is put through unless the
    /// environment variable `STORE_CONFORMANCE_HISTORIES` says another number: 20
    /// by default, which suits a server. A store that answers in microseconds
    /// can afford ten times as many.
    fn histories(&self) -> u64 {
        20
    }

    /// Confirms `target` inside a transaction and leaves that open, as an
    /// application does that confirms along with its own changes. `None` if the
    /// store cannot join a transaction.
    fn hold_confirm(
        &self,
        store: &Self::Store,
        target: ConfirmTarget,
    ) -> impl Future<Output = Option<Box<dyn HeldConfirm>>> + Send {
        let _ = (store, target);
        async { None }
    }
}

/// A confirm whose transaction is open.
pub trait HeldConfirm: Send {
    /// What the confirm answered.
    fn outcome(&self) -> ConfirmOutcome;

    /// Commits the transaction.
    fn commit(self: Box<Self>) -> HeldEnd;

    /// Rolls the transaction back.
    fn rollback(self: Box<Self>) -> HeldEnd;
}

/// The end of a [`HeldConfirm`]'s transaction.
pub type HeldEnd = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a store is opened with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The clock that leases, retries and expiry go by. The case moves it; it
    /// begins a day ahead of the real time, so that a server's own idea of when
    /// something is over comes no earlier than the clock's.
    pub clock: Clock,
    /// How long a delivered message stays in the ledger.
    pub ledger_retention: Duration,
    /// How long a dead letter is kept.
    pub dead_letter_retention: Duration,
    /// How many messages it holds at most; `None`: its default, which is more
    /// than any case needs.
    pub max_messages: Option<usize>,
    /// How many entries its outbox holds at most; `None`: its default.
    pub max_outbox: Option<usize>,
    /// How many dead letters it keeps at most; `None`: its default.
    pub max_dead_letters: Option<usize>,
}

/// What the contract leaves open and a store keeps all the same. Whatever it
/// does not keep, the suite does not ask for; the cases that are about nothing
/// else are reported as not applicable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// It keeps [`Settings::max_messages`] to the message: one that comes to a
    /// full store makes the oldest give way that may, or is refused.
    pub max_messages: bool,
    /// It keeps [`Settings::max_outbox`]. Confirms that overlap may pass the
    /// bound by their number.
    pub max_outbox: bool,
    /// It keeps [`Settings::max_dead_letters`] by the next
    /// [`expire`](FeedbackStore::expire) at the latest.
    pub max_dead_letters: bool,
    /// [`StoreCounts::messages`](crate::store::StoreCounts::messages) is exact.
    pub exact_message_count: bool,
    /// [`expire`](FeedbackStore::expire) drops what is over, as much as its limit
    /// allows, in the order of their times, and answers and counts how many it
    /// dropped. A store that does not (because its server does) may keep what is
    /// over for as long as it likes and may show it or not; it drops nothing
    /// early either.
    pub exact_expiry: bool,
    /// A lease takes all that the request allows, the entries of an account in
    /// the order they are due, the accounts in turn. A store that does not (one
    /// spread over shards) may answer fewer entries, in any order, and says
    /// [`more_due`](crate::store::LeaseAnswer::more_due) if it left any behind
    /// that are due.
    pub ordered_leases: bool,
    /// [`next_due`](crate::store::LeaseAnswer::next_due) is exact.
    pub exact_next_due: bool,
}

impl Default for Capabilities {
    /// All of it.
    fn default() -> Self {
        Self {
            max_messages: true,
            max_outbox: true,
            max_dead_letters: true,
            exact_message_count: true,
            exact_expiry: true,
            ordered_leases: true,
            exact_next_due: true,
        }
    }
}
