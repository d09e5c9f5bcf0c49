//! The store keeps the contract, directly and through PgBouncer.

use std::sync::OnceLock;

use tower_message_feedback::store::{
    ConfirmOutcome, ConfirmTarget, PostgresStore, PostgresStoreBuilder,
    conformance::{Capabilities, HeldConfirm, HeldEnd, Settings, Subject},
    postgres::deadpool_postgres::Object,
};

use crate::{
    servers::PgBouncer,
    support::{builder, builder_on, fresh_schema, migrated, server},
};

fn with(builder: PostgresStoreBuilder, settings: Settings) -> PostgresStoreBuilder {
    builder
        .clock(settings.clock)
        .ledger_retention(settings.ledger_retention)
        .dead_letter_retention(settings.dead_letter_retention)
}

fn capabilities() -> Capabilities {
    let mut kept = Capabilities::default();
    (kept.max_messages, kept.max_outbox, kept.max_dead_letters) = (false, false, false);
    kept
}

struct Held {
    outcome: ConfirmOutcome,
    connection: Object,
}

impl Held {
    fn end(self: Box<Self>, how: &'static str) -> HeldEnd {
        Box::pin(async move { self.connection.batch_execute(how).await.expect("an end") })
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

async fn hold(store: &PostgresStore, target: ConfirmTarget) -> Option<Box<dyn HeldConfirm>> {
    let connection = store.pool().get().await.expect("a connection");
    connection.batch_execute("BEGIN").await.expect("a transaction");
    let outcomes = store.confirm_in(&connection, &[target]).await.expect("an answer");
    let [outcome] = outcomes[..] else { panic!("one outcome") };
    Some(Box::new(Held { outcome, connection }))
}

/// Straight to the server, with prepared statements.
struct Direct;

impl Subject for Direct {
    type Store = PostgresStore;

    async fn open(&self, settings: Settings) -> PostgresStore {
        migrated(with(builder(&fresh_schema()), settings)).await
    }

    async fn open_again(&self, store: &PostgresStore, settings: Settings) -> Option<PostgresStore> {
        Some(with(builder(store.schema()), settings).build().expect("a store"))
    }

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    async fn hold_confirm(
        &self,
        store: &PostgresStore,
        target: ConfirmTarget,
    ) -> Option<Box<dyn HeldConfirm>> {
        hold(store, target).await
    }
}

mod direct {
    tower_message_feedback::store::conformance::store_conformance!(crate::conformance::Direct);
}

/// Through PgBouncer in transaction mode, with statements that leave nothing in
/// a session.
struct Pooled;

fn bouncer() -> &'static PgBouncer {
    static BOUNCER: OnceLock<PgBouncer> = OnceLock::new();
    BOUNCER.get_or_init(|| PgBouncer::with(server(), &[("default_pool_size", "40")]))
}

fn pooled(schema: &str) -> PostgresStoreBuilder {
    builder_on(bouncer().url("postgres"), schema).prepared_statements(false)
}

impl Subject for Pooled {
    type Store = PostgresStore;

    async fn open(&self, settings: Settings) -> PostgresStore {
        migrated(with(pooled(&fresh_schema()), settings)).await
    }

    async fn open_again(&self, store: &PostgresStore, settings: Settings) -> Option<PostgresStore> {
        Some(with(pooled(store.schema()), settings).build().expect("a store"))
    }

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn histories(&self) -> u64 {
        10
    }

    async fn hold_confirm(
        &self,
        store: &PostgresStore,
        target: ConfirmTarget,
    ) -> Option<Box<dyn HeldConfirm>> {
        hold(store, target).await
    }
}

mod pgbouncer {
    tower_message_feedback::store::conformance::store_conformance!(crate::conformance::Pooled);
}
