use std::fmt;

use sha2::{Digest, Sha256};

use crate::{CorrelationKey, MessageSid, store::Resolution};

/// How many shards there may be.
pub(super) const MAX_SHARDS: usize = 256;

/// The slots of a Redis Cluster.
const SLOTS: u16 = 16_384;

/// Where everything lies: the names of the keys, and which shard a message is in.
///
/// A shard is one hash tag, so that all its keys are in one slot of a cluster.
/// The tags are the first numbers whose slots lie evenly over all slots.
#[derive(Clone)]
pub(super) struct Layout {
    prefix: Box<str>,
    shards: Vec<Shard>,
}

/// The keys of a shard, in the order the scripts expect them.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) records: [String; 7],
    pub(super) index: [String; 2],
    pub(super) statuses: [String; 1],
    pub(super) notes: [String; 1],
}

impl Layout {
    pub(super) fn new(prefix: &str, shards: usize) -> Self {
        let tags = tags(shards);
        let shards = tags.into_iter().map(|tag| {
            let name = |kind: &str| format!("{prefix}:{{{tag}}}:{kind}");
            Shard {
                records: ["g", "q", "due", "age", "dead", "dead-by-time", "n"].map(name),
                index: ["i", "c"].map(name),
                statuses: ["t"].map(name),
                notes: ["note:"].map(name),
            }
        });
        Self { prefix: prefix.into(), shards: shards.collect() }
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn shard(&self, shard: usize) -> &Shard {
        &self.shards[shard]
    }

    pub(super) fn shard_of_key(&self, key: CorrelationKey) -> usize {
        self.shard_of_hash(hash(key))
    }

    pub(super) fn shard_of_hash(&self, hash: Hash) -> usize {
        usize::from(hash[0]) % self.shards.len()
    }

    pub(super) fn shard_of_digest(&self, digest: SidDigest) -> usize {
        usize::from(digest[0]) % self.shards.len()
    }

    /// The counters of a period.
    pub(super) fn rollups(&self, resolution: Resolution, number: i64) -> String {
        let letter = match resolution {
            Resolution::Hour => 'h',
            Resolution::Day => 'd',
        };
        format!("{}:{{report}}:{letter}{number}", self.prefix)
    }

    /// Which batch of a writer was added last.
    pub(super) fn rollup_writer(&self, writer: i64) -> String {
        format!("{}:{{report}}:w{writer}", self.prefix)
    }

    /// Names by number, numbers by name.
    pub(super) fn names(&self, what: &str) -> [String; 2] {
        let prefix = &self.prefix;
        [format!("{prefix}:{{{what}}}:names"), format!("{prefix}:{{{what}}}:numbers")]
    }
}

pub(super) fn meta(prefix: &str) -> String {
    format!("{prefix}:meta")
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layout")
            .field("prefix", &self.prefix)
            .field("shards", &self.shards.len())
            .finish()
    }
}

/// The part of a key that its shard, bucket and field come from.
pub(super) type Hash = [u8; 4];

pub(super) fn hash(key: CorrelationKey) -> Hash {
    let [a, b, c, d, ..] = *key.as_bytes();
    [a, b, c, d]
}

/// What stands for a SID in the index: SIDs themselves may be numbered.
pub(super) type SidDigest = [u8; 7];

pub(super) fn sid_digest(packed: &[u8]) -> SidDigest {
    let mut digest = [0; 7];
    digest.copy_from_slice(&Sha256::digest(packed)[..7]);
    digest
}

pub(super) fn digest_of(sid: MessageSid) -> SidDigest {
    sid_digest(&sid.pack())
}

/// The tag of each shard: the smallest number whose slot lies in the shard's own
/// part of the slots.
fn tags(shards: usize) -> Vec<u32> {
    let part = usize::from(SLOTS) / shards;
    let mut tags = vec![None; shards];
    let mut left = shards;
    for tag in 0_u32.. {
        let place = &mut tags[usize::from(slot(tag.to_string().as_bytes())) / part];
        if place.is_none() {
            *place = Some(tag);
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    tags.into_iter().flatten().collect()
}

/// CRC16 (XMODEM) of a hash tag, modulo the number of slots: what Redis Cluster does.
fn slot(tag: &[u8]) -> u16 {
    let crc = tag.iter().fold(0_u16, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
        crc
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // The check value of CRC16/XMODEM.
        assert_eq!(slot(b"123456789"), 0x31c3);
    }

    #[test]
    fn tags_lie_evenly_over_the_slots_and_never_change() {
        for shards in [1, 2, 16, 64, 256] {
            let tags = tags(shards);
            assert_eq!(tags.len(), shards);
            let part = usize::from(SLOTS) / shards;
            for (at, tag) in tags.iter().enumerate() {
                assert_eq!(usize::from(slot(tag.to_string().as_bytes())) / part, at);
            }
        }
        // Data at rest depends on them, and on which bytes lead to which.
        assert_eq!(tags(4), [3, 2, 1, 0]);
        let layout = Layout::new("p", 4);
        assert_eq!(layout.shard_of_hash([7; size_of::<Hash>()]), 3);
        assert_eq!(layout.shard_of_digest([6; size_of::<SidDigest>()]), 2);
    }
}
