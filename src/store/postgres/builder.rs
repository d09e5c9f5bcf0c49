use std::{fmt, time::Duration};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::{
    Config, NoTls, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::{PostgresStore, access::Access, error::PostgresError, schema::Schema};
use crate::{Clock, store::StoreError};

/// Makes the manager of a pool, with the TLS connector in its belly.
type Connector = Box<dyn FnOnce(Config, ManagerConfig) -> Manager + Send>;

/// Sets up a [`PostgresStore`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct PostgresStoreBuilder {
    server: Option<Server>,
    connector: Option<Connector>,
    max_connections: usize,
    pub(super) schema: String,
    prepared: bool,
    timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) ledger_retention: Duration,
    pub(super) dead_letter_retention: Duration,
    pub(super) clock: Option<Clock>,
}

enum Server {
    Url(String),
    Config(Box<Config>),
    Pool(Pool),
}

impl PostgresStoreBuilder {
    pub(super) fn new() -> Self {
        Self {
            server: None,
            connector: None,
            max_connections: 10,
            schema: "message_feedback".to_owned(),
            prepared: true,
            timeout: Duration::from_secs(10),
            poll_interval: Duration::from_secs(1),
            ledger_retention: Duration::from_secs(24 * 60 * 60),
            dead_letter_retention: Duration::from_secs(30 * 24 * 60 * 60),
            clock: None,
        }
    }

    /// The server as a URL, `postgres://user:password@host:5432/database`, or as
    /// a string of `key=value` pairs, as `tokio_postgres` reads them.
    ///
    /// Without [`tls`](Self::tls) the connection is not encrypted, and
    /// `sslmode=require` fails.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.server = Some(Server::Url(url.into()));
        self
    }

    /// The server as a configuration. Where it says nothing of it, a connect
    /// timeout of 5 seconds, TCP keep-alives after 30 seconds, a
    /// `tcp_user_timeout` of 15 seconds and an application name are added.
    pub fn config(mut self, config: Config) -> Self {
        self.server = Some(Server::Config(Box::new(config)));
        self
    }

    /// The application's own pool, instead of one that the store opens.
    ///
    /// It should have timeouts for waiting and creating;
    /// [`max_connections`](Self::max_connections) and [`tls`](Self::tls) do not
    /// apply to it.
    pub fn pool(mut self, pool: Pool) -> Self {
        self.server = Some(Server::Pool(pool));
        self
    }

    /// What encrypts the connections: a connector of `tokio-postgres-rustls`,
    /// `postgres-native-tls` or their like.
    pub fn tls<T>(mut self, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.connector =
            Some(Box::new(|config, manager| Manager::from_config(config, tls, manager)));
        self
    }

    /// How many connections the store's own pool opens at most: 10 by default,
    /// at least one.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max;
        self
    }

    /// The schema that holds the tables: `message_feedback` by default. Of ASCII
    /// letters, digits, `_` and `-`, in the letter case that is given.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Whether statements are prepared once a connection, which they are by
    /// default: it spares the server some work. Behind PgBouncer in transaction
    /// mode say `false`: then nothing is left behind in a session, and each
    /// operation takes one round trip all the same.
    ///
    /// `false` also keeps the store's own pool from setting the session's
    /// `statement_timeout` and `lock_timeout`: such settings would reach other
    /// clients of PgBouncer. Set them for the role instead (`ALTER ROLE … SET`).
    pub fn prepared_statements(mut self, prepared: bool) -> Self {
        self.prepared = prepared;
        self
    }

    /// How long an operation takes at most, waiting for a connection and tries
    /// included: 10 seconds by default. Past it, it fails and its connection is
    /// closed. [`migrate`](PostgresStore::migrate) and what runs in the
    /// application's own transaction are not bounded by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a dispatcher asks for what other processes confirmed: every
    /// second by default. What this process confirms, its dispatcher knows at
    /// once.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How long a delivered message stays in the ledger: one day by default.
    pub fn ledger_retention(mut self, retention: Duration) -> Self {
        self.ledger_retention = retention;
        self
    }

    /// How long a dead letter is kept: 30 days by default.
    pub fn dead_letter_retention(mut self, retention: Duration) -> Self {
        self.dead_letter_retention = retention;
        self
    }

    /// A clock that leases, retries and expiry go by, instead of the server's.
    ///
    /// The server's is the same for every process, so that theirs may differ.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The store. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// No server is given, or what is given is not a server or not a schema.
    pub fn build(mut self) -> Result<PostgresStore, StoreError> {
        let schema = Schema::new(&self.schema)?;
        let pool = match self.server.take() {
            Some(Server::Pool(pool)) => pool,
            Some(Server::Config(config)) => self.open(*config)?,
            Some(Server::Url(url)) => {
                // The driver's own error may quote a part of it.
                let config = url.parse().map_err(|_| {
                    PostgresError::new("the URL of the PostgreSQL server cannot be read")
                })?;
                self.open(config)?
            }
            None => {
                let fix = "no PostgreSQL server is given: call `url`, `config` or `pool`";
                return Err(PostgresError::new(fix).into());
            }
        };
        let access = Access { pool, prepared: self.prepared, timeout: self.timeout };
        Ok(PostgresStore::with(access, schema, self)?)
    }

    fn open(&mut self, mut config: Config) -> Result<Pool, PostgresError> {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(15));
        }
        // The driver's default, of which one cannot tell whether it was asked for.
        if config.get_keepalives_idle() == Duration::from_secs(2 * 60 * 60) {
            config.keepalives_idle(Duration::from_secs(30));
        }
        if config.get_application_name().is_none() {
            config.application_name("tower-message-feedback");
        }
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match self.connector.take() {
            Some(connector) => connector(config, manager),
            None => Manager::from_config(config, NoTls, manager),
        };
        let longest = self.timeout.min(Duration::from_secs(5));
        let mut pool = Pool::builder(manager)
            .max_size(self.max_connections.max(1))
            .timeouts(Timeouts {
                wait: Some(longest),
                create: Some(longest),
                recycle: Some(longest),
            })
            .runtime(Runtime::Tokio1);
        if self.prepared {
            pool = pool.post_create(session(self.timeout));
        }
        pool.build().map_err(|_| PostgresError::new("the pool of connections cannot be built"))
    }
}

/// What the server should know of a session that is ours alone: when to give up
/// what nobody waits for any more, and that just-in-time compilation only costs
/// where a statement takes less than a millisecond.
fn session(timeout: Duration) -> Hook {
    let timeout = timeout.as_millis().clamp(1, 1 << 30);
    let settings = format!(
        "SET statement_timeout = {timeout}; SET lock_timeout = {}; SET jit = off; \
         SET default_transaction_isolation = 'read committed'",
        timeout.div_ceil(2),
    );
    Hook::async_fn(move |client, _| {
        let settings = settings.clone();
        Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
    })
}

impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the URL nor the configuration: they hold a password.
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("max_connections", &self.max_connections)
            .field("prepared_statements", &self.prepared)
            .finish_non_exhaustive()
    }
}
