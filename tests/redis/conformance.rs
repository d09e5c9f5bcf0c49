//! The suite that every store runs, on one server and on a cluster.

use tower_message_feedback::store::{
    RedisStore, RedisStoreBuilder,
    conformance::{Capabilities, Settings, Subject},
};

use crate::{
    servers::Redis,
    support::{cluster, open_as, patient},
};

/// What Redis does itself, or does not at all.
fn capabilities() -> Capabilities {
    let mut capabilities = Capabilities::default();
    // Redis' own maxmemory bounds all of it.
    capabilities.max_messages = false;
    capabilities.max_outbox = false;
    capabilities.max_dead_letters = false;
    capabilities.exact_message_count = false;
    // Whole generations are dropped at a time.
    capabilities.exact_expiry = false;
    capabilities
}

fn builder(prefix: &str, settings: &Settings) -> RedisStoreBuilder {
    patient(RedisStore::builder())
        .prefix(prefix)
        .clock(settings.clock.clone())
        .ledger_retention(settings.ledger_retention)
        .dead_letter_retention(settings.dead_letter_retention)
}

struct OneServer;

impl Subject for OneServer {
    type Store = RedisStore;

    async fn open(&self, settings: Settings) -> RedisStore {
        open_as(builder(&Redis::fresh_prefix(), &settings), Redis::shared()).await
    }

    async fn open_again(&self, store: &RedisStore, settings: Settings) -> Option<RedisStore> {
        let builder = builder(store.prefix(), &settings);
        Some(builder.connect(Redis::shared().url()).await.expect("a connection"))
    }

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }
}

struct ThreeMasters;

impl Subject for ThreeMasters {
    type Store = RedisStore;

    async fn open(&self, settings: Settings) -> RedisStore {
        let builder = builder(&Redis::fresh_prefix(), &settings);
        let store = builder.connect_cluster(cluster().urls()).await.expect("a connection");
        store.migrate().await.expect("the data is created");
        store
    }

    async fn open_again(&self, store: &RedisStore, settings: Settings) -> Option<RedisStore> {
        let builder = builder(store.prefix(), &settings);
        Some(builder.connect_cluster(cluster().urls()).await.expect("a connection"))
    }

    fn histories(&self) -> u64 {
        10
    }

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }
}

mod one_server {
    use super::OneServer;

    tower_message_feedback::store_conformance!(OneServer);
}

mod three_masters {
    use super::ThreeMasters;

    tower_message_feedback::store_conformance!(ThreeMasters);
}
