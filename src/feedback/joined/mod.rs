//! Records and confirms in a transaction that the application has open.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite-unbundled")]
mod sqlite;

use std::{fmt, ops::Deref, sync::Arc};

#[cfg(feature = "postgres")]
pub use self::postgres::JoinPostgres;
#[cfg(feature = "sqlite-unbundled")]
pub use self::sqlite::JoinSqlite;
use super::{
    confirmation::Confirmation, handle::MessageFeedback, sent::Recorded, sent::SentMessage,
    shared::Shared,
};
use crate::{
    CorrelationId,
    store::{ConfirmOutcome, ConfirmTarget, RecordOutcome, TrackedMessage},
};

/// What was done in a transaction that is not committed yet.
///
/// It dereferences to a [`Confirmation`] or to a [`Recorded`]. After the commit,
/// call [`committed`](Self::committed): it wakes the dispatcher and counts.
/// After a rollback, drop it: nothing has happened.
///
/// Forgotten, it costs no feedback: the dispatcher finds the entry when it asks
/// the store the next time.
#[must_use = "after the commit, call `committed`: it wakes the dispatcher"]
pub struct Joined<T> {
    shared: Arc<Shared>,
    result: T,
    record: Option<(TrackedMessage, RecordOutcome)>,
}

impl Joined<Confirmation> {
    /// Says that the transaction is committed.
    pub fn committed(self) -> Confirmation {
        self.shared.count(self.result);
        self.result
    }
}

impl Joined<Recorded> {
    /// Says that the transaction is committed.
    pub fn committed(self) -> Recorded {
        if let Some((message, outcome)) = &self.record {
            self.shared.recorded(message, *outcome, false);
        }
        self.result
    }
}

impl<T> Deref for Joined<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.result
    }
}

impl<T: fmt::Debug> fmt::Debug for Joined<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Joined").field(&self.result).finish()
    }
}

/// What a store is asked for an id, or the answer that needs no store.
enum Asked<Item, Answer> {
    Store(Item),
    Answered(Answer),
}

impl MessageFeedback {
    fn to_confirm(&self, id: &CorrelationId) -> Asked<ConfirmTarget, Joined<Confirmation>> {
        match self.shared().keyring.keys(id) {
            Some(keys) => Asked::Store(self.shared().by_id(keys)),
            None => Asked::Answered(self.joined(Confirmation::NoId)),
        }
    }

    fn to_record(
        &self,
        id: &CorrelationId,
        sent: SentMessage,
    ) -> Asked<TrackedMessage, Joined<Recorded>> {
        let Some(keys) = self.shared().keyring.keys(id) else {
            return Asked::Answered(self.joined(Recorded::InvalidId));
        };
        match self.tracked(keys, sent) {
            Some(message) => Asked::Store(message),
            None => Asked::Answered(self.joined(Recorded::OriginNotAllowed)),
        }
    }

    fn confirmed_in(&self, target: &ConfirmTarget, said: ConfirmOutcome) -> Joined<Confirmation> {
        self.joined(self.shared().confirmation(target, said))
    }

    fn recorded_in(&self, message: TrackedMessage, said: RecordOutcome) -> Joined<Recorded> {
        Joined { record: Some((message, said)), ..self.joined(said.into()) }
    }

    fn joined<T>(&self, result: T) -> Joined<T> {
        Joined { shared: self.shared().clone(), result, record: None }
    }
}
