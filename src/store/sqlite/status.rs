//! How far messages were delivered.

use rusqlite::params;

use super::{error::SqliteError, session::Session, statements::Query};
use crate::{
    MessageStatus,
    store::{StatusOutcome, StatusUpdate},
};

impl Session<'_> {
    pub(super) fn update_status(
        &mut self,
        updates: &[StatusUpdate],
    ) -> Result<Vec<StatusOutcome>, SqliteError> {
        updates.iter().map(|update| self.update_one(update)).collect()
    }

    fn update_one(&mut self, update: &StatusUpdate) -> Result<StatusOutcome, SqliteError> {
        let sid = update.sid.pack();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(i64, Option<u8>)> =
            self.statements.row(Query::DeliveryOfSid, [&sid], read)?;
        let Some((account, known)) = found else { return Ok(StatusOutcome::Unknown) };
        if self.names.accounts.name(account, &mut self.statements)? != update.account {
            return Ok(StatusOutcome::Unknown);
        }
        let status = update.status.code();
        if known >= Some(status) {
            return Ok(StatusOutcome::NotNewer);
        }
        self.statements.execute(Query::SetDelivery, params![sid, status, update.error_code])?;
        let previous = known.and_then(MessageStatus::from_code);
        Ok(StatusOutcome::Updated { previous })
    }
}
