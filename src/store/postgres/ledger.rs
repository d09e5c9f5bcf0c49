use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;

use super::{
    PostgresStore, error::PostgresError, lease::attempts, param::Key, statements::COUNT_TO,
};
use crate::{
    CorrelationKeys, MessageSid, MessageStatus, Timestamp,
    store::{Failure, FailureKind, LedgerEntry, LedgerStatus, ResendOutcome, StoreCounts},
};

impl PostgresStore {
    pub(super) async fn lookup_all(
        &self,
        ids: &[CorrelationKeys],
    ) -> Result<Vec<Vec<LedgerEntry>>, PostgresError> {
        let current: Vec<Key> = ids.iter().map(|keys| Key(keys.current)).collect();
        let previous: Vec<Option<Key>> = ids.iter().map(|keys| keys.previous.map(Key)).collect();
        let rows = self.access.query(&self.statements.lookup, &[&current, &previous]).await?;
        let mut found = vec![Vec::new(); ids.len()];
        for (place, entry) in self.entries(&rows).await? {
            if let Some(found) = place.and_then(|place| found.get_mut(place)) {
                found.push(entry);
            }
        }
        Ok(found)
    }

    pub(super) async fn by_sids(
        &self,
        sids: &[MessageSid],
    ) -> Result<Vec<Option<LedgerEntry>>, PostgresError> {
        let packed: Vec<Vec<u8>> = sids.iter().map(|sid| sid.pack()).collect();
        let rows = self.access.query(&self.statements.by_sid, &[&packed]).await?;
        let mut found = vec![None; sids.len()];
        for (place, entry) in self.entries(&rows).await? {
            if let Some(found) = place.and_then(|place| found.get_mut(place)) {
                *found = Some(entry);
            }
        }
        Ok(found)
    }

    pub(super) async fn dead_letters_behind(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, PostgresError> {
        // Every SID stands behind no bytes at all.
        let after = after.map_or_else(Vec::new, MessageSid::pack);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.access.query(&self.statements.dead_letters, &[&after, &limit]).await?;
        Ok(self.entries(&rows).await?.into_iter().map(|(_, entry)| entry).collect())
    }

    pub(super) async fn resend_all(
        &self,
        sids: &[MessageSid],
    ) -> Result<Vec<ResendOutcome>, PostgresError> {
        let mut unique = HashSet::with_capacity(sids.len());
        let packed: Vec<Vec<u8>> =
            sids.iter().filter(|sid| unique.insert(**sid)).map(|sid| sid.pack()).collect();
        let rows = self.access.query(&self.statements.resend, &[&self.now(), &packed]).await?;
        let mut queued = HashSet::with_capacity(rows.len());
        for row in &rows {
            self.turns.queued(self.sources.account(row.try_get(1)?), row.try_get(2)?);
            queued.extend(MessageSid::unpack(row.try_get(0)?));
        }
        Ok(sids
            .iter()
            .map(|sid| match queued.remove(sid) {
                true => ResendOutcome::Queued,
                false => ResendOutcome::NotDead,
            })
            .collect())
    }

    pub(super) async fn counts_now(&self) -> Result<StoreCounts, PostgresError> {
        let rows = self.access.query(&self.statements.counts, &[&self.now()]).await?;
        let Some(row) = rows.first() else { return Ok(StoreCounts::default()) };
        let number = |at: usize| -> Result<Option<i64>, PostgresError> { Ok(row.try_get(at)?) };
        // Counted if they are few, the server's estimate if they are many.
        let count = |estimate: Option<i64>, counted: Option<i64>| {
            let count = match counted {
                Some(counted) if counted < COUNT_TO => counted,
                _ => estimate.unwrap_or(0).max(COUNT_TO),
            };
            count.unsigned_abs()
        };
        let mut counts = StoreCounts {
            messages: count(number(0)?, number(3)?),
            outbox: count(number(1)?, number(4)?),
            dead_letters: count(number(2)?, number(5)?),
            ..StoreCounts::default()
        };
        counts.oldest_outbox_age =
            number(6)?.map(|age| Timestamp::from_millis(age).since(Timestamp::from_millis(0)));
        counts.expired = self.expiry.dropped();
        Ok(counts)
    }

    /// The entries with their places in the batch.
    async fn entries(
        &self,
        rows: &[Row],
    ) -> Result<Vec<(Option<usize>, LedgerEntry)>, PostgresError> {
        let mut sources = HashMap::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            sources.insert(at, row.try_get::<_, i32>(2)?);
        }
        self.sources.load(&self.access, &self.statements, sources.values().copied()).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            let source = sources.get(&at).and_then(|source| self.sources.get(*source));
            // What a later version wrote and this one cannot read is left out.
            let (Some(source), Some(sid)) = (source, MessageSid::unpack(row.try_get(1)?)) else {
                continue;
            };
            let ord: i64 = row.try_get(0)?;
            let Key(key) = row.try_get(13)?;
            let entry = LedgerEntry {
                key,
                sid,
                account: source.account,
                base_url: source.base_url,
                sent_at: Timestamp::from_millis(row.try_get(3)?),
                segment: source.segment,
                status: status(row)?,
                message_status: row
                    .try_get::<_, Option<i16>>(11)?
                    .and_then(|code| MessageStatus::from_code(u8::try_from(code).ok()?)),
                error_code: code(row, 12)?,
            };
            entries.push((usize::try_from(ord - 1).ok(), entry));
        }
        Ok(entries)
    }
}

fn status(row: &Row) -> Result<LedgerStatus, PostgresError> {
    let Some(confirmed_at) = row.try_get::<_, Option<i64>>(4)? else {
        return Ok(LedgerStatus::Pending);
    };
    let confirmed_at = Timestamp::from_millis(confirmed_at);
    let attempts = attempts(
        row.try_get::<_, Option<i32>>(5)?.unwrap_or(0),
        row.try_get::<_, Option<i32>>(6)?.unwrap_or(0),
    );
    let settled_at = row.try_get::<_, Option<i64>>(7)?.map(Timestamp::from_millis);
    let failure: Option<i16> = row.try_get(8)?;
    Ok(match (settled_at, failure) {
        (None, _) => LedgerStatus::queued(confirmed_at, attempts),
        (Some(delivered_at), None) => LedgerStatus::delivered(confirmed_at, delivered_at, attempts),
        (Some(died_at), Some(failure)) => {
            let kind = FailureKind::from_code(u8::try_from(failure).unwrap_or(0));
            let http_status: Option<i32> = row.try_get(9)?;
            let failure = Failure::new(
                kind,
                http_status.and_then(|status| u16::try_from(status).ok()),
                code(row, 10)?,
            );
            LedgerStatus::dead(confirmed_at, died_at, attempts, failure)
        }
    })
}

/// Twilio's error code in a column.
fn code(row: &Row, column: usize) -> Result<Option<u32>, PostgresError> {
    let code: Option<i64> = row.try_get(column)?;
    Ok(code.and_then(|code| u32::try_from(code).ok()))
}
