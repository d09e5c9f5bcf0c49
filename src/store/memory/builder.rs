use std::time::Duration;

use super::MemoryStore;
use crate::Clock;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) max_messages: usize,
    pub(super) max_outbox: usize,
    pub(super) max_dead_letters: usize,
    pub(super) ledger_retention: Duration,
    pub(super) dead_letter_retention: Duration,
    pub(super) clock: Clock,
}

/// Sets the bounds of a [`MemoryStore`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct MemoryStoreBuilder(Settings);

impl MemoryStoreBuilder {
    pub(super) fn new() -> Self {
        Self(Settings {
            max_messages: 1_000_000,
            max_outbox: 100_000,
            max_dead_letters: 10_000,
            ledger_retention: Duration::from_secs(24 * 60 * 60),
            dead_letter_retention: Duration::from_secs(30 * 24 * 60 * 60),
            clock: Clock::system(),
        })
    }

    /// How many messages it holds at most, confirmed and delivered ones
    /// included: 1,000,000 by default, at about 90 bytes each while they wait and
    /// some 220 once they are confirmed. At the bound the oldest goes that is not in
    /// the outbox and no dead letter.
    pub fn max_messages(mut self, max: usize) -> Self {
        self.0.max_messages = max;
        self
    }

    /// How many confirmed messages wait for delivery at most: 100,000 by
    /// default. At the bound a confirm is refused.
    pub fn max_outbox(mut self, max: usize) -> Self {
        self.0.max_outbox = max;
        self
    }

    /// How many dead letters are kept at most: 10,000 by default. Beyond it the
    /// oldest is dropped.
    pub fn max_dead_letters(mut self, max: usize) -> Self {
        self.0.max_dead_letters = max;
        self
    }

    /// How long a delivered message stays in the ledger: one day by default.
    pub fn ledger_retention(mut self, retention: Duration) -> Self {
        self.0.ledger_retention = retention;
        self
    }

    /// How long a dead letter is kept: 30 days by default.
    pub fn dead_letter_retention(mut self, retention: Duration) -> Self {
        self.0.dead_letter_retention = retention;
        self
    }

    /// The clock that leases, retries and expiry go by.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// The store, empty.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore::with(self.0)
    }
}
