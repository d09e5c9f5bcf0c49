//! The store keeps the contract.

use std::sync::Mutex;

use tower_message_feedback::store::{
    ConfirmOutcome, ConfirmTarget, SqliteStore, SqliteStoreBuilder,
    conformance::{HeldConfirm, HeldEnd, Settings, Subject},
    sqlite::rusqlite::Connection,
};

use crate::support::Directory;

/// One case's subject: the files that it opens lie in its directory.
struct Sqlite {
    directory: Directory,
    opened: Mutex<u32>,
}

impl Sqlite {
    fn new() -> Self {
        Self { directory: Directory::new(), opened: Mutex::new(0) }
    }

    fn builder(path: &std::path::Path, settings: Settings) -> SqliteStoreBuilder {
        let mut builder = SqliteStore::builder(path)
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
        builder
    }
}

impl Subject for Sqlite {
    type Store = SqliteStore;

    async fn open(&self, settings: Settings) -> SqliteStore {
        let number = {
            let mut opened = self.opened.lock().expect("no panic");
            *opened += 1;
            *opened
        };
        let path = self.directory.path().join(format!("{number}.db"));
        let builder = Self::builder(&path, settings);
        builder.migrate().await.expect("tables");
        builder.open().await.expect("a store")
    }

    async fn open_again(&self, store: &SqliteStore, settings: Settings) -> Option<SqliteStore> {
        let builder = Self::builder(store.path(), settings);
        Some(builder.open().await.expect("a store"))
    }

    async fn hold_confirm(
        &self,
        store: &SqliteStore,
        target: ConfirmTarget,
    ) -> Option<Box<dyn HeldConfirm>> {
        let connection = Connection::open(store.path()).expect("a connection");
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        let outcomes = store.confirm_in(&connection, &[target]).expect("a confirm");
        Some(Box::new(Held { connection, outcome: outcomes[0] }))
    }
}

struct Held {
    connection: Connection,
    outcome: ConfirmOutcome,
}

impl Held {
    fn end(self, sql: &'static str) -> HeldEnd {
        Box::pin(async move { self.connection.execute_batch(sql).expect("the end") })
    }
}

impl HeldConfirm for Held {
    fn outcome(&self) -> ConfirmOutcome {
        self.outcome
    }

    fn commit(self: Box<Self>) -> HeldEnd {
        self.end("COMMIT")
    }

    fn rollback(self: Box<Self>) -> HeldEnd {
        self.end("ROLLBACK")
    }
}

tower_message_feedback::store::conformance::store_conformance!(crate::conformance::Sqlite::new());
