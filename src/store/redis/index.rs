//! Which hash the key of a SID has.
//!
//! It lies in the SID's own shard, which is another than the key's, so that what
//! concerns both takes two steps. A SID is claimed first and recorded then, and
//! whatever the index leads to is looked at before it is believed: a claim whose
//! record never came does no harm. Another hash may take such a claim over; then
//! it fences the first one off in that one's own shard, so that a record that is
//! still on its way is refused there.

use super::{
    BATCH, RedisStore, RedisStoreError, answer,
    layout::{Hash, Layout, SidDigest, digest_of},
    packed::Reader,
    record::ATTEMPTS,
    script::Op,
};
use crate::{MessageSid, Timestamp, store::TrackedMessage};

/// What the index says of a SID.
pub(super) struct Claim {
    /// It rises with every claim of its shard that is repeated, taken over or about
    /// to be removed.
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

/// Which record is to be kept out, as long as its claim has a lower number.
struct Fence {
    sid: MessageSid,
    hash: Hash,
    number: [u8; 6],
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
        let items = lines.iter().map(|line| item(letter, line, &line.until));
        self.index_items(layout, items).await
    }

    async fn index_items(
        &self,
        layout: &Layout,
        items: impl Iterator<Item = (SidDigest, Vec<u8>)>,
    ) -> Result<Vec<Claim>, RedisStoreError> {
        let items = items.map(|(digest, item)| (layout.shard_of_digest(digest), item));
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

    /// Removes the lines of `hash and SID`, but for those that lead to what was
    /// recorded anew.
    pub(super) async fn unindex(
        &self,
        layout: &Layout,
        gone: &[Vec<u8>],
    ) -> Result<(), RedisStoreError> {
        // No more than one call gets of a shard: each call raises its number.
        for gone in gone.chunks(BATCH) {
            let mut lines = read(gone)?;
            // A line that leads nowhere does no harm, and ends by itself.
            for _ in 0..ATTEMPTS {
                lines = self.remove(layout, lines).await?;
                if lines.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Removes lines; answers those that somebody claimed meanwhile.
    ///
    /// A record that is under way may count on its line. It is fenced off first,
    /// unless it has come already; one that claims the line later raises the number.
    async fn remove(
        &self,
        layout: &Layout,
        lines: Vec<Indexed>,
    ) -> Result<Vec<Indexed>, RedisStoreError> {
        let claims = self.index(layout, b'x', &lines).await?;
        let numbered: Vec<_> =
            lines.into_iter().zip(claims).map(|(line, claim)| (line, claim.number)).collect();
        let fences = numbered.iter().map(|(line, number)| Fence {
            sid: line.sid,
            hash: line.hash,
            number: *number,
        });
        let mut fenced = self.fence(layout, fences).await?.into_iter();
        let mut unused = numbered;
        unused.retain(|_| fenced.next() == Some(true));
        let items = unused.iter().map(|(line, number)| item(b'd', line, number));
        let now = self.index_items(layout, items).await?;
        let claimed = |((line, number), claim): ((Indexed, [u8; 6]), Claim)| {
            (claim.number != number).then_some(line)
        };
        Ok(unused.into_iter().zip(now).filter_map(claimed).collect())
    }

    /// Keeps records out whose claim has a lower number; answers for each whether
    /// it is kept out, or was there already.
    async fn fence(
        &self,
        layout: &Layout,
        fences: impl IntoIterator<Item = Fence>,
    ) -> Result<Vec<bool>, RedisStoreError> {
        let items = fences.into_iter().map(|fence| {
            let item = [&fence.hash[..], &fence.number, &fence.sid.pack()].concat();
            (layout.shard_of_hash(fence.hash), item)
        });
        let batches = self.batches(layout, Op::Fence, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        Ok(batches.letters(answers)?.0.into_iter().map(|letter| letter == b'F').collect())
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
        let (mut rivals, mut fences) = (Vec::new(), Vec::new());
        for ((at, own), claim) in
            open.iter().zip(&lines).zip(self.index(layout, b't', &lines).await?)
        {
            for hash in claim.hashes.into_iter().filter(|hash| *hash != own.hash) {
                rivals.push((*at, hash));
                fences.push(Fence { sid: sid(*at), hash, number: claim.number });
            }
            decided[*at] = Some(Contest::Won(claim.number));
        }
        let mut given_back = Vec::new();
        for ((at, hash), fenced) in rivals.into_iter().zip(self.fence(layout, fences).await?) {
            if !fenced {
                // Recorded between the look and the fence.
                given_back.push(Indexed { hash, ..line(&messages[others[at].0]) });
                decided[at] = Some(Contest::Here(hash));
            }
        }
        self.index(layout, b't', &given_back).await?;
        decided.into_iter().collect::<Option<_>>().ok_or(RedisStoreError::contended())
    }
}

/// What the index is asked about a line.
fn item(letter: u8, line: &Indexed, more: &[u8]) -> (SidDigest, Vec<u8>) {
    let digest = digest_of(line.sid);
    (digest, [&[letter][..], &digest, &line.hash, more].concat())
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
