//! The ledger and the counts.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use rusqlite::{Row, params};

use super::{
    error::{Problem, SqliteError},
    lease::attempts,
    schema::{DEAD, DELIVERED, PENDING, QUEUED},
    session::Session,
    statements::Query,
};
use crate::{
    CorrelationKey, CorrelationKeys, MessageSid, MessageStatus, Timestamp,
    store::{Failure, FailureKind, LedgerEntry, LedgerStatus, Segment, StoreCounts},
};

/// An entry whose names are still numbers.
struct Line {
    key: CorrelationKey,
    sid: MessageSid,
    account: i64,
    base_url: i64,
    sent_at: Timestamp,
    label: Option<i64>,
    status: LedgerStatus,
    message_status: Option<MessageStatus>,
    error_code: Option<u32>,
}

fn line(row: &Row<'_>) -> Result<Line, SqliteError> {
    let sid = row.get_ref(0)?.as_blob().ok().and_then(MessageSid::unpack);
    let key: [u8; 16] = row.get(15)?;
    Ok(Line {
        key: CorrelationKey::from_bytes(key),
        sid: sid.ok_or(Problem::Unreadable { column: "tmf_message.sid" })?,
        account: row.get(1)?,
        base_url: row.get(2)?,
        sent_at: Timestamp::from_millis(row.get(3)?),
        label: row.get(4)?,
        status: status(row)?,
        message_status: row.get::<_, Option<u8>>(13)?.and_then(MessageStatus::from_code),
        error_code: row.get(14)?,
    })
}

fn status(row: &Row<'_>) -> Result<LedgerStatus, SqliteError> {
    let state: i64 = row.get(5)?;
    if state == PENDING {
        return Ok(LedgerStatus::Pending);
    }
    let confirmed_at = Timestamp::from_millis(row.get(6)?);
    let attempts = attempts(row.get(8)?, row.get(9)?);
    Ok(match state {
        QUEUED => LedgerStatus::Queued { confirmed_at, attempts },
        DELIVERED => {
            let delivered_at = Timestamp::from_millis(row.get(7)?);
            LedgerStatus::Delivered { confirmed_at, delivered_at, attempts }
        }
        DEAD => {
            let died_at = Timestamp::from_millis(row.get(7)?);
            let kind = FailureKind::from_code(row.get(10)?);
            let failure = Failure { kind, status: row.get(11)?, code: row.get(12)? };
            LedgerStatus::Dead { confirmed_at, died_at, attempts, failure }
        }
        _ => return Err(Problem::Unreadable { column: "tmf_message.state" }.into()),
    })
}

impl Session<'_> {
    pub(super) fn lookup(
        &mut self,
        ids: &[CorrelationKeys],
    ) -> Result<Vec<Vec<LedgerEntry>>, SqliteError> {
        let mut answers = Vec::with_capacity(ids.len());
        for keys in ids {
            let mut found = Vec::new();
            for key in keys.iter() {
                let key = key.as_bytes().as_slice();
                found.extend(self.statements.rows(Query::LedgerOfKey, [key], line)?);
            }
            answers.push(self.entries(&found)?);
        }
        Ok(answers)
    }

    pub(super) fn by_sid(
        &mut self,
        sids: &[MessageSid],
    ) -> Result<Vec<Option<LedgerEntry>>, SqliteError> {
        let mut answers = Vec::with_capacity(sids.len());
        for sid in sids {
            let found = self.statements.row(Query::LedgerOfSid, [sid.pack()], line)?;
            answers.push(found.map(|line| self.entry(&line)).transpose()?);
        }
        Ok(answers)
    }

    pub(super) fn dead_letters(
        &mut self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, SqliteError> {
        let after = after.map_or_else(Vec::new, MessageSid::pack);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self.statements.rows(Query::DeadLetters, params![after, limit], line)?;
        self.entries(&found)
    }

    fn entries(&mut self, lines: &[Line]) -> Result<Vec<LedgerEntry>, SqliteError> {
        lines.iter().map(|line| self.entry(line)).collect()
    }

    fn entry(&mut self, line: &Line) -> Result<LedgerEntry, SqliteError> {
        let statements = &mut self.statements;
        let label: Option<Arc<str>> = match line.label {
            Some(label) => Some(self.names.labels.name(label, statements)?),
            None => None,
        };
        Ok(LedgerEntry {
            key: line.key,
            sid: line.sid,
            account: self.names.accounts.name(line.account, statements)?,
            base_url: self.names.base_urls.name(line.base_url, statements)?,
            sent_at: line.sent_at,
            segment: label.map_or_else(Segment::default, Segment::from_stored),
            status: line.status,
            message_status: line.message_status,
            error_code: line.error_code,
        })
    }

    pub(super) fn counts(&mut self) -> Result<StoreCounts, SqliteError> {
        let oldest = self.statements.row(Query::OldestEntry, [], |row| Ok(row.get(0)?))?;
        let age = oldest.map(|queued_at| self.now.since(Timestamp::from_millis(queued_at)));
        let dropped = &self.target.dropped;
        let count = |total: i64| u64::try_from(total).unwrap_or(0);
        Ok(StoreCounts {
            messages: count(self.totals.messages),
            outbox: count(self.totals.outbox),
            dead_letters: count(self.totals.dead_letters),
            oldest_outbox_age: age,
            evicted: dropped.evicted.load(Relaxed),
            dead_letters_dropped: dropped.dead_letters_dropped.load(Relaxed),
            expired: dropped.expired.load(Relaxed),
        })
    }
}
