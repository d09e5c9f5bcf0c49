//! How far messages were delivered.
//!
//! That lies beside a message's record, under a digest of its SID:
//! a record fits a packed list, and with more in it would not.

use sha2::{Digest, Sha256};

use super::{
    RedisStore, RedisStoreError, answer,
    layout::Layout,
    packed::{Reader, Record},
    script::Op,
    settle::span,
};
use crate::{
    MessageSid, MessageStatus,
    store::{StatusOutcome, StatusUpdate},
};

/// A status and its error code as they are at rest; the code is zero if there is none.
type Packed = (u8, u32);

fn item(letter: u8, sid: MessageSid, more: &[u8]) -> (u8, Vec<u8>) {
    let digest = Sha256::digest(sid.pack());
    (digest[0], [&[letter][..], &digest[..12], more].concat())
}

impl RedisStore {
    /// Answers what was known before.
    async fn statuses(
        &self,
        layout: &Layout,
        items: impl Iterator<Item = (u8, Vec<u8>)>,
    ) -> Result<Vec<Option<Packed>>, RedisStoreError> {
        let kept = span(self.settings.ledger_retention).to_string().into_bytes();
        let items = items.map(|(first, item)| (usize::from(first) % layout.shards(), item));
        let batches = self.batches(layout, Op::Statuses, &[kept], items);
        let answers = self.connection.run(&batches.calls).await?;
        let known = batches.arrays(answers)?.into_iter().map(|answer| {
            let answer = answer::bytes(answer)?;
            let mut reader = Reader(&answer);
            Ok(reader
                .take()
                .zip(reader.take())
                .map(|([status], code)| (status, u32::from_be_bytes(code))))
        });
        known.collect()
    }

    /// How far each message was delivered, with the error code of that.
    pub(super) async fn deliveries(
        &self,
        layout: &Layout,
        records: &[Record],
    ) -> Result<Vec<(Option<MessageStatus>, Option<u32>)>, RedisStoreError> {
        let known = self.statuses(layout, records.iter().map(|record| item(b'g', record.sid, &[])));
        let known = known.await?.into_iter().map(|known| match known {
            Some((status, code)) => (MessageStatus::from_code(status), (code > 0).then_some(code)),
            None => (None, None),
        });
        Ok(known.collect())
    }

    pub(super) async fn forget_deliveries(
        &self,
        layout: &Layout,
        sids: impl Iterator<Item = MessageSid>,
    ) -> Result<(), RedisStoreError> {
        self.statuses(layout, sids.map(|sid| item(b'd', sid, &[]))).await.map(drop)
    }

    pub(super) async fn update_all(
        &self,
        updates: &[StatusUpdate],
    ) -> Result<Vec<StatusOutcome>, RedisStoreError> {
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let sids: Vec<MessageSid> = updates.iter().map(|update| update.sid).collect();
        let (which, records) = self.records_of(layout, &sids).await?;
        let accounts = records.iter().map(|record| record.account);
        let accounts = self.names.accounts.names(&self.connection, layout, accounts).await?;
        let mut own = Vec::new();
        let mut items = Vec::new();
        for (at, record) in which.into_iter().zip(&records) {
            let update = &updates[at];
            if accounts.get(&record.account) != Some(&update.account) || own.last() == Some(&at) {
                continue;
            }
            let code = update.error_code.unwrap_or(0).to_be_bytes();
            let more = [&[update.status.code()][..], &code, &record.expires].concat();
            own.push(at);
            items.push(item(b's', update.sid, &more));
        }
        let mut outcomes = vec![StatusOutcome::Unknown; updates.len()];
        for (at, known) in own.into_iter().zip(self.statuses(layout, items.into_iter()).await?) {
            let known = known.map(|(status, _)| status);
            outcomes[at] = if known < Some(updates[at].status.code()) {
                StatusOutcome::Updated { previous: known.and_then(MessageStatus::from_code) }
            } else {
                StatusOutcome::NotNewer
            };
        }
        Ok(outcomes)
    }
}
