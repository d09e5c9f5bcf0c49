//! Leased entries, from the lease to the settlement.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    Timestamp,
    store::{Attempts, Leased, SettledAs, Settlement},
};

/// A leased entry.
pub(super) struct Held {
    pub(super) entry: Leased,
    /// When its call begins at the latest: a call and its settlement take time.
    pub(super) begins_by: Timestamp,
    /// Until when nobody else can have it.
    pub(super) until: Timestamp,
    /// When its call began.
    pub(super) began: Option<Instant>,
}

/// Settlements that the store has not answered, each with what it settles.
#[derive(Default)]
pub(super) struct Unsettled {
    settlements: Vec<Settlement>,
    held: Vec<Held>,
    /// How many of them, from the first on, the store was asked to settle before.
    tried: usize,
}

impl Unsettled {
    pub(super) fn push(&mut self, held: Held, attempts: Attempts, settled_as: SettledAs) {
        self.settlements.push(Settlement::new(&held.entry, attempts, settled_as));
        self.held.push(held);
    }

    /// For others, or for later; no attempt is spent.
    pub(super) fn give_back(&mut self, held: impl IntoIterator<Item = Held>) {
        for held in held {
            let attempts = held.entry.attempts;
            self.push(held, attempts, SettledAs::Retry(Duration::ZERO));
        }
    }

    pub(super) fn settlements(&self) -> &[Settlement] {
        &self.settlements
    }

    pub(super) fn len(&self) -> usize {
        self.settlements.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settlements.is_empty()
    }

    /// The store is asked for all of them; answers for how many it is the second time.
    pub(super) fn try_again(&mut self) -> usize {
        std::mem::replace(&mut self.tried, self.settlements.len())
    }

    /// Behind these, which the store was asked for before.
    pub(super) fn append(&mut self, later: &mut Self) {
        self.settlements.append(&mut later.settlements);
        self.held.append(&mut later.held);
    }

    pub(super) fn into_parts(self) -> (Vec<Settlement>, Vec<Held>) {
        (self.settlements, self.held)
    }
}
