use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::{
    lock,
    shard::Shard,
    shards::{Location, Shards},
    slot::Progress,
};
use crate::{
    CorrelationKey, MessageSid, Timestamp,
    store::{RecordOutcome, TrackedMessage},
    sync::{
        HashState, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// The messages, found by their key and by their SID.
///
/// They lie in shards by their key. The index by SID is sharded, too: its lock is taken
/// before that of a shard, and no two of a kind at once. A message that leaves its shard
/// gives its slot back only when the index has let go of it, so that what the index
/// names is always the message that it means, or none.
#[derive(Debug)]
pub(super) struct Messages {
    shards: Shards,
    by_sid: Box<[Mutex<HashTable<Location>>]>,
    hasher: HashState,
    count: AtomicUsize,
    max: usize,
}

/// A message that was removed.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) progress: Option<Progress>,
}

/// There are as many messages as may be.
pub(super) struct AtTheBound;

impl Messages {
    pub(super) fn new(max: usize) -> Self {
        let shards = Shards::new(max);
        let by_sid = (0..shards.len()).map(|_| Mutex::default()).collect();
        Self { shards, by_sid, hasher: HashState::default(), count: AtomicUsize::new(0), max }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// The hash of a SID, and the part of the index that it belongs to. The letter case
    /// does not matter: two SIDs that differ in it alone are told apart where they lie.
    fn hash(&self, digits: &[u8; 16]) -> (u64, &Mutex<HashTable<Location>>) {
        let hash = self.hasher.hash_one(u128::from_ne_bytes(*digits));
        (hash, &self.by_sid[(hash >> 40) as usize & (self.by_sid.len() - 1)])
    }

    pub(super) fn insert(
        &self,
        message: &TrackedMessage,
        now: Timestamp,
    ) -> Result<RecordOutcome, AtTheBound> {
        let key = |shard: &mut Shard, at| shard.key(at);
        let (outcome, held_under) = self.insert_and(message, now, key)?;
        Ok(match held_under {
            Some(key) if key != message.key => RecordOutcome::OtherId,
            _ => outcome,
        })
    }

    /// Puts a message in, unless it is there, and looks at it, or changes it, before anybody
    /// else does; nothing, if there is no room.
    pub(super) fn insert_and<R>(
        &self,
        message: &TrackedMessage,
        now: Timestamp,
        mut work: impl FnMut(&mut Shard, u32) -> R,
    ) -> Result<(RecordOutcome, Option<R>), AtTheBound> {
        let (hash, locations) = self.hash(&message.sid.to_parts().digits);
        let mut locations = lock(locations);
        if let Some(done) = self.with_location(&locations, hash, message.sid, &mut work) {
            return Ok((RecordOutcome::AlreadyPresent, Some(done)));
        }
        if self.count.fetch_add(1, Relaxed) >= self.max {
            self.count.fetch_sub(1, Relaxed);
            return Err(AtTheBound);
        }
        let index = self.shards.index_of(message.key);
        let inserted = self.shards.with(index, |shard| {
            let at = shard.insert(message, now)?;
            Some((at, work(shard, at)))
        });
        let Some((at, done)) = inserted else {
            self.count.fetch_sub(1, Relaxed);
            return Ok((RecordOutcome::Full, None));
        };
        locations.insert_unique(hash, self.shards.location(index, at), |location| {
            let (index, at) = self.shards.place(*location);
            self.shards.with(index, |shard| self.hash(shard.digits(at)).0)
        });
        Ok((RecordOutcome::Inserted, Some(done)))
    }

    /// Looks at the shard of a key, or changes it, but for what is in it.
    pub(super) fn with_key<R>(&self, key: CorrelationKey, work: impl FnOnce(&mut Shard) -> R) -> R {
        self.shards.with(self.shards.index_of(key), work)
    }

    /// Looks at a message, or changes it.
    pub(super) fn with_sid<R>(
        &self,
        sid: MessageSid,
        work: impl FnOnce(&mut Shard, u32) -> R,
    ) -> Option<R> {
        let (hash, locations) = self.hash(&sid.to_parts().digits);
        self.with_location(&lock(locations), hash, sid, work)
    }

    fn with_location<R>(
        &self,
        locations: &HashTable<Location>,
        hash: u64,
        sid: MessageSid,
        work: impl FnOnce(&mut Shard, u32) -> R,
    ) -> Option<R> {
        let mut work = Some(work);
        locations.iter_hash(hash).find_map(|location| {
            let (index, at) = self.shards.place(*location);
            self.shards.with(index, |shard| {
                let work = if shard.holds(at, sid) { work.take() } else { None }?;
                Some(work(shard, at))
            })
        })
    }

    /// Removes the message of a key's shard that `choose` names.
    pub(super) fn remove(
        &self,
        key: CorrelationKey,
        choose: impl FnOnce(&mut Shard) -> Option<u32>,
    ) -> Option<Removed> {
        self.remove_from(self.shards.index_of(key), choose)
    }

    /// Removes the message that goes first.
    pub(super) fn remove_first(&self) -> Option<Removed> {
        loop {
            let index = self.shards.earliest()?;
            // Unless another thread was quicker.
            if let Some(removed) = self.remove_from(index, |shard| Some(shard.first()?.1)) {
                return Some(removed);
            }
        }
    }

    /// Removes up to `limit` messages that may go by now; answers how many.
    pub(super) fn remove_due(&self, now: Timestamp, limit: usize) -> usize {
        let mut removed = 0;
        for index in 0..self.shards.len() {
            while removed < limit && self.shards.is_due(index, now) {
                let due = |shard: &mut Shard| shard.first().filter(|(at, _)| *at <= now);
                if self.remove_from(index, |shard| Some(due(shard)?.1)).is_none() {
                    break;
                }
                removed += 1;
            }
        }
        removed
    }

    fn remove_from(
        &self,
        index: usize,
        choose: impl FnOnce(&mut Shard) -> Option<u32>,
    ) -> Option<Removed> {
        let (at, digits, removed) = self.shards.with(index, |shard| {
            let at = choose(shard)?;
            let removed = Removed { progress: shard.progress(at) };
            shard.remove(at);
            Some((at, *shard.digits(at), removed))
        })?;
        let gone = self.shards.location(index, at);
        let (hash, locations) = self.hash(&digits);
        if let Ok(entry) = lock(locations).find_entry(hash, |location| *location == gone) {
            entry.remove();
        }
        self.shards.with(index, |shard| shard.give_back(at));
        self.count.fetch_sub(1, Relaxed);
        Some(removed)
    }
}
