//! Putting messages into the outbox.

use rusqlite::{Row, params};

use super::{
    error::SqliteError,
    schema::{DEAD, PENDING},
    session::Session,
    statements::Query,
};
use crate::{
    CorrelationKey, CorrelationKeys, MessageSid, Timestamp,
    store::{ConfirmOutcome, ConfirmTarget, RecordOutcome, ResendOutcome, Resends, SCHEDULED},
};

/// A message as far as its confirm needs it.
pub(super) struct Found {
    pub(super) id: i64,
    account: i64,
    pub(super) state: i64,
}

pub(super) fn found(row: &Row<'_>) -> Result<Found, SqliteError> {
    Ok(Found { id: row.get(0)?, account: row.get(1)?, state: row.get(2)? })
}

impl Session<'_> {
    pub(super) fn confirm(
        &mut self,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, SqliteError> {
        targets.iter().map(|target| self.confirm_one(target)).collect()
    }

    fn confirm_one(&mut self, target: &ConfirmTarget) -> Result<ConfirmOutcome, SqliteError> {
        match target {
            ConfirmTarget::Id { keys, resends: Resends::Newest } => self.confirm_newest(*keys),
            ConfirmTarget::Id { keys, resends: Resends::All } => self.confirm_all(*keys),
            ConfirmTarget::Recorded { key, sid } => {
                let key = key.as_bytes().as_slice();
                let recorded =
                    self.statements.row(Query::OfSidAndKey, params![sid.pack(), key], found)?;
                recorded.map_or(Ok(ConfirmOutcome::Unknown), |found| self.enqueue_pending(&found))
            }
            ConfirmTarget::Message(message) => {
                if self.record_one(message)? == RecordOutcome::Full {
                    return Ok(ConfirmOutcome::Full);
                }
                match self.of_sid(message.sid)? {
                    Some(found) => self.enqueue_pending(&found),
                    None => Ok(ConfirmOutcome::Unknown),
                }
            }
        }
    }

    fn confirm_newest(&mut self, keys: CorrelationKeys) -> Result<ConfirmOutcome, SqliteError> {
        for key in keys.iter() {
            if let Some(newest) = self.newest(key)? {
                return self.enqueue_pending(&newest);
            }
        }
        Ok(ConfirmOutcome::Unknown)
    }

    /// In a rotation, resends lie on both sides of it.
    fn confirm_all(&mut self, keys: CorrelationKeys) -> Result<ConfirmOutcome, SqliteError> {
        let mut outcome = ConfirmOutcome::Unknown;
        for key in keys.iter() {
            for message in self.of_key(key)? {
                outcome = outcome.most_telling(self.enqueue_pending(&message)?);
            }
        }
        Ok(outcome)
    }

    /// The message that an action confirms now: the newest that has been sent,
    /// or if none has, the newest that is scheduled.
    fn newest(&mut self, key: CorrelationKey) -> Result<Option<Found>, SqliteError> {
        let key = key.as_bytes().as_slice();
        let horizon = (self.now + SCHEDULED).as_millis();
        let sent = self.statements.row(Query::NewestBefore, params![key, horizon], found)?;
        match sent {
            Some(sent) => Ok(Some(sent)),
            None => self.statements.row(Query::Newest, [key], found),
        }
    }

    /// The messages under a key, in the order they were sent.
    pub(super) fn of_key(&mut self, key: CorrelationKey) -> Result<Vec<Found>, SqliteError> {
        self.statements.rows(Query::AllOfKey, [key.as_bytes().as_slice()], found)
    }

    pub(super) fn of_sid(&mut self, sid: MessageSid) -> Result<Option<Found>, SqliteError> {
        self.statements.row(Query::OfSid, [sid.pack()], found)
    }

    fn enqueue_pending(&mut self, message: &Found) -> Result<ConfirmOutcome, SqliteError> {
        if message.state != PENDING {
            return Ok(ConfirmOutcome::AlreadyConfirmed);
        }
        if self.totals.outbox >= self.target.limits.max_outbox {
            return Ok(ConfirmOutcome::Full);
        }
        self.enqueue(message, self.now)?;
        Ok(ConfirmOutcome::Queued)
    }

    fn enqueue(&mut self, message: &Found, confirmed_at: Timestamp) -> Result<(), SqliteError> {
        let now = self.now.as_millis();
        self.statements
            .insert(Query::Enqueue, [message.id, message.account, now, confirmed_at.as_millis()])?;
        self.statements.execute(Query::MarkQueued, [message.id])?;
        self.totals.outbox += 1;
        Ok(())
    }

    pub(super) fn resend(
        &mut self,
        sids: &[MessageSid],
    ) -> Result<Vec<ResendOutcome>, SqliteError> {
        sids.iter().map(|sid| self.resend_one(*sid)).collect()
    }

    fn resend_one(&mut self, sid: MessageSid) -> Result<ResendOutcome, SqliteError> {
        let Some(dead) = self.of_sid(sid)?.filter(|message| message.state == DEAD) else {
            return Ok(ResendOutcome::NotDead);
        };
        if self.totals.outbox >= self.target.limits.max_outbox {
            return Ok(ResendOutcome::Full);
        }
        let confirmed_at =
            self.statements.row(Query::SettledConfirm, [dead.id], |row| Ok(row.get(0)?))?;
        self.statements.execute(Query::DropSettled, [dead.id])?;
        self.totals.dead_letters -= 1;
        // Its age starts anew, or the retry policy would give it up at once.
        self.enqueue(&dead, confirmed_at.map_or(self.now, Timestamp::from_millis))?;
        Ok(ResendOutcome::Queued)
    }
}
