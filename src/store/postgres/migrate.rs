use tokio_postgres::Client;

use super::{
    PostgresStore,
    access::Tries,
    check::supported,
    error::PostgresError,
    schema::{Schema, VERSION},
};
use crate::store::StoreError;

/// Of the advisory lock under which tables are made: "tmf" and a number.
const LOCK: i64 = 0x746d_6600_0001;

impl PostgresStore {
    /// Creates the tables, or brings them to the version that this library
    /// needs, and answers how many steps that took: none if they are up to date.
    ///
    /// Any number of processes may call it at once, also through PgBouncer: one
    /// does the work in a transaction, the others wait for it. It has no time
    /// limit, since an index on a large table takes its time; the store's own
    /// timeout does not apply.
    ///
    /// # Errors
    ///
    /// The server cannot be reached or is older than 15, the role may not create
    /// the schema or its tables, or the tables are of a later version that does
    /// not work with this one.
    pub async fn migrate(&self) -> Result<u32, StoreError> {
        let mut tries = Tries::default();
        loop {
            let connection = self.access.connection().await?;
            let result = migrate(connection.client(), &self.schema).await;
            let result = match result {
                Ok(steps) => connection.give_back(Ok(steps)),
                // Closed, which rolls back.
                Err(error) => Err(error),
            };
            match result {
                Ok(steps) => return Ok(steps),
                Err(error) => tries.again(error).await?,
            }
        }
    }

    /// The SQL of every migration, for tables that are kept by other means than
    /// [`migrate`](Self::migrate): the first makes version 1, and so on. Each is
    /// to run in one transaction, once, in an existing schema named `schema`.
    ///
    /// # Errors
    ///
    /// The name is not one that
    /// [`PostgresStoreBuilder::schema`](super::PostgresStoreBuilder::schema) takes.
    pub fn migrations(schema: &str) -> Result<Vec<String>, StoreError> {
        Ok(Schema::new(schema)?.migrations().map(|(_, sql)| sql).collect())
    }
}

async fn migrate(client: &Client, schema: &Schema) -> Result<u32, PostgresError> {
    client
        .batch_execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED; \
             SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0",
        )
        .await?;
    let name = schema.name();
    let lock = format!(
        "SELECT current_setting('server_version_num')::int4, pg_advisory_xact_lock({LOCK})"
    );
    for row in &client.query_typed(&lock, &[]).await? {
        supported(row.try_get(0)?)?;
    }
    // Behind the lock: a statement of its own sees what the last holder did.
    let rows = client
        .query_typed(
            &format!(
                "SELECT to_regnamespace('\"{name}\"') IS NOT NULL, \
                 to_regclass('\"{name}\".migration') IS NOT NULL"
            ),
            &[],
        )
        .await?;
    let (has_schema, has_tables): (bool, bool) = match rows.first() {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (false, false),
    };
    if !has_schema {
        client.batch_execute(&format!("CREATE SCHEMA \"{name}\"")).await?;
    }
    let mut version = 0;
    if has_tables {
        let newest = format!(
            "SELECT version, compatible_from FROM \"{name}\".migration ORDER BY version DESC LIMIT 1"
        );
        if let Some(row) = client.query_typed(&newest, &[]).await?.first() {
            version = row.try_get(0)?;
            let compatible_from: i32 = row.try_get(1)?;
            if compatible_from > VERSION {
                return Err(PostgresError::new(format!(
                    "the tables in schema {name} are of version {version}, which needs a later \
                     version of tower-message-feedback"
                )));
            }
        }
    }
    let mut steps = 0;
    for (to, sql) in schema.migrations().filter(|(to, _)| *to > version) {
        tracing::info!(schema = name, version = to, "migrating the tables of message feedback");
        client.batch_execute(&sql).await?;
        steps += 1;
    }
    client.batch_execute("COMMIT").await?;
    Ok(steps)
}
