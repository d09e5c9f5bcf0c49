//! Which hash the key of a SID has.
//!
//! It lies in the SID's own shard, which is another than the key's, so that what
//! concerns both takes two steps. A SID is claimed first and recorded then, and
//! whatever the index leads to is looked at before it is believed: a claim whose
//! record never came does no harm. Another hash may take such a claim over; then
//! it fences the first one off in that one's own shard, so that a record that is
//! still on its way is refused there.

use super::{
    RedisStore, RedisStoreError, answer,
    layout::{Hash, Layout, digest_of},
    packed::Reader,
    script::Op,
};
use crate::{MessageSid, Timestamp, store::TrackedMessage};

/// What the index says of a SID.
pub(super) struct Claim {
    /// How many claims had been taken over in its shard.
    pub(super) number: [u8; 6],
    /// Who claims it; the last has it.
    pub(super) hashes: Vec<Hash>,
}

/// One line for the index.
pub(super) struct Indexed {
    pub(super) sid: MessageSid,
    pub(super) hash: Hash,
    /// Until when, in seconds.
    pub(super) until: [u8; 4],
}

/// What becomes of a message whose SID another hash has.
pub(super) enum Contest {
    /// It is recorded there.
    Here(Hash),
    /// It is recorded nowhere, and will not be there: the claim, with this number,
    /// is the message's own now.
    Won([u8; 6]),
}

impl Indexed {
    pub(super) fn new(sid: MessageSid, hash: Hash, until: Timestamp) -> Self {
        Self { sid, hash, until: super::packed::seconds(until) }
    }
}

impl RedisStore {
    async fn index(
        &self,
        layout: &Layout,
        letter: u8,
        lines: &[Indexed],
    ) -> Result<Vec<Claim>, RedisStoreError> {
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
        batches
            .arrays(answers)?
            .into_iter()
            .map(|answer| {
                let answer = answer::bytes(answer)?;
                let mut reader = Reader(&answer);
                let number =
                    reader.take().ok_or(RedisStoreError::unreadable("a line of the index"))?;
                let mut hashes = Vec::with_capacity(1);
                while let Some(hash) = reader.take() {
                    hashes.push(hash);
                }
                Ok(Claim { number, hashes })
            })
            .collect()
    }

    /// Claims SIDs; who comes first has them.
    pub(super) async fn claim(
        &self,
        layout: &Layout,
        lines: &[Indexed],
    ) -> Result<Vec<Claim>, RedisStoreError> {
        self.index(layout, b'c', lines).await
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
        self.index(layout, b'l', &read(queued)?).await.map(drop)
    }

    /// Removes the lines of `hash and SID`, but for those of what was recorded anew
    /// meanwhile.
    pub(super) async fn unindex(
        &self,
        layout: &Layout,
        gone: &[Vec<u8>],
    ) -> Result<(), RedisStoreError> {
        let mut lines = read(gone)?;
        self.index(layout, b'd', &lines).await?;
        let wanted: Vec<_> = lines.iter().map(|line| (line.hash, line.sid)).collect();
        let mut found = self.find_sids(layout, &wanted).await?.into_iter();
        lines.retain(|_| found.next().flatten().is_some());
        self.index(layout, b'l', &lines).await.map(drop)
    }

    /// Where each of the SIDs may be.
    pub(super) async fn hashes_of(
        &self,
        layout: &Layout,
        sids: &[MessageSid],
    ) -> Result<Vec<Vec<Hash>>, RedisStoreError> {
        let lines: Vec<Indexed> =
            sids.iter().map(|sid| Indexed { sid: *sid, hash: [0; 4], until: [0; 4] }).collect();
        let claims = self.index(layout, b'g', &lines).await?;
        Ok(claims.into_iter().map(|claim| claim.hashes).collect())
    }

    /// Decides about messages whose SIDs other hashes claim.
    pub(super) async fn contest(
        &self,
        layout: &Layout,
        messages: &[TrackedMessage],
        others: &[(usize, Vec<Hash>)],
    ) -> Result<Vec<Contest>, RedisStoreError> {
        let pairs: Vec<(usize, Hash)> = others
            .iter()
            .enumerate()
            .flat_map(|(at, (_, hashes))| hashes.iter().map(move |hash| (at, *hash)))
            .collect();
        let sid = |at: usize| messages[others[at].0].sid;
        let mut decided: Vec<Option<Contest>> = others.iter().map(|_| None).collect();
        let wanted: Vec<_> = pairs.iter().map(|(at, hash)| (*hash, sid(*at))).collect();
        for ((at, hash), found) in pairs.iter().zip(self.find_sids(layout, &wanted).await?) {
            if found.is_some() {
                decided[*at] = Some(Contest::Here(*hash));
            }
        }
        let open: Vec<usize> = (0..others.len()).filter(|at| decided[*at].is_none()).collect();
        let lines: Vec<Indexed> = open.iter().map(|at| line(&messages[others[*at].0])).collect();
        // Whoever claims it by now is fenced off.
        let mut fenced: Vec<(usize, Hash, [u8; 6])> = Vec::new();
        for ((at, own), claim) in
            open.iter().zip(&lines).zip(self.index(layout, b't', &lines).await?)
        {
            let others = claim.hashes.into_iter().filter(|hash| *hash != own.hash);
            fenced.extend(others.map(|hash| (*at, hash, claim.number)));
            decided[*at] = Some(Contest::Won(claim.number));
        }
        let items = fenced.iter().map(|(at, hash, number)| {
            let item = [&hash[..], number, &sid(*at).pack()].concat();
            (layout.shard_of_hash(*hash), item)
        });
        let batches = self.batches(layout, Op::Fence, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let mut given_back = Vec::new();
        for ((at, hash, _), letter) in fenced.into_iter().zip(batches.letters(answers)?.0) {
            if letter == b'P' {
                // Recorded between the look and the fence.
                given_back.push(Indexed { hash, ..line(&messages[others[at].0]) });
                decided[at] = Some(Contest::Here(hash));
            }
        }
        self.index(layout, b't', &given_back).await?;
        decided.into_iter().collect::<Option<_>>().ok_or(RedisStoreError::contended())
    }
}

/// The line of a message.
pub(super) fn line(message: &TrackedMessage) -> Indexed {
    Indexed::new(message.sid, super::layout::hash(message.key), message.expires_at)
}

/// Hashes with a SID behind each.
fn read(lines: &[Vec<u8>]) -> Result<Vec<Indexed>, RedisStoreError> {
    lines
        .iter()
        .map(|line| {
            let (hash, sid) = line.split_first_chunk()?;
            Some(Indexed { sid: MessageSid::unpack(sid)?, hash: *hash, until: [0; 4] })
        })
        .collect::<Option<_>>()
        .ok_or(RedisStoreError::unreadable("a SID"))
}
