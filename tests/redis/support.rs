//! Stores on servers of the tests' own.

use std::sync::OnceLock;

use tower_message_feedback::store::{RedisStore, RedisStoreBuilder};

use crate::servers::{Redis, RedisCluster};

/// A store without data yet, under a prefix of its own on the shared server.
pub(crate) async fn open(set: impl FnOnce(RedisStoreBuilder) -> RedisStoreBuilder) -> RedisStore {
    let builder = RedisStore::builder().prefix(Redis::fresh_prefix());
    open_as(set(builder), &Redis::shared().url()).await
}

pub(crate) async fn open_as(builder: RedisStoreBuilder, url: &str) -> RedisStore {
    let store = builder.connect(url).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    store
}

/// The one cluster that the tests of this binary share.
pub(crate) fn cluster() -> &'static RedisCluster {
    static SHARED: OnceLock<RedisCluster> = OnceLock::new();
    SHARED.get_or_init(RedisCluster::start)
}
