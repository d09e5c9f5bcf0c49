//! The conformance suite on the store in memory, and on two stores that have
//! what it lacks.

use tower_message_feedback::{
    store::{
        Durability, MemoryStore,
        conformance::{CASES, Settings, Subject, Verdict, run_all},
    },
    store_conformance,
};

use crate::shared::Shared;

pub(crate) struct Memory;

pub(crate) fn open(settings: &Settings) -> MemoryStore {
    let mut builder = MemoryStore::builder()
        .clock(settings.clock.clone())
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
        open(&settings)
    }

    fn histories(&self) -> u64 {
        400
    }
}

mod memory {
    tower_message_feedback::store_conformance!(super::Memory);
}

/// With several store objects on the same data, and with transactions.
mod shared {
    use super::*;

    store_conformance!(Shared::new(Durability::Process));
}

/// A store that keeps nothing of what the contract leaves open.
mod loose {
    tower_message_feedback::store_conformance!(crate::loose::Loose);
}

struct Few<T>(T);

impl<T: Subject> Subject for Few<T> {
    type Store = T::Store;

    async fn open(&self, settings: Settings) -> T::Store {
        self.0.open(settings).await
    }

    fn histories(&self) -> u64 {
        3
    }
}

#[tokio::test]
async fn all_cases_run_in_one_go_and_what_does_not_apply_is_named() {
    let report = run_all(Few(Memory)).await;
    assert_eq!(report.verdicts.iter().map(|(name, _)| *name).collect::<Vec<_>>(), CASES);
    // One process alone, and no transactions.
    for (name, verdict) in &report.verdicts {
        let lacking = name.starts_with("held::")
            || (name.starts_with("shared::") && !name.contains("survives_its_process"));
        assert_eq!(lacking, matches!(verdict, Verdict::NotApplicable(_)), "{name}: {verdict:?}");
    }
    let text = report.to_string();
    let skipped = report.not_applicable().count();
    let passed = CASES.len() - skipped;
    assert!(text.starts_with(&format!("{passed} of {} cases passed\n", CASES.len())), "{text}");
    assert_eq!(text.lines().count(), 1 + skipped);
}
