//! The durable stores, by a text that a parent can hand to a child.

use std::{env, fmt, path::PathBuf, sync::Arc};

use tower_message_feedback::store::{
    FeedbackStore, PostgresStore, SqliteStore, sqlite::Synchronous,
};

/// Which store, and where.
#[derive(Debug, Clone)]
pub(crate) enum Spec {
    Sqlite { file: PathBuf, synchronous: Synchronous },
    Postgres { url: String },
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { file, synchronous: Synchronous::Full } => {
                write!(f, "sqlite {}", file.display())
            }
            Self::Sqlite { file, synchronous: _ } => write!(f, "sqlite-normal {}", file.display()),
            Self::Postgres { url } => write!(f, "postgres {url}"),
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
            other => panic!("no store {other}"),
        }
    }

    /// The store, its schema made if need be.
    pub(crate) async fn open(&self) -> Arc<dyn FeedbackStore> {
        match self {
            Self::Sqlite { file, synchronous } => {
                let builder = SqliteStore::builder(file).synchronous(*synchronous);
                builder.migrate().await.expect("a schema");
                Arc::new(builder.open().await.expect("a store"))
            }
            Self::Postgres { url } => {
                let store = PostgresStore::builder().url(url).build().expect("a store");
                store.migrate().await.expect("a schema");
                Arc::new(store)
            }
        }
    }
}
