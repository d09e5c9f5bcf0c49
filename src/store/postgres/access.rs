//! Running statements on connections of the pool.

use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::{
    Client, Row,
    types::{ToSql, Type},
};

use super::{error::PostgresError, statements::Statement};

pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// A statement that took longer is planned anew the next time: its plan may be
/// from a time when a table was nearly empty.
const SLOW: Duration = Duration::from_millis(50);

/// How often a statement is repeated that another transaction was in the way of.
const TRIES: u32 = 8;

pub(super) struct Access {
    pub(super) pool: Pool,
    pub(super) prepared: bool,
    pub(super) timeout: Duration,
}

/// Where statements run.
#[derive(Clone, Copy)]
pub(super) enum Link<'a> {
    Pool(&'a Access),
    /// In a transaction of the application's.
    Joined(&'a Client),
}

impl Link<'_> {
    pub(super) async fn query(
        self,
        statement: &Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, PostgresError> {
        match self {
            Self::Pool(access) => access.query(statement, params).await,
            Self::Joined(client) => unnamed(client, statement, params).await,
        }
    }
}

impl Access {
    /// Runs a statement that is a transaction of its own. It is repeated if
    /// another transaction was in its way, or if its connection turns out to be
    /// dead: every statement of ours is safe to repeat.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, PostgresError> {
        self.bounded(async {
            let mut tries = Tries::default();
            loop {
                let connection = self.connection().await?;
                let result = connection.query(statement, params, self.prepared).await;
                match connection.give_back(result) {
                    Ok(rows) => return Ok(rows),
                    Err(error) => tries.again(error).await?,
                }
            }
        })
        .await
    }

    /// A server that hangs is one that fails; what is dropped half way takes its
    /// connection with it.
    pub(super) async fn bounded<T>(
        &self,
        operation: impl Future<Output = Result<T, PostgresError>>,
    ) -> Result<T, PostgresError> {
        tokio::time::timeout(self.timeout, operation)
            .await
            .unwrap_or_else(|_| Err(PostgresError::timed_out()))
    }

    pub(super) async fn connection(&self) -> Result<Connection, PostgresError> {
        Ok(Connection(Some(self.pool.get().await?)))
    }
}

/// A connection that returns to the pool only once it has answered: what still
/// owes an answer would make the next one wait for it.
pub(super) struct Connection(Option<Object>);

impl Connection {
    pub(super) fn client(&self) -> &Object {
        self.0.as_ref().expect("it is held until it is given back")
    }

    pub(super) async fn query(
        &self,
        statement: &Statement,
        params: &[Param<'_>],
        prepared: bool,
    ) -> Result<Vec<Row>, PostgresError> {
        let client = self.client();
        if !prepared {
            return unnamed(client, statement, params).await;
        }
        let cache = &client.statement_cache;
        let named = client.prepare_typed_cached(&statement.sql, &statement.types).await?;
        let begun = Instant::now();
        let result = client.query(&named, params).await.map_err(PostgresError::from);
        if begun.elapsed() > SLOW {
            drop(cache.remove(&statement.sql, &statement.types));
        }
        if result.as_ref().is_err_and(PostgresError::is_stale_statement) {
            cache.clear();
        }
        result
    }

    /// Returns it to the pool, unless `result` says that it is broken.
    pub(super) fn give_back<T>(
        mut self,
        result: Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        if !result.as_ref().is_err_and(PostgresError::is_broken) {
            drop(self.0.take());
        }
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            // Out of the pool, and closed.
            drop(Object::take(object));
        }
    }
}

/// Parses, binds and executes in one round trip, and leaves nothing behind in
/// the session.
async fn unnamed(
    client: &Client,
    statement: &Statement,
    params: &[Param<'_>],
) -> Result<Vec<Row>, PostgresError> {
    let typed: Vec<(Param<'_>, Type)> =
        params.iter().copied().zip(statement.types.iter().cloned()).collect();
    Ok(client.query_typed(&statement.sql, &typed).await?)
}

/// Decides whether to repeat what failed.
#[derive(Default)]
pub(super) struct Tries {
    conflicts: u32,
    broken: u32,
}

impl Tries {
    /// Waits a little before another try; the error, if there should be none.
    pub(super) async fn again(&mut self, error: PostgresError) -> Result<(), PostgresError> {
        if error.is_conflict() && self.conflicts < TRIES {
            self.conflicts += 1;
            let longest = 2_u64 << self.conflicts;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=longest))).await;
            return Ok(());
        }
        if (error.is_broken() || error.is_stale_statement()) && self.broken < 2 {
            self.broken += 1;
            return Ok(());
        }
        Err(error)
    }
}
