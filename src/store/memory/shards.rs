use super::{
    lock,
    shard::{Shard, hash},
};
use crate::{
    CorrelationKey, Timestamp,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

/// The shards, whose guards never leave them: each lock lasts as long as one closure, so
/// none is ever held over an await.
#[derive(Debug)]
pub(super) struct Shards {
    shards: Box<[Mutex<Shard>]>,
    /// When the first message of each shard may go, so that nobody has to ask them all.
    first_at: Box<[AtomicI64]>,
    slot_bits: u32,
}

/// A slot of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location(u32);

/// Messages of a shard at most, if they are spread evenly. So few that a table of them
/// grows within a few milliseconds.
const OF_A_SHARD: usize = 16 * 1024;
/// Where threads are tried out, each is looked at too often.
const FEWEST: usize = if cfg!(message_feedback_shuttle) { 2 } else { 16 };
const NOTHING: i64 = i64::MAX;

impl Shards {
    pub(super) fn new(max_messages: usize) -> Self {
        let count = (max_messages / OF_A_SHARD).clamp(FEWEST, 1024).next_power_of_two();
        let slot_bits = u32::BITS - count.trailing_zeros();
        // One less, so that no location is the number of no slot.
        let max_slots = (1_u32 << slot_bits) - 1;
        Self {
            shards: (0..count).map(|_| Mutex::new(Shard::new(max_slots))).collect(),
            first_at: (0..count).map(|_| AtomicI64::new(NOTHING)).collect(),
            slot_bits,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn index_of(&self, key: CorrelationKey) -> usize {
        // A table goes by the first and the last bits.
        (hash(key) >> 40) as usize & (self.shards.len() - 1)
    }

    /// Looks at a shard, or changes it.
    pub(super) fn with<R>(&self, index: usize, work: impl FnOnce(&mut Shard) -> R) -> R {
        let mut shard = lock(&self.shards[index]);
        let result = work(&mut shard);
        let first = shard.first().map_or(NOTHING, |(at, _)| at.as_millis().min(NOTHING - 1));
        // Written only when it differs: other threads read those beside it.
        if self.first_at[index].load(Relaxed) != first {
            self.first_at[index].store(first, Relaxed);
        }
        result
    }

    pub(super) fn location(&self, index: usize, at: u32) -> Location {
        Location((index as u32) << self.slot_bits | at)
    }

    /// The shard and the slot.
    pub(super) fn place(&self, location: Location) -> (usize, u32) {
        let at = location.0 & ((1 << self.slot_bits) - 1);
        ((location.0 >> self.slot_bits) as usize, at)
    }

    /// The shard whose first message goes before those of all others.
    pub(super) fn earliest(&self) -> Option<usize> {
        let first_at = self.first_at.iter().map(|at| at.load(Relaxed));
        let (index, at) = first_at.enumerate().min_by_key(|(_, at)| *at)?;
        (at != NOTHING).then_some(index)
    }

    /// Whether a message of the shard may go by now.
    pub(super) fn is_due(&self, index: usize, now: Timestamp) -> bool {
        self.first_at[index].load(Relaxed) <= now.as_millis().min(NOTHING - 1)
    }
}
