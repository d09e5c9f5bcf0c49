//! How far messages were delivered.

use std::collections::HashMap;

use super::{PostgresStore, error::PostgresError};
use crate::{
    AccountSid, MessageSid, MessageStatus,
    store::{StatusOutcome, StatusUpdate},
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
                    let previous = std::mem::replace(known, code);
                    let previous = previous.and_then(|code| u8::try_from(code).ok());
                    StatusOutcome::Updated { previous: previous.and_then(MessageStatus::from_code) }
                }
            }
        });
        Ok(outcomes.collect())
    }
}
