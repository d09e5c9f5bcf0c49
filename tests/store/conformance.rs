//! The store in memory keeps the contract.

use tower_message_feedback::store::{
    MemoryStore,
    conformance::{Settings, Subject},
};

pub(crate) struct Memory;

pub(crate) fn open(settings: Settings) -> MemoryStore {
    let mut builder = MemoryStore::builder()
        .clock(settings.clock)
        .ledger_retention(settings.ledger_retention)
        .dead_letter_retention(settings.dead_letter_retention);
    if let Some(max) = settings.max_messages {
        builder = builder.max_messages(max);
    }
    if let Some(max) = settings.max_outbox {
        builder = builder.max_outbox(max);
    }
    if let Some(max) = settings.max_dead_letters {
        builder = builder.max_dead_letters(max);
    }
    builder.build()
}

impl Subject for Memory {
    type Store = MemoryStore;

    async fn open(&self, settings: Settings) -> MemoryStore {
        open(settings)
    }
}

tower_message_feedback::store::conformance::store_conformance!(Memory);
