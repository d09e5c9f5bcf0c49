//! Whether the server and its tables are what the statements need: asked once.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tracing::warn;

use super::{PostgresStore, access::Link, error::PostgresError, schema::VERSION};
use crate::store::Durability;

/// `server_version_num` of the oldest server: `NULLS NOT DISTINCT` came with 15.
pub(super) const OLDEST: i32 = 150_000;

/// What was found, if anything was asked yet.
pub(super) struct Checked(AtomicU8);

const UNKNOWN: u8 = 0;
const SYNCED: u8 = 1;
const UNSYNCED: u8 = 2;

impl Checked {
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(UNKNOWN))
    }

    pub(super) fn durability(&self) -> Durability {
        match self.0.load(Relaxed) {
            UNSYNCED => Durability::Process,
            _ => Durability::Synced,
        }
    }
}

impl PostgresStore {
    /// Makes sure, before the first statement, that the server is recent enough
    /// and that its tables are there.
    pub(super) async fn ready(&self, link: Link<'_>) -> Result<(), PostgresError> {
        if self.checked.0.load(Relaxed) != UNKNOWN {
            return Ok(());
        }
        self.look(link).await
    }

    async fn look(&self, link: Link<'_>) -> Result<(), PostgresError> {
        let rows = link.query(&self.statements.server, &[]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (server, synced, migrated): (i32, bool, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        supported(server)?;
        let (version, compatible_from) = match migrated {
            false => (0, 0),
            true => {
                let rows = link.query(&self.statements.version, &[]).await?;
                match rows.first() {
                    Some(row) => (row.try_get(0)?, row.try_get(1)?),
                    None => (0, 0),
                }
            }
        };
        let schema = self.schema.name();
        if version < VERSION {
            return Err(PostgresError::new(format!(
                "the tables in schema {schema} are of version {version}, and this version of \
                 tower-message-feedback needs {VERSION}: call `PostgresStore::migrate`"
            )));
        }
        if compatible_from > VERSION {
            return Err(PostgresError::new(format!(
                "the tables in schema {schema} are of version {version}, which needs a later \
                 version of tower-message-feedback: upgrade it in this process, too"
            )));
        }
        if !synced {
            warn!(
                "fsync or full_page_writes is off in PostgreSQL: a confirmed message survives \
                 the death of a process, but not of the machine"
            );
        }
        self.checked.0.store(if synced { SYNCED } else { UNSYNCED }, Relaxed);
        Ok(())
    }
}

pub(super) fn supported(server_version_num: i32) -> Result<(), PostgresError> {
    if server_version_num >= OLDEST {
        return Ok(());
    }
    let major = server_version_num / 10_000;
    Err(PostgresError::new(format!("the server is PostgreSQL {major}, and 15 or later is needed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_is_refused_by_its_version() {
        supported(OLDEST).unwrap();
        let refused = supported(140_011).unwrap_err().to_string();
        assert_eq!(refused, "the server is PostgreSQL 14, and 15 or later is needed");
    }
}
