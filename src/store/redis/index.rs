//! Which hash the key of a SID has. It lies in the SID's own shard, which is
//! another than the key's: claimed before a message is recorded, it outlives the
//! message, and whatever it leads to is looked at before it is believed.

use super::{
    RedisStore, RedisStoreError, answer,
    layout::{Hash, Layout, digest_of},
    script::Op,
};
use crate::{MessageSid, Timestamp};

/// What became of a claim.
pub(super) enum Claim {
    /// The SID is this hash's.
    Own,
    /// Other hashes claimed it before.
    Others(Vec<Hash>),
}

/// One line for the index.
pub(super) struct Indexed {
    pub(super) sid: MessageSid,
    pub(super) hash: Hash,
    /// Until when, in seconds.
    pub(super) until: [u8; 4],
}

impl Indexed {
    pub(super) fn new(sid: MessageSid, hash: Hash, until: Timestamp) -> Self {
        Self { sid, hash, until: super::packed::seconds(until) }
    }
}

pub(super) fn hashes(packed: &[u8]) -> Vec<Hash> {
    packed.chunks_exact(4).map(|hash| [hash[0], hash[1], hash[2], hash[3]]).collect()
}

impl RedisStore {
    async fn index(
        &self,
        layout: &Layout,
        letter: u8,
        lines: &[Indexed],
    ) -> Result<Vec<Vec<u8>>, RedisStoreError> {
        let items = lines.iter().map(|line| {
            let digest = digest_of(line.sid);
            let mut item = vec![letter];
            item.extend(digest);
            item.extend(line.hash);
            item.extend(line.until);
            (layout.shard_of_digest(digest), item)
        });
        let batches = self.batches(layout, Op::Index, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        batches.arrays(answers)?.into_iter().map(answer::bytes).collect()
    }

    /// Claims SIDs; who comes first has them.
    pub(super) async fn claim(
        &self,
        layout: &Layout,
        lines: &[Indexed],
    ) -> Result<Vec<Claim>, RedisStoreError> {
        let answers = self.index(layout, b'c', lines).await?;
        Ok(answers
            .into_iter()
            .map(|answer| match answer.split_first() {
                Some((b'O', others)) => Claim::Others(hashes(others)),
                _ => Claim::Own,
            })
            .collect())
    }

    /// Claims SIDs whose other claims lead to nothing.
    pub(super) async fn take_over(
        &self,
        layout: &Layout,
        lines: &[Indexed],
    ) -> Result<(), RedisStoreError> {
        self.index(layout, b't', lines).await.map(drop)
    }

    /// Lets lines end with what they lead to.
    pub(super) async fn index_until(
        &self,
        layout: &Layout,
        lines: &[Indexed],
    ) -> Result<(), RedisStoreError> {
        self.index(layout, b'p', lines).await.map(drop)
    }

    /// Lets the lines of `hash and SID` last for as long as an entry may be queued.
    pub(super) async fn index_long(
        &self,
        layout: &Layout,
        queued: &[Vec<u8>],
    ) -> Result<(), RedisStoreError> {
        let lines = queued.iter().map(|line| read(line)).collect::<Result<Vec<_>, _>>()?;
        self.index(layout, b'l', &lines).await.map(drop)
    }

    /// Removes the lines of `hash and SID`.
    pub(super) async fn unindex(
        &self,
        layout: &Layout,
        gone: &[Vec<u8>],
    ) -> Result<(), RedisStoreError> {
        let lines = gone.iter().map(|line| read(line)).collect::<Result<Vec<_>, _>>()?;
        self.index(layout, b'd', &lines).await.map(drop)
    }

    /// Where each of the SIDs may be.
    pub(super) async fn hashes_of(
        &self,
        layout: &Layout,
        sids: &[MessageSid],
    ) -> Result<Vec<Vec<Hash>>, RedisStoreError> {
        let items = sids.iter().map(|sid| {
            let digest = digest_of(*sid);
            let mut item = vec![b'g'];
            item.extend(digest);
            (layout.shard_of_digest(digest), item)
        });
        let batches = self.batches(layout, Op::Index, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let answers = batches.arrays(answers)?.into_iter();
        answers.map(|answer| Ok(hashes(&answer::bytes(answer)?))).collect()
    }
}

/// A hash with a SID behind it.
fn read(line: &[u8]) -> Result<Indexed, RedisStoreError> {
    line.split_first_chunk()
        .and_then(|(hash, sid)| {
            Some(Indexed { sid: MessageSid::unpack(sid)?, hash: *hash, until: [0; 4] })
        })
        .ok_or(RedisStoreError::unreadable("a SID"))
}
