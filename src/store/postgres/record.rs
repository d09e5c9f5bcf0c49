use std::collections::HashMap;

use super::{PostgresStore, access::Link, error::PostgresError, param::Key};
use crate::{
    CorrelationKey, MessageSid,
    store::{RecordOutcome, TrackedMessage},
};

/// How often a batch is looked at again because another transaction, which it
/// had to wait for, inserted the same messages.
pub(super) const LOOKS: usize = 5;

impl PostgresStore {
    pub(super) async fn record_via(
        &self,
        link: Link<'_>,
        messages: &[TrackedMessage],
    ) -> Result<Vec<RecordOutcome>, PostgresError> {
        // The first of each SID; it answers for the others.
        let mut first: HashMap<MessageSid, &TrackedMessage> = HashMap::new();
        let mut open: Vec<&TrackedMessage> = Vec::new();
        for message in messages {
            first.entry(message.sid).or_insert_with(|| {
                open.push(message);
                message
            });
        }
        self.expiry.expect(open.iter().map(|message| message.expires_at));
        let mut held: HashMap<MessageSid, (CorrelationKey, bool)> = HashMap::new();
        for _ in 0..LOOKS {
            if open.is_empty() {
                break;
            }
            for (sid, key) in self.insert(link, &open).await? {
                held.insert(sid, key);
            }
            open.retain(|message| !held.contains_key(&message.sid));
        }
        if !open.is_empty() {
            return Err(PostgresError::new("another transaction records the same messages"));
        }
        let outcomes = messages.iter().map(|message| {
            let Some((key, inserted)) = held.get_mut(&message.sid) else {
                return RecordOutcome::AlreadyPresent;
            };
            match std::mem::take(inserted) {
                true => RecordOutcome::Inserted,
                false if *key == message.key => RecordOutcome::AlreadyPresent,
                false => RecordOutcome::OtherId,
            }
        });
        Ok(outcomes.collect())
    }

    /// The key that each message is held under, and whether it is so since now.
    async fn insert(
        &self,
        link: Link<'_>,
        messages: &[&TrackedMessage],
    ) -> Result<Vec<(MessageSid, (CorrelationKey, bool))>, PostgresError> {
        let sources = self.source_ids(link, messages.iter().copied()).await?;
        let sids: Vec<Vec<u8>> = messages.iter().map(|message| message.sid.pack()).collect();
        let keys: Vec<Key> = messages.iter().map(|message| Key(message.key)).collect();
        let sent_at: Vec<i64> = messages.iter().map(|m| m.sent_at.as_millis()).collect();
        let expires_at: Vec<i64> = messages.iter().map(|m| m.expires_at.as_millis()).collect();
        let rows = link
            .query(&self.statements.record, &[&sids, &keys, &sources, &sent_at, &expires_at])
            .await?;
        let mut held: HashMap<MessageSid, (CorrelationKey, bool)> =
            messages.iter().map(|message| (message.sid, (message.key, true))).collect();
        let mut answers = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(sid) = MessageSid::unpack(row.try_get(0)?) else { continue };
            let Some(inserted) = held.remove(&sid) else { continue };
            let before: Option<Key> = row.try_get(1)?;
            answers.push((sid, before.map_or(inserted, |Key(key)| (key, false))));
        }
        Ok(answers)
    }
}
