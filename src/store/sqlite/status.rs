//! What status callbacks tell.

use rusqlite::params;

use super::{
    error::{Problem, SqliteError},
    session::Session,
    statements::Query,
};
use crate::{
    CorrelationKey, CorrelationKeys, MessagingServiceSid,
    store::{MAX_SENDERS, SenderOutcome, ServiceSender, StatusOutcome, StatusUpdate},
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
        Ok(StatusOutcome::Updated)
    }

    pub(super) fn learn_senders(
        &mut self,
        senders: &[ServiceSender],
    ) -> Result<Vec<SenderOutcome>, SqliteError> {
        senders.iter().map(|sender| self.learn_one(sender)).collect()
    }

    fn learn_one(&mut self, learnt: &ServiceSender) -> Result<SenderOutcome, SqliteError> {
        match self.service(learnt.sender)? {
            Some(known) if known == learnt.service => return Ok(SenderOutcome::Known),
            Some(_) => {}
            None => {
                let senders = self.statements.row(Query::Senders, [], |row| Ok(row.get(0)?))?;
                if senders.unwrap_or(0_i64) >= MAX_SENDERS as i64 {
                    return Ok(SenderOutcome::Full);
                }
            }
        }
        let key = learnt.sender.as_bytes().as_slice();
        self.statements.execute(Query::SetSender, params![key, learnt.service.pack()])?;
        Ok(SenderOutcome::Learned)
    }

    pub(super) fn services(
        &mut self,
        senders: &[CorrelationKeys],
    ) -> Result<Vec<Option<MessagingServiceSid>>, SqliteError> {
        let mut found = Vec::with_capacity(senders.len());
        for keys in senders {
            let mut service = self.service(keys.current)?;
            if let (None, Some(previous)) = (service, keys.previous) {
                service = self.service(previous)?;
            }
            found.push(service);
        }
        Ok(found)
    }

    fn service(
        &mut self,
        sender: CorrelationKey,
    ) -> Result<Option<MessagingServiceSid>, SqliteError> {
        let key = sender.as_bytes().as_slice();
        self.statements.row(Query::ServiceOfSender, [key], |row| {
            let service = row.get_ref(0)?.as_blob().ok().and_then(MessagingServiceSid::unpack);
            service.ok_or(Problem::Unreadable { column: "tmf_sender.service" }.into())
        })
    }
}
