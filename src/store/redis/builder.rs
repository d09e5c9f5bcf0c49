use std::{fmt, time::Duration};

use redis::{Client, IntoConnectionInfo, cluster::ClusterClient};

use super::{
    RedisStore, RedisStoreError,
    connection::{Connection, Replicas, Timeouts},
    health,
    layout::MAX_SHARDS,
};
use crate::Clock;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) prefix: Box<str>,
    pub(super) clock: Option<Clock>,
    pub(super) ledger_retention: Duration,
    pub(super) dead_letter_retention: Duration,
    pub(super) poll_interval: Duration,
    pub(super) expected_messages: u64,
    pub(super) shards: usize,
    pub(super) replicas: Option<Replicas>,
    pub(super) timeouts: Timeouts,
}

/// Sets up a [`RedisStore`] and connects it.
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct RedisStoreBuilder(Settings);

impl RedisStoreBuilder {
    pub(super) fn new() -> Self {
        Self(Settings {
            prefix: "tmf".into(),
            clock: None,
            ledger_retention: Duration::from_secs(24 * 60 * 60),
            dead_letter_retention: Duration::from_secs(30 * 24 * 60 * 60),
            poll_interval: Duration::from_secs(1),
            expected_messages: 100_000,
            shards: 16,
            replicas: None,
            timeouts: Timeouts {
                response: Duration::from_secs(2),
                connect: Duration::from_secs(2),
            },
        })
    }

    /// What the name of every key begins with: `tmf` by default. Stores with
    /// different prefixes share nothing. It may hold neither `{` nor `}`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.0.prefix = prefix.into().into();
        self
    }

    /// The clock that leases, retries and expiry go by, instead of the server's.
    ///
    /// Redis drops nothing by itself then, because its own clock may differ:
    /// [`expire`](crate::store::FeedbackStore::expire) does it all. Meant for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = Some(clock);
        self
    }

    /// How long a delivered message stays in the ledger: one day by default.
    pub fn ledger_retention(mut self, retention: Duration) -> Self {
        self.0.ledger_retention = retention;
        self
    }

    /// How long a dead letter is kept: 30 days by default.
    pub fn dead_letter_retention(mut self, retention: Duration) -> Self {
        self.0.dead_letter_retention = retention;
        self
    }

    /// How often a dispatcher looks for what other processes confirmed: once a
    /// second by default. What this process confirms is delivered at once.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.0.poll_interval = interval;
        self
    }

    /// About how many messages wait for their action at a time: 100,000 by
    /// default. It only spares the first hours memory or time: from then on the
    /// store goes by what it met.
    pub fn expected_messages(mut self, messages: u64) -> Self {
        self.0.expected_messages = messages;
        self
    }

    /// Over how many hash tags the data is spread: 16 by default, a power of two,
    /// 256 at most. [`migrate`](RedisStore::migrate) fixes it when it creates the
    /// data; what it finds later, it keeps.
    ///
    /// 16 are even over up to eight masters. More masters want more; one server
    /// is a little faster with fewer.
    pub fn shards(mut self, shards: usize) -> Self {
        self.0.shards = shards;
        self
    }

    /// Answers a confirm once `replicas` replicas have it, for which it waits up
    /// to `timeout`; then it fails, although it took place: the handle defers it
    /// and asks again until they have. None by default.
    ///
    /// Confirms use a connection of their own then, which answers them one batch
    /// after the other.
    pub fn wait_replicas(mut self, replicas: u32, timeout: Duration) -> Self {
        self.0.replicas = (replicas > 0).then_some(Replicas {
            count: replicas,
            timeout: timeout.max(Duration::from_millis(1)),
        });
        self
    }

    /// How long the answer to a command may take: two seconds by default.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.0.timeouts.response = timeout;
        self
    }

    /// How long connecting may take: two seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.0.timeouts.connect = timeout;
        self
    }

    /// Connects to one server, for example `redis://127.0.0.1:6379/0`, with the
    /// feature `redis-rustls` also `rediss://`.
    ///
    /// # Errors
    ///
    /// If a setting or the address is not valid, if the server is not reached, is
    /// older than 6.2, or may evict.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with its I/O and timer enabled.
    pub async fn connect(
        self,
        server: impl IntoConnectionInfo,
    ) -> Result<RedisStore, RedisStoreError> {
        self.connect_client(Client::open(server)?).await
    }

    /// The same for a client that is configured already, for example with
    /// certificates.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    ///
    /// # Panics
    ///
    /// As for [`connect`](Self::connect).
    pub async fn connect_client(self, client: Client) -> Result<RedisStore, RedisStoreError> {
        self.check()?;
        let connection = Connection::server(client.clone(), self.0.timeouts).await?;
        let confirming = match self.0.replicas {
            Some(_) => Connection::server(client, self.0.timeouts).await?,
            None => connection.clone(),
        };
        self.finish(connection, confirming).await
    }

    /// Connects to a Redis Cluster, of which one node's address is enough.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect), for any of the masters.
    ///
    /// # Panics
    ///
    /// As for [`connect`](Self::connect).
    pub async fn connect_cluster<T: IntoConnectionInfo>(
        self,
        nodes: impl IntoIterator<Item = T>,
    ) -> Result<RedisStore, RedisStoreError> {
        let client = ClusterClient::builder(nodes).retries(RETRIES).build()?;
        self.connect_cluster_client(client).await
    }

    /// The same for a client that is configured already.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect), for any of the masters.
    ///
    /// # Panics
    ///
    /// As for [`connect`](Self::connect).
    pub async fn connect_cluster_client(
        self,
        client: ClusterClient,
    ) -> Result<RedisStore, RedisStoreError> {
        self.check()?;
        let connection = Connection::cluster(&client, self.0.timeouts).await?;
        let confirming = match self.0.replicas {
            Some(_) => Connection::cluster(&client, self.0.timeouts).await?,
            None => connection.clone(),
        };
        self.finish(connection, confirming).await
    }

    async fn finish(
        self,
        connection: Connection,
        confirming: Connection,
    ) -> Result<RedisStore, RedisStoreError> {
        let persistence = health::check(&connection).await?;
        Ok(RedisStore::with(self.0, connection, confirming, persistence))
    }

    fn check(&self) -> Result<(), RedisStoreError> {
        let settings = &self.0;
        if settings.prefix.is_empty() || settings.prefix.contains(['{', '}']) {
            return Err(RedisStoreError::setting("the prefix is empty, or holds a brace"));
        }
        if !settings.shards.is_power_of_two() || settings.shards > MAX_SHARDS {
            return Err(RedisStoreError::setting("shards() is not a power of two up to 256"));
        }
        if settings.timeouts.response.is_zero() || settings.timeouts.connect.is_zero() {
            return Err(RedisStoreError::setting("a timeout is zero"));
        }
        Ok(())
    }
}

/// How often the driver follows a cluster that is changing, for one command.
const RETRIES: u32 = 3;

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.0.prefix)
            .field("shards", &self.0.shards)
            .finish_non_exhaustive()
    }
}
