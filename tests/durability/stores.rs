//! The durable stores, by a text that a parent can hand to a child.

use std::{env, fmt, path::PathBuf, sync::Arc};

use tower_message_feedback::{
    Clock,
    store::{
        FeedbackStore, PostgresStore, PostgresStoreBuilder, RedisStore, RedisStoreBuilder,
        SqliteStore, sqlite::Synchronous,
    },
};

/// Which store, and where.
#[derive(Debug, Clone)]
pub(crate) enum Spec {
    Sqlite { file: PathBuf, synchronous: Synchronous },
    Postgres { url: String },
    Redis { url: String },
    RedisCluster { urls: Vec<String> },
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { file, synchronous: Synchronous::Full } => {
                write!(f, "sqlite {}", file.display())
            }
            Self::Sqlite { file, synchronous: _ } => write!(f, "sqlite-normal {}", file.display()),
            Self::Postgres { url } => write!(f, "postgres {url}"),
            Self::Redis { url } => write!(f, "redis {url}"),
            Self::RedisCluster { urls } => write!(f, "redis-cluster {}", urls.join(",")),
        }
    }
}

impl Spec {
    /// What the parent said in `STORE`.
    pub(crate) fn of_parent() -> Self {
        let text = env::var("STORE").expect("the parent names a store");
        let (kind, place) = text.split_once(' ').expect("a kind and a place");
        match kind {
            "sqlite" => Self::Sqlite { file: place.into(), synchronous: Synchronous::Full },
            "sqlite-normal" => {
                Self::Sqlite { file: place.into(), synchronous: Synchronous::Normal }
            }
            "postgres" => Self::Postgres { url: place.to_owned() },
            "redis" => Self::Redis { url: place.to_owned() },
            "redis-cluster" => {
                Self::RedisCluster { urls: place.split(',').map(str::to_owned).collect() }
            }
            other => panic!("no store {other}"),
        }
    }

    /// The store, its schema made if need be.
    pub(crate) async fn open(&self) -> Arc<dyn FeedbackStore> {
        self.open_at(None).await
    }

    /// The same, by a clock of the test's instead of the store's own.
    pub(crate) async fn open_at(&self, clock: Option<Clock>) -> Arc<dyn FeedbackStore> {
        match self {
            Self::Sqlite { file, synchronous } => {
                let builder = SqliteStore::builder(file).synchronous(*synchronous);
                let builder = builder.clock(clock.unwrap_or_default());
                builder.migrate().await.expect("a schema");
                Arc::new(builder.open().await.expect("a store"))
            }
            Self::Postgres { url } => {
                let builder = PostgresStore::builder().url(url);
                let store = at(clock, builder, PostgresStoreBuilder::clock).build();
                let store = store.expect("a store");
                store.migrate().await.expect("a schema");
                Arc::new(store)
            }
            Self::Redis { url } => {
                let builder = at(clock, RedisStore::builder(), RedisStoreBuilder::clock);
                let store = builder.connect(url.as_str()).await.expect("a store");
                store.migrate().await.expect("a schema");
                Arc::new(store)
            }
            Self::RedisCluster { urls } => {
                let builder = at(clock, RedisStore::builder(), RedisStoreBuilder::clock);
                let store = builder.connect_cluster(urls.clone()).await.expect("a store");
                store.migrate().await.expect("a schema");
                Arc::new(store)
            }
        }
    }
}

fn at<B>(clock: Option<Clock>, builder: B, set: impl FnOnce(B, Clock) -> B) -> B {
    match clock {
        Some(clock) => set(builder, clock),
        None => builder,
    }
}
