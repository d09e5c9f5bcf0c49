use std::sync::atomic::Ordering::Relaxed;

use redis::Value;

use super::{
    RedisStore, RedisStoreError, answer,
    confirm::key_item,
    layout::{Hash, Layout},
    packed::{Reader, Record},
    script::Op,
};
use crate::{
    CorrelationKeys, MessageSid,
    store::{LedgerEntry, StoreCounts},
};

/// Looks for the message of a SID under a hash.
pub(super) fn sid_item(letter: u8, hash: Hash, sid: MessageSid) -> (Hash, Vec<u8>) {
    (hash, [&[letter][..], &hash, &sid.pack()].concat())
}

impl RedisStore {
    async fn find(
        &self,
        layout: &Layout,
        items: Vec<(Hash, Vec<u8>)>,
    ) -> Result<Vec<Vec<Record>>, RedisStoreError> {
        let hashes: Vec<Hash> = items.iter().map(|(hash, _)| *hash).collect();
        let items = items.into_iter().map(|(hash, item)| (layout.shard_of_hash(hash), item));
        let batches = self.batches(layout, Op::Find, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        batches
            .arrays(answers)?
            .into_iter()
            .zip(hashes)
            .map(|(answer, hash)| {
                answer::strings(answer)?.iter().map(|packed| Record::read(hash, packed)).collect()
            })
            .collect()
    }

    /// The message of each SID under that hash.
    pub(super) async fn find_sids(
        &self,
        layout: &Layout,
        wanted: &[(Hash, MessageSid)],
    ) -> Result<Vec<Option<Record>>, RedisStoreError> {
        let items = wanted.iter().map(|(hash, sid)| sid_item(b's', *hash, *sid)).collect();
        let found = self.find(layout, items).await?;
        Ok(found.into_iter().map(|records| records.into_iter().next()).collect())
    }

    /// The records of the SIDs, with their places in the batch.
    pub(super) async fn records_of(
        &self,
        layout: &Layout,
        sids: &[MessageSid],
    ) -> Result<(Vec<usize>, Vec<Record>), RedisStoreError> {
        let hashes = self.hashes_of(layout, sids).await?;
        let (which, wanted): (Vec<usize>, Vec<_>) = hashes
            .into_iter()
            .enumerate()
            .flat_map(|(at, hashes)| hashes.into_iter().map(move |hash| (at, (hash, sids[at]))))
            .unzip();
        let found = self.find_sids(layout, &wanted).await?;
        Ok(which.into_iter().zip(found).filter_map(|(at, found)| Some((at, found?))).unzip())
    }

    /// The entries of records whose account and origin anybody knows.
    async fn entries(
        &self,
        layout: &Layout,
        records: &[Record],
    ) -> Result<Vec<Option<LedgerEntry>>, RedisStoreError> {
        let accounts = records.iter().map(|record| record.account);
        let accounts = self.names.accounts.names(&self.connection, layout, accounts).await?;
        let places = records.iter().map(|record| record.place);
        let places = self.names.places.names(&self.connection, layout, places).await?;
        let deliveries = self.deliveries(layout, records).await?;
        Ok(records
            .iter()
            .zip(deliveries)
            .map(|(record, delivery)| {
                let account = accounts.get(&record.account)?;
                Some(record.entry(*account, places.get(&record.place)?, delivery))
            })
            .collect())
    }

    pub(super) async fn lookup_all(
        &self,
        ids: &[CorrelationKeys],
    ) -> Result<Vec<Vec<LedgerEntry>>, RedisStoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let keys =
            ids.iter().enumerate().flat_map(|(at, keys)| keys.iter().map(move |key| (at, key)));
        let (which, items): (Vec<usize>, Vec<_>) =
            keys.map(|(at, key)| (at, key_item(b'k', key))).unzip();
        let (mut whose, mut all) = (Vec::new(), Vec::new());
        for (at, mut records) in which.into_iter().zip(self.find(layout, items).await?) {
            records.sort_by_key(|record| std::cmp::Reverse(record.age()));
            whose.extend(records.iter().map(|_| at));
            all.extend(records);
        }
        let mut found = vec![Vec::new(); ids.len()];
        for (at, entry) in whose.into_iter().zip(self.entries(layout, &all).await?) {
            found[at].extend(entry);
        }
        Ok(found)
    }

    pub(super) async fn look_up_sids(
        &self,
        sids: &[MessageSid],
    ) -> Result<Vec<Option<LedgerEntry>>, RedisStoreError> {
        if sids.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let (which, records) = self.records_of(layout, sids).await?;
        let mut entries = vec![None; sids.len()];
        for (at, entry) in which.into_iter().zip(self.entries(layout, &records).await?) {
            entries[at] = entries[at].take().or(entry);
        }
        Ok(entries)
    }

    pub(super) async fn list_dead(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, RedisStoreError> {
        let layout = self.layout().await?;
        let after = after.map(|sid| padded(&sid.pack())).unwrap_or_default();
        let args = [after, limit.to_string().into_bytes()];
        let mut members = Vec::new();
        for answer in self.on_all_shards(layout, Op::Dead, &args).await? {
            members.extend(answer::strings(answer)?);
        }
        members.sort_unstable();
        members.truncate(limit);
        let items = members
            .iter()
            .map(|member| {
                let mut reader = Reader(member);
                let (sid, hash) = reader.take::<PADDED>().zip(reader.take())?;
                let sid = MessageSid::unpack(unpadded(&sid))?;
                Some(sid_item(b's', hash, sid))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(RedisStoreError::unreadable("a dead letter"))?;
        let records: Vec<Record> = self
            .find(layout, items)
            .await?
            .into_iter()
            .filter_map(|mut found| found.pop())
            .collect();
        Ok(self.entries(layout, &records).await?.into_iter().flatten().collect())
    }

    pub(super) async fn count(&self) -> Result<StoreCounts, RedisStoreError> {
        let layout = self.layout().await?;
        let mut counts =
            StoreCounts { expired: self.expired.load(Relaxed), ..StoreCounts::default() };
        for answer in self.on_all_shards(layout, Op::Counts, &[]).await? {
            let fields = answer::array(answer)?;
            let [outbox, dead, others, oldest, now] = &fields[..] else {
                return Err(RedisStoreError::unreadable("the answer to a count"));
            };
            let outbox = answer::number(outbox)?;
            counts.outbox += outbox;
            counts.dead_letters += answer::number(dead)?;
            counts.messages += answer::number(others)? + outbox;
            let Value::BulkString(now) = now else { continue };
            let now = Reader(now).number::<6>().unwrap_or(0);
            if let Ok(oldest) = answer::number(oldest) {
                let age = std::time::Duration::from_millis(now.saturating_sub(oldest));
                counts.oldest_outbox_age = counts.oldest_outbox_age.max(Some(age));
            }
        }
        Ok(counts)
    }
}

/// The longest packed SID.
const PADDED: usize = 21;

fn padded(packed: &[u8]) -> Vec<u8> {
    let mut padded = packed.to_vec();
    padded.resize(PADDED, 0);
    padded
}

fn unpadded(padded: &[u8; PADDED]) -> &[u8] {
    if padded.ends_with(&[0; 4]) { &padded[..17] } else { padded }
}
