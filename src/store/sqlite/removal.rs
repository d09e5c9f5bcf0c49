//! What leaves the file: at a bound, when its time is over, or on request.

use rusqlite::{Params, Row};

use super::{
    error::SqliteError,
    schema::{DEAD, DELIVERED, PENDING, QUEUED},
    session::Session,
    statements::Query,
};
use crate::store::ForgetTarget;

fn id_and_state(row: &Row<'_>) -> Result<(i64, i64), SqliteError> {
    Ok((row.get(0)?, row.get(1)?))
}

impl Session<'_> {
    /// Drops the message that gives way first, if any may.
    pub(super) fn evict(&mut self) -> Result<bool, SqliteError> {
        let Some((id, state)) = self.statements.row(Query::Evictable, [], id_and_state)? else {
            return Ok(false);
        };
        self.remove(id, state)?;
        self.tally.evicted += u64::from(state == PENDING);
        Ok(true)
    }

    /// Drops the dead letters that have been dead for longest, down to the bound.
    pub(super) fn drop_dead_letters(&mut self) -> Result<(), SqliteError> {
        while self.totals.dead_letters > self.target.limits.max_dead_letters {
            let Some((id, state)) = self.statements.row(Query::OldestDead, [], id_and_state)?
            else {
                break;
            };
            self.remove(id, state)?;
            self.tally.dead_letters_dropped += 1;
        }
        Ok(())
    }

    pub(super) fn expire(&mut self, limit: usize) -> Result<usize, SqliteError> {
        let now = self.now.as_millis();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.statements.execute(Query::DropNotes, [now, limit])?;
        self.statements.execute(Query::DropRollups, [now, limit])?;
        self.statements.execute(Query::DropWriters, [now])?;
        let mut dropped = self.remove_all(Query::Expired, [now, limit])?;
        let rest = limit.saturating_sub(i64::try_from(dropped).unwrap_or(i64::MAX));
        dropped += self.remove_all(Query::ExpiredDead, [now, rest])?;
        self.tally.expired += dropped as u64;
        Ok(dropped)
    }

    fn remove_all(&mut self, query: Query, params: impl Params) -> Result<usize, SqliteError> {
        let found = self.statements.rows(query, params, id_and_state)?;
        for (id, state) in &found {
            self.remove(*id, *state)?;
        }
        Ok(found.len())
    }

    pub(super) fn forget(&mut self, targets: &[ForgetTarget]) -> Result<Vec<usize>, SqliteError> {
        targets.iter().map(|target| self.forget_one(target)).collect()
    }

    fn forget_one(&mut self, target: &ForgetTarget) -> Result<usize, SqliteError> {
        let mut gone = Vec::new();
        match *target {
            ForgetTarget::Id(keys) => {
                for key in keys.iter() {
                    gone.extend(self.of_key(key)?);
                }
                // The two keys of an id are the same one if the secrets are.
                gone.sort_unstable_by_key(|message| message.id);
                gone.dedup_by_key(|message| message.id);
            }
            ForgetTarget::Message(sid) => gone.extend(self.of_sid(sid)?),
        }
        for message in &gone {
            self.remove(message.id, message.state)?;
        }
        self.scrub |= !gone.is_empty();
        Ok(gone.len())
    }

    /// Removes a message and all that belongs to it.
    fn remove(&mut self, id: i64, state: i64) -> Result<(), SqliteError> {
        match state {
            QUEUED => {
                self.statements.execute(Query::DropEntry, [id])?;
                self.totals.outbox -= 1;
            }
            DELIVERED | DEAD => {
                self.statements.execute(Query::DropSettled, [id])?;
                self.totals.dead_letters -= i64::from(state == DEAD);
            }
            _ => {}
        }
        self.statements.execute(Query::DropMessage, [id])?;
        self.totals.messages -= 1;
        Ok(())
    }
}
