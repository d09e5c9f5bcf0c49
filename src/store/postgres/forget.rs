use std::collections::HashSet;

use super::{
    PostgresStore,
    access::{Connection, Tries},
    error::PostgresError,
    param::Key,
};
use crate::{CorrelationKey, MessageSid, store::ForgetTarget};

impl PostgresStore {
    pub(super) async fn forget_all(
        &self,
        targets: &[ForgetTarget],
    ) -> Result<Vec<usize>, PostgresError> {
        let mut keys: Vec<Key> = Vec::new();
        let mut sids: Vec<Vec<u8>> = Vec::new();
        for target in targets {
            match target {
                ForgetTarget::Id(id) => keys.extend(id.iter().map(Key)),
                ForgetTarget::Message(sid) => sids.push(sid.pack()),
            }
        }
        let gone = self
            .access
            .bounded(async {
                let mut tries = Tries::default();
                loop {
                    let connection = self.access.connection().await?;
                    let result = self.forget_in(&connection, &keys, &sids).await;
                    let result = match result {
                        Ok(gone) => connection.give_back(Ok(gone)),
                        // Closed, which rolls back.
                        Err(error) => Err(error),
                    };
                    match result {
                        Ok(gone) => return Ok(gone),
                        Err(error) => tries.again(error).await?,
                    }
                }
            })
            .await?;
        let mut claimed = HashSet::with_capacity(gone.len());
        let counts = targets.iter().map(|target| {
            let of_target = gone.iter().filter(|(sid, key)| match target {
                ForgetTarget::Id(id) => id.iter().any(|known| known == *key),
                ForgetTarget::Message(target) => target == sid,
            });
            of_target.filter(|(sid, _)| claimed.insert(*sid)).count()
        });
        Ok(counts.collect())
    }

    /// In three steps, each with a fresh snapshot: the first may have to wait for a
    /// confirm, the second for a settlement, and what those have written is seen by
    /// the next one alone.
    async fn forget_in(
        &self,
        connection: &Connection,
        keys: &[Key],
        sids: &[Vec<u8>],
    ) -> Result<Vec<(MessageSid, CorrelationKey)>, PostgresError> {
        let client = connection.client();
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let prepared = self.access.prepared;
        let rows = connection.query(&self.statements.forget, &[&keys, &sids], prepared).await?;
        let mut gone = Vec::with_capacity(rows.len());
        let mut entries: Vec<i64> = Vec::new();
        let mut of: Vec<&[u8]> = Vec::new();
        for row in &rows {
            let sid: &[u8] = row.try_get(0)?;
            let Key(key) = row.try_get(1)?;
            gone.extend(MessageSid::unpack(sid).map(|sid| (sid, key)));
            if let Some(entry) = row.try_get::<_, Option<i64>>(2)? {
                entries.push(entry);
                of.push(sid);
            }
        }
        if !entries.is_empty() {
            connection.query(&self.statements.forget_queued, &[&entries], prepared).await?;
            let params: [super::access::Param<'_>; 2] = [&entries, &of];
            connection.query(&self.statements.forget_settled, &params, prepared).await?;
        }
        client.batch_execute("COMMIT").await?;
        Ok(gone)
    }
}
