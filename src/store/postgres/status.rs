//! What status callbacks tell.

use std::collections::HashMap;

use super::{PostgresStore, error::PostgresError, param::Key};
use crate::{
    AccountSid, CorrelationKey, CorrelationKeys, MessageSid, MessagingServiceSid,
    store::{MAX_SENDERS, SenderOutcome, ServiceSender, StatusOutcome, StatusUpdate},
};

impl PostgresStore {
    pub(super) async fn update_status_once(
        &self,
        updates: &[StatusUpdate],
    ) -> Result<Vec<StatusOutcome>, PostgresError> {
        // Of each message and account the furthest, and of those the first.
        let mut furthest: HashMap<(MessageSid, AccountSid), &StatusUpdate> = HashMap::new();
        for update in updates {
            let best = furthest.entry((update.sid, update.account)).or_insert(update);
            if best.status < update.status {
                *best = update;
            }
        }
        let given: Vec<&StatusUpdate> = furthest.into_values().collect();
        let sids: Vec<Vec<u8>> = given.iter().map(|update| update.sid.pack()).collect();
        let accounts: Vec<Vec<u8>> = given.iter().map(|update| update.account.pack()).collect();
        let codes: Vec<i16> = given.iter().map(|update| update.status.code().into()).collect();
        let errors: Vec<Option<i64>> =
            given.iter().map(|update| update.error_code.map(i64::from)).collect();
        let rows = self
            .access
            .query(&self.statements.update_status, &[&sids, &accounts, &codes, &errors])
            .await?;
        let mut before: HashMap<(MessageSid, AccountSid), Option<i16>> = HashMap::new();
        for row in &rows {
            let sid = MessageSid::unpack(row.try_get(0)?);
            let account = AccountSid::unpack(row.try_get(1)?);
            if let Some(known) = sid.zip(account) {
                before.insert(known, row.try_get(2)?);
            }
        }
        // As if they had come one after the other.
        let outcomes = updates.iter().map(|update| {
            let code = Some(i16::from(update.status.code()));
            match before.get_mut(&(update.sid, update.account)) {
                None => StatusOutcome::Unknown,
                Some(known) if *known >= code => StatusOutcome::NotNewer,
                Some(known) => {
                    *known = code;
                    StatusOutcome::Updated
                }
            }
        });
        Ok(outcomes.collect())
    }

    pub(super) async fn learn_all(
        &self,
        senders: &[ServiceSender],
    ) -> Result<Vec<SenderOutcome>, PostgresError> {
        let last: HashMap<CorrelationKey, MessagingServiceSid> =
            senders.iter().map(|learnt| (learnt.sender, learnt.service)).collect();
        let keys: Vec<Key> = last.keys().map(|key| Key(*key)).collect();
        let services: Vec<Vec<u8>> = last.values().map(|service| service.pack()).collect();
        let max = MAX_SENDERS as i64;
        let rows =
            self.access.query(&self.statements.learn_senders, &[&keys, &services, &max]).await?;
        let mut known: HashMap<CorrelationKey, (Option<MessagingServiceSid>, bool)> =
            HashMap::new();
        for row in &rows {
            let Key(key) = row.try_get(0)?;
            let before = row.try_get::<_, Option<&[u8]>>(1)?.and_then(MessagingServiceSid::unpack);
            let now_known = before.is_some() || row.try_get::<_, bool>(2)?;
            known.insert(key, (before, now_known));
        }
        let outcomes = senders.iter().map(|learnt| match known.get_mut(&learnt.sender) {
            Some((_, false)) | None => SenderOutcome::Full,
            Some((Some(service), true)) if *service == learnt.service => SenderOutcome::Known,
            Some((service, true)) => {
                *service = Some(learnt.service);
                SenderOutcome::Learned
            }
        });
        Ok(outcomes.collect())
    }

    pub(super) async fn services_of(
        &self,
        senders: &[CorrelationKeys],
    ) -> Result<Vec<Option<MessagingServiceSid>>, PostgresError> {
        let current: Vec<Key> = senders.iter().map(|keys| Key(keys.current)).collect();
        let previous: Vec<Option<Key>> =
            senders.iter().map(|keys| keys.previous.map(Key)).collect();
        let rows = self.access.query(&self.statements.services, &[&current, &previous]).await?;
        let mut found = vec![None; senders.len()];
        for row in &rows {
            let ord: i64 = row.try_get(0)?;
            let place = usize::try_from(ord - 1).ok().and_then(|at| found.get_mut(at));
            if let Some(place @ None) = place {
                *place = MessagingServiceSid::unpack(row.try_get(1)?);
            }
        }
        Ok(found)
    }
}
