//! What became of leased entries.

use rusqlite::params;

use super::{
    error::SqliteError,
    schema::{DEAD, DELIVERED},
    session::Session,
    statements::Query,
};
use crate::store::{Attempts, Failure, SettleOutcome, SettledAs, Settlement};

impl Session<'_> {
    pub(super) fn settle(
        &mut self,
        settlements: &[Settlement],
    ) -> Result<Vec<SettleOutcome>, SqliteError> {
        settlements.iter().map(|settlement| self.settle_one(settlement)).collect()
    }

    fn settle_one(&mut self, settlement: &Settlement) -> Result<SettleOutcome, SqliteError> {
        let (Ok(entry), Ok(token)) =
            (i64::try_from(settlement.id.get()), i64::try_from(settlement.token.get()))
        else {
            return Ok(SettleOutcome::LeaseLost);
        };
        let leased = self
            .statements
            .row(Query::LeasedMessage, [entry, token], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some((message, confirmed_at)) = leased else { return Ok(SettleOutcome::LeaseLost) };
        let attempts = settlement.attempts;
        match settlement.settled_as {
            SettledAs::Retry(after) => {
                let due_at = (self.now + after).as_millis();
                let Attempts { total, not_found } = attempts;
                self.statements
                    .execute(Query::Reschedule, params![entry, due_at, total, not_found])?;
            }
            SettledAs::Delivered => {
                self.end(message, confirmed_at, attempts, None)?;
            }
            SettledAs::Dead(failure) => {
                self.end(message, confirmed_at, attempts, Some(failure))?;
                self.totals.dead_letters += 1;
                self.drop_dead_letters()?;
            }
        }
        Ok(SettleOutcome::Settled)
    }

    /// Takes a message out of the outbox.
    fn end(
        &mut self,
        message: i64,
        confirmed_at: i64,
        Attempts { total, not_found }: Attempts,
        failure: Option<Failure>,
    ) -> Result<(), SqliteError> {
        let limits = &self.target.limits;
        let (state, kept_for) = match failure {
            None => (DELIVERED, limits.ledger_retention),
            Some(_) => (DEAD, limits.dead_letter_retention),
        };
        let expires_at = (self.now + kept_for).as_millis();
        self.statements.execute(Query::DropEntry, [message])?;
        self.statements.execute(Query::MarkSettled, [message, state, expires_at])?;
        self.statements.execute(
            Query::AddSettled,
            params![
                message,
                confirmed_at,
                self.now.as_millis(),
                total,
                not_found,
                failure.map(|failure| failure.kind.code()),
                failure.and_then(|failure| failure.status),
                failure.and_then(|failure| failure.code),
            ],
        )?;
        self.totals.outbox -= 1;
        Ok(())
    }
}
