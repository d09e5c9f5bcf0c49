//! Stores in schemas of their own on one server, and messages to put in them.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tower_message_feedback::store::{PostgresStore, PostgresStoreBuilder};

use crate::servers::Postgres;

/// A schema that no other test has.
pub(crate) fn fresh_schema() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("feedback_{}", NUMBER.fetch_add(1, Relaxed))
}

/// A store that is to be set up, on the server that the tests share.
pub(crate) fn builder(schema: &str) -> PostgresStoreBuilder {
    PostgresStore::builder()
        .url(Postgres::shared().url())
        .schema(schema)
        .max_connections(8)
        .timeout(Duration::from_secs(60))
}

pub(crate) async fn migrated(builder: PostgresStoreBuilder) -> PostgresStore {
    let store = builder.build().expect("a store");
    store.migrate().await.expect("tables");
    store
}
