//! Remembering messages.

use rusqlite::params;

use super::{error::SqliteError, session::Session, statements::Query};
use crate::{
    CorrelationKey,
    store::{RecordOutcome, TrackedMessage},
};

impl Session<'_> {
    pub(super) fn record(
        &mut self,
        messages: &[TrackedMessage],
    ) -> Result<Vec<RecordOutcome>, SqliteError> {
        messages.iter().map(|message| self.record_one(message)).collect()
    }

    pub(super) fn record_one(
        &mut self,
        message: &TrackedMessage,
    ) -> Result<RecordOutcome, SqliteError> {
        let sid = message.sid.pack();
        let is_same = |key: &CorrelationKey, stored: &[u8]| key.as_bytes() == stored;
        let known = self.statements.row(Query::KeyOfSid, [&sid], |row| {
            Ok(is_same(&message.key, row.get_ref(0)?.as_blob().unwrap_or_default()))
        })?;
        if let Some(same) = known {
            return Ok(if same { RecordOutcome::AlreadyPresent } else { RecordOutcome::OtherId });
        }
        if self.totals.messages >= self.target.limits.max_messages && !self.evict()? {
            return Ok(RecordOutcome::Full);
        }
        let statements = &mut self.statements;
        let account = self.names.accounts.id(&message.account, statements)?;
        let base_url = self.names.base_urls.id(&message.base_url, statements)?;
        let label = match message.segment.stored() {
            Some(label) => Some(self.names.labels.id(label, statements)?),
            None => None,
        };
        let key = message.key.as_bytes().as_slice();
        let (sent_at, expires_at) = (message.sent_at.as_millis(), message.expires_at.as_millis());
        statements.insert(
            Query::AddMessage,
            params![key, sid, account, base_url, sent_at, expires_at, label],
        )?;
        self.totals.messages += 1;
        Ok(RecordOutcome::Inserted)
    }
}
