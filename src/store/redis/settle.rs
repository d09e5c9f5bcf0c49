use std::time::Duration;

use super::{
    RedisStore, RedisStoreError,
    index::Indexed,
    layout::{Hash, Layout},
    packed,
    script::Op,
};
use crate::{
    MessageSid,
    store::{ResendOutcome, SettleOutcome, SettledAs, Settlement},
};

/// A span in milliseconds that six bytes hold with a time added.
pub(super) fn span(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 47)
}

impl RedisStore {
    pub(super) async fn settle_all(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<SettleOutcome>, RedisStoreError> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let kept = [self.settings.ledger_retention, self.settings.dead_letter_retention]
            .map(|retention| span(retention).to_string().into_bytes());
        let items = settlements.iter().map(|settlement| {
            let (hash, id) = packed::of_entry(settlement.id);
            let mut item = id.to_vec();
            item.extend(packed::token(settlement.token));
            item.extend(packed::attempts(settlement.attempts));
            match settlement.settled_as {
                SettledAs::Delivered => item.push(b'd'),
                SettledAs::Retry(wait) => {
                    item.push(b'r');
                    item.extend(packed::six(span(wait)));
                }
                SettledAs::Dead(failure) => {
                    item.push(b'x');
                    item.extend(packed::failure(failure));
                }
            }
            (layout.shard_of_hash(hash), item)
        });
        let batches = self.batches(layout, Op::Settle, &kept, items);
        let answers = self.connection.run(&batches.calls).await?;
        let (letters, unindexed) = batches.letters(answers)?;
        let lines = unindexed.iter().map(|line| read(line)).collect::<Result<Vec<_>, _>>()?;
        self.index_until(layout, &lines).await?;
        Ok(letters
            .into_iter()
            .map(|letter| match letter {
                b'S' => SettleOutcome::Settled,
                _ => SettleOutcome::LeaseLost,
            })
            .collect())
    }

    pub(super) async fn resend_all(
        &self,
        sids: &[MessageSid],
    ) -> Result<Vec<ResendOutcome>, RedisStoreError> {
        if sids.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let hashes = self.hashes_of(layout, sids).await?;
        let mut outcomes = vec![ResendOutcome::NotDead; sids.len()];
        let items: Vec<(usize, Hash)> = hashes
            .into_iter()
            .enumerate()
            .flat_map(|(at, hashes)| hashes.into_iter().map(move |hash| (at, hash)))
            .collect();
        let letters = self.resend_items(layout, sids, &items).await?;
        for ((at, _), letter) in items.into_iter().zip(letters) {
            if letter == b'Q' {
                outcomes[at] = ResendOutcome::Queued;
            }
        }
        Ok(outcomes)
    }

    async fn resend_items(
        &self,
        layout: &Layout,
        sids: &[MessageSid],
        items: &[(usize, Hash)],
    ) -> Result<Vec<u8>, RedisStoreError> {
        let items = items.iter().map(|(at, hash)| {
            (layout.shard_of_hash(*hash), [&hash[..], &sids[*at].pack()].concat())
        });
        let batches = self.batches(layout, Op::Resend, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let (letters, unindexed) = batches.letters(answers)?;
        self.index_long(layout, &unindexed).await?;
        Ok(letters)
    }
}

/// A hash, the end in seconds, and a SID.
fn read(line: &[u8]) -> Result<Indexed, RedisStoreError> {
    let mut reader = packed::Reader(line);
    reader
        .take()
        .zip(reader.take())
        .and_then(|(hash, until)| Some(Indexed { sid: MessageSid::unpack(reader.0)?, hash, until }))
        .ok_or(RedisStoreError::unreadable("a SID"))
}
