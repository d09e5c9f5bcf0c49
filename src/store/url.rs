use std::{error::Error, fmt, str::FromStr, sync::Arc};

use super::{FeedbackStore, MemoryStore, StoreError};

/// A store as a configuration file or a command line names it.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `memory:` | [`MemoryStore`] | |
/// | `sqlite:feedback.db`, `sqlite:///var/lib/app/feedback.db` | `SqliteStore` | `sqlite` |
/// | `postgres://user:password@host/database` | `PostgresStore` | `postgres` |
/// | `redis://user:password@host:6379/0` | `RedisStore` | `redis` |
/// | `rediss://…` | the same over TLS | `redis-rustls` |
///
/// The store has its builder's defaults. What a URL cannot say, such as TLS to PostgreSQL
/// or the nodes of a Redis Cluster, its builder can. `Debug` shows the scheme alone.
///
/// ```
/// use tower_message_feedback::{Credentials, MessageFeedback, store::StoreUrl};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url: StoreUrl = "memory:".parse()?;
/// url.migrate().await?;
/// let feedback = MessageFeedback::builder()
///     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?)
///     .store(url.open().await?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Memory,
    #[cfg(feature = "sqlite-unbundled")]
    Sqlite(std::path::PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(String),
    #[cfg(feature = "redis")]
    Redis(String),
}

impl StoreUrl {
    /// Opens the store. In memory, that is a new one each time.
    ///
    /// # Errors
    ///
    /// If the store is not reached or was not [migrated](Self::migrate): the error's
    /// source says which. PostgreSQL and Redis may say so only when they are used.
    pub async fn open(&self) -> Result<Arc<dyn FeedbackStore>, StoreError> {
        Ok(match &self.0 {
            Kind::Memory => Arc::new(MemoryStore::new()),
            #[cfg(feature = "sqlite-unbundled")]
            Kind::Sqlite(path) => Arc::new(super::SqliteStore::open(path).await?),
            #[cfg(feature = "postgres")]
            Kind::Postgres(url) => {
                let store = super::PostgresStore::builder().url(url).build()?;
                store.check().await?;
                Arc::new(store)
            }
            #[cfg(feature = "redis")]
            Kind::Redis(url) => Arc::new(super::RedisStore::builder().connect(url.as_str()).await?),
        })
    }

    /// Creates the store's tables, or brings those of an older version up to date. Safe to
    /// repeat, and to call from many processes at once.
    ///
    /// # Errors
    ///
    /// If the store is not reached, or does not allow it: the error's source says which.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Memory => {}
            #[cfg(feature = "sqlite-unbundled")]
            Kind::Sqlite(path) => super::SqliteStore::migrate(path).await?,
            #[cfg(feature = "postgres")]
            Kind::Postgres(url) => {
                super::PostgresStore::builder().url(url).build()?.migrate().await?;
            }
            #[cfg(feature = "redis")]
            Kind::Redis(url) => {
                super::RedisStore::builder().connect(url.as_str()).await?.migrate().await?;
            }
        }
        Ok(())
    }

    /// Whether what it holds survives the process.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !matches!(self.0, Kind::Memory)
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(url: &str) -> Result<Self, InvalidStoreUrl> {
        let Some((scheme, _)) = url.split_once(':') else {
            return Err(InvalidStoreUrl(
                "it has no scheme: expected memory:, sqlite:, postgres: or redis:",
            ));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "memory" => Ok(Self(Kind::Memory)),
            #[cfg(feature = "sqlite-unbundled")]
            "sqlite" => {
                let path = &url["sqlite:".len()..];
                match path.strip_prefix("//").unwrap_or(path) {
                    "" => Err(InvalidStoreUrl("it names no file")),
                    path => Ok(Self(Kind::Sqlite(path.into()))),
                }
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => Ok(Self(Kind::Postgres(url.to_owned()))),
            #[cfg(feature = "redis")]
            "redis" => Ok(Self(Kind::Redis(url.to_owned()))),
            #[cfg(feature = "redis-rustls")]
            "rediss" => Ok(Self(Kind::Redis(url.to_owned()))),
            #[cfg(not(feature = "sqlite-unbundled"))]
            "sqlite" => Err(InvalidStoreUrl("this store needs the feature `sqlite`")),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => {
                Err(InvalidStoreUrl("this store needs the feature `postgres`"))
            }
            #[cfg(not(feature = "redis"))]
            "redis" => Err(InvalidStoreUrl("this store needs the feature `redis`")),
            #[cfg(not(feature = "redis-rustls"))]
            "rediss" => Err(InvalidStoreUrl("this store needs the feature `redis-rustls`")),
            _ => Err(InvalidStoreUrl(
                "its scheme is unknown: expected memory:, sqlite:, postgres: or redis:",
            )),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Memory => "StoreUrl(memory:)",
            #[cfg(feature = "sqlite-unbundled")]
            Kind::Sqlite(_) => "StoreUrl(sqlite:…)",
            #[cfg(feature = "postgres")]
            Kind::Postgres(_) => "StoreUrl(postgres:…)",
            #[cfg(feature = "redis")]
            Kind::Redis(_) => "StoreUrl(redis:…)",
        })
    }
}

/// A URL that names no store. It does not repeat the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidStoreUrl(&'static str);

impl fmt::Display for InvalidStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store's URL cannot be used: {}", self.0)
    }
}

impl Error for InvalidStoreUrl {}
