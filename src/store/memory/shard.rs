use hashbrown::{HashMap, HashTable};

use super::{
    expiry::{Expiry, Queue, Slots},
    slot::{Extra, NONE, Progress, Slot},
    sources::{Source, Sources},
};
use crate::{
    CorrelationKey, MessageSid, MessageStatus, Timestamp,
    store::{LedgerEntry, LedgerStatus, SCHEDULED, TrackedMessage},
};

/// The messages whose keys lie together, each in a slot with a number.
#[derive(Debug)]
pub(super) struct Shard {
    slots: Vec<Slot>,
    /// The first of the free slots.
    free: u32,
    /// The newest message of each key.
    by_key: HashTable<u32>,
    /// Of messages that share their key with others.
    neighbours: HashMap<u32, Neighbours>,
    /// Boxed: the table stays small, and near.
    extras: HashMap<u32, Box<Extra>>,
    expiry: Expiry,
    sources: Sources,
    max_slots: u32,
}

/// The messages of the same key that were sent before and after.
#[derive(Debug, Clone, Copy)]
struct Neighbours {
    older: u32,
    newer: u32,
}

/// A hash of a key: it is a keyed hash itself.
pub(super) fn hash(key: CorrelationKey) -> u64 {
    let [low, high] = [0, 8].map(|from| {
        let mut half = [0; 8];
        half.copy_from_slice(&key.as_bytes()[from..from + 8]);
        u64::from_le_bytes(half)
    });
    // For keys that somebody has made up.
    (low ^ high.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Shard {
    pub(super) fn new(max_slots: u32) -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            by_key: HashTable::new(),
            neighbours: HashMap::new(),
            extras: HashMap::new(),
            expiry: Expiry::default(),
            sources: Sources::default(),
            max_slots,
        }
    }

    /// Puts a message in; `None` if there is no room.
    pub(super) fn insert(&mut self, message: &TrackedMessage, now: Timestamp) -> Option<u32> {
        let sid = message.sid.to_parts();
        let has_room = self.free != NONE || self.slots.len() < self.max_slots as usize;
        let source = if has_room { self.sources.take(message) } else { None }?;
        let slot = Slot::new(message.key, &sid, message.sent_at, source);
        let at = self.place(slot);
        if sid.upper != [0; 4] {
            self.change_extra(at, |extra| extra.upper = sid.upper);
        }
        self.link(at, message.key, message.sent_at);
        let is_scheduled = message.sent_at >= now + SCHEDULED;
        let queue = if is_scheduled { Queue::Others } else { Queue::Pending };
        self.expire_at(at, message.expires_at, queue);
        Some(at)
    }

    fn place(&mut self, slot: Slot) -> u32 {
        if self.free != NONE {
            let at = self.free;
            self.free = self.slots[at as usize].later;
            self.slots[at as usize] = slot;
            return at;
        }
        // By an eighth: doubling would leave a quarter of it unused.
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(self.slots.len() / 8 + 16);
        }
        self.slots.push(slot);
        (self.slots.len() - 1) as u32
    }

    /// Puts a new slot among those of its key.
    fn link(&mut self, at: u32, key: CorrelationKey, sent_at: Timestamp) {
        let hash = hash(key);
        let slots = &self.slots;
        let Ok(mut entry) = self.by_key.find_entry(hash, |at| slots[*at as usize].key() == key)
        else {
            self.by_key.insert_unique(hash, at, |at| self::hash(slots[*at as usize].key()));
            return;
        };
        let (mut newer, mut older) = (NONE, *entry.get());
        while older != NONE && self.slots[older as usize].sent_at() > sent_at {
            newer = older;
            older = older_than(&self.slots, &self.neighbours, older);
        }
        if newer == NONE {
            *entry.get_mut() = at;
        }
        self.neighbours.insert(at, Neighbours { older, newer });
        self.slots[at as usize].set_has_neighbours(true);
        self.change_neighbours(newer, |newer| newer.older = at);
        self.change_neighbours(older, |older| older.newer = at);
    }

    fn change_neighbours(&mut self, at: u32, change: impl FnOnce(&mut Neighbours)) {
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        let alone = Neighbours { older: NONE, newer: NONE };
        let neighbours = self.neighbours.entry(at).or_insert(alone);
        change(neighbours);
        let is_alone = neighbours.older == NONE && neighbours.newer == NONE;
        slot.set_has_neighbours(!is_alone);
        if is_alone {
            self.neighbours.remove(&at);
        }
    }

    fn unlink(&mut self, at: u32) {
        let slot = &self.slots[at as usize];
        let alone = Neighbours { older: NONE, newer: NONE };
        let neighbours = if slot.has_neighbours() { self.neighbours.remove(&at) } else { None };
        let Neighbours { older, newer } = neighbours.unwrap_or(alone);
        if newer == NONE {
            // It was the newest.
            if let Ok(mut entry) = self.by_key.find_entry(hash(slot.key()), |known| *known == at) {
                if older == NONE {
                    entry.remove();
                } else {
                    *entry.get_mut() = older;
                }
            }
        }
        self.change_neighbours(newer, |newer| newer.older = older);
        self.change_neighbours(older, |older| older.newer = newer);
    }

    fn extra(&self, at: u32) -> Option<&Extra> {
        let has_extra = self.slots[at as usize].has_extra();
        if has_extra { self.extras.get(&at).map(Box::as_ref) } else { None }
    }

    fn change_extra(&mut self, at: u32, change: impl FnOnce(&mut Extra)) {
        let extra = self.extras.entry(at).or_default();
        change(extra);
        let is_empty = extra.is_empty();
        self.slots[at as usize].set_has_extra(!is_empty);
        if is_empty {
            self.extras.remove(&at);
        }
    }

    /// The messages under a key, the newest first.
    pub(super) fn under(&self, key: CorrelationKey) -> impl Iterator<Item = u32> {
        let newest = self.by_key.find(hash(key), |at| self.slots[*at as usize].key() == key);
        std::iter::successors(newest.copied(), |at| {
            Some(older_than(&self.slots, &self.neighbours, *at)).filter(|older| *older != NONE)
        })
    }

    /// The message that an action confirms now: the newest that has been sent, or if
    /// none has, the newest that is scheduled.
    pub(super) fn newest(&self, key: CorrelationKey, now: Timestamp) -> Option<u32> {
        let horizon = now + SCHEDULED;
        let sent = self.under(key).find(|at| self.slots[*at as usize].sent_at() < horizon);
        sent.or_else(|| self.under(key).next())
    }

    /// The message `sid` under `key`.
    pub(super) fn find(&self, key: CorrelationKey, sid: MessageSid) -> Option<u32> {
        self.under(key).find(|at| self.sid(*at) == sid)
    }

    /// Whether this slot holds the message `sid`.
    pub(super) fn holds(&self, at: u32, sid: MessageSid) -> bool {
        self.slots.get(at as usize).is_some_and(Slot::is_live) && self.sid(at) == sid
    }

    pub(super) fn key(&self, at: u32) -> CorrelationKey {
        self.slots[at as usize].key()
    }

    pub(super) fn sid(&self, at: u32) -> MessageSid {
        self.slots[at as usize].sid(self.extra(at))
    }

    /// The digits of its SID, also of a message that is about to leave.
    pub(super) fn digits(&self, at: u32) -> &[u8; 16] {
        self.slots[at as usize].digits()
    }

    pub(super) fn source(&self, at: u32) -> Option<&Source> {
        self.sources.get(self.slots[at as usize].source)
    }

    pub(super) fn progress(&self, at: u32) -> Option<Progress> {
        self.extra(at)?.progress
    }

    pub(super) fn set_progress(&mut self, at: u32, progress: Progress) {
        self.change_extra(at, |extra| extra.progress = Some(progress));
    }

    pub(super) fn status(&self, at: u32) -> Option<MessageStatus> {
        self.slots[at as usize].status()
    }

    pub(super) fn set_status(&mut self, at: u32, status: MessageStatus, error_code: Option<u32>) {
        self.slots[at as usize].set_status(status);
        if error_code.is_some() || self.extra(at).is_some() {
            self.change_extra(at, |extra| extra.error_code = error_code);
        }
    }

    /// Has the message go at this time.
    pub(super) fn expire_at(&mut self, at: u32, time: Timestamp, queue: Queue) {
        self.keep(at);
        let slot = &mut self.slots[at as usize];
        let was_far = slot.is_far();
        let far = slot.set_expires_at(time);
        if was_far || far.is_some() {
            self.change_extra(at, |extra| extra.set_expires_at(far));
        }
        let queue = if far.is_some() { Queue::Others } else { queue };
        let mut slots = Slots { slots: &mut self.slots, extras: &self.extras };
        self.expiry.push(&mut slots, at, queue);
    }

    /// Lets the message stay for as long as nobody removes it.
    pub(super) fn keep(&mut self, at: u32) {
        let mut slots = Slots { slots: &mut self.slots, extras: &self.extras };
        self.expiry.remove(&mut slots, at);
    }

    /// The message that goes first, and when.
    pub(super) fn first(&self) -> Option<(Timestamp, u32)> {
        self.expiry.first()
    }

    /// Takes a message out. Its slot stays taken until it is given back, so that what
    /// still points there finds no other message.
    pub(super) fn remove(&mut self, at: u32) {
        self.keep(at);
        self.unlink(at);
        self.slots[at as usize].end_life();
    }

    /// The slot of a message that was removed is free.
    pub(super) fn give_back(&mut self, at: u32) {
        self.extras.remove(&at);
        self.sources.give_back(self.slots[at as usize].source);
        self.slots[at as usize] = Slot::free(self.free);
        self.free = at;
    }

    pub(super) fn ledger_entry(&self, at: u32) -> Option<LedgerEntry> {
        let (slot, extra) = (&self.slots[at as usize], self.extra(at));
        let Source { account, base_url, segment } = self.source(at)?.clone();
        let progress = extra.and_then(|extra| extra.progress);
        Some(LedgerEntry {
            key: slot.key(),
            sid: slot.sid(extra),
            account,
            base_url,
            sent_at: slot.sent_at(),
            segment,
            status: progress.map_or(LedgerStatus::Pending, |progress| progress.ledger_status()),
            message_status: slot.status(),
            error_code: extra.and_then(|extra| extra.error_code),
        })
    }
}

fn older_than(slots: &[Slot], neighbours: &HashMap<u32, Neighbours>, at: u32) -> u32 {
    if !slots[at as usize].has_neighbours() {
        return NONE;
    }
    neighbours.get(&at).map_or(NONE, |neighbours| neighbours.older)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::BaseUrl;

    #[derive(Debug, Clone)]
    enum Op {
        /// A message under one of a few keys, sent and over at these times.
        Insert {
            key: u8,
            sent_at: i64,
            lasts: i64,
            label: u8,
        },
        /// One of those that are there is confirmed, and kept.
        Keep(prop::sample::Index),
        /// It is delivered, and has this much time left.
        Deliver(prop::sample::Index, i64),
        Remove(prop::sample::Index),
        /// The one goes whose time is over first.
        RemoveFirst,
    }

    fn op() -> impl Strategy<Value = Op> {
        let lasts =
            prop_oneof![8 => Just(1_000), 1 => 0..5_000_i64, 1 => Just(1 << 40), 1 => -9..0_i64];
        let insert = (0..6_u8, 0..2_000_i64, lasts, 0..3_u8);
        prop_oneof![
            8 => insert.prop_map(|(key, sent_at, lasts, label)| Op::Insert { key, sent_at, lasts, label }),
            2 => any::<prop::sample::Index>().prop_map(Op::Keep),
            2 => (any::<prop::sample::Index>(), 0..3_000_i64).prop_map(|(at, left)| Op::Deliver(at, left)),
            1 => any::<prop::sample::Index>().prop_map(Op::Remove),
            3 => Just(Op::RemoveFirst),
        ]
    }

    /// What a shard ought to know of a message.
    #[derive(Debug, Clone)]
    struct Known {
        at: u32,
        message: TrackedMessage,
        expires_at: Option<Timestamp>,
    }

    fn message(number: u32, key: u8, sent_at: i64, lasts: i64, label: u8) -> TrackedMessage {
        // A letter of the SID in upper case now and then, and a message with a picture.
        let prefix = if number % 3 == 0 { "MM" } else { "SM" };
        let letter = if number % 5 == 0 { 'A' } else { 'a' };
        let sid = format!("{prefix}{letter}{number:031x}").parse().unwrap();
        let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let (sent_at, over) =
            (Timestamp::from_millis(sent_at), Timestamp::from_millis(sent_at + lasts));
        let key = CorrelationKey::from_bytes([key; 16]);
        let mut message = TrackedMessage::new(key, sid, account, BaseUrl::default(), sent_at, over);
        message.segment = format!("label {label}").as_str().into();
        message
    }

    #[test]
    fn it_has_so_many_places_and_uses_them_again() {
        let mut shard = Shard::new(2);
        let now = Timestamp::from_millis(1_000);
        let [one, two, three] = [1, 2, 3].map(|n| message(n, n as u8, 1_000, 1_000, 0));
        let gone = shard.insert(&one, now).unwrap();
        shard.insert(&two, now).unwrap();
        assert_eq!(shard.insert(&three, now), None);
        shard.remove(gone);
        assert_eq!(shard.insert(&three, now), None, "something may still point there");
        shard.give_back(gone);
        assert_eq!(shard.insert(&three, now), Some(gone));
        assert_eq!(shard.insert(&one, now), None);
    }

    proptest! {
        #[test]
        fn it_knows_what_was_put_in(ops in prop::collection::vec(op(), 0..80)) {
            let mut shard = Shard::new(1_000);
            let now = Timestamp::from_millis(1_000);
            let mut known: Vec<Known> = Vec::new();
            for (number, op) in (0..).zip(ops) {
                match op {
                    Op::Insert { key, sent_at, lasts, label } => {
                        let message = message(number, key, sent_at, lasts, label);
                        let at = shard.insert(&message, now).unwrap();
                        prop_assert!(known.iter().all(|known| known.at != at));
                        known.push(Known { at, expires_at: Some(message.expires_at), message });
                    }
                    Op::Keep(index) if !known.is_empty() => {
                        let kept = index.get(&known).at;
                        shard.keep(kept);
                        known.iter_mut().find(|known| known.at == kept).unwrap().expires_at = None;
                    }
                    Op::Deliver(index, left) if !known.is_empty() => {
                        let at = index.get(&known).at;
                        let over = now + Duration::from_millis(left as u64);
                        shard.expire_at(at, over, Queue::Delivered);
                        known.iter_mut().find(|known| known.at == at).unwrap().expires_at = Some(over);
                    }
                    Op::Remove(index) if !known.is_empty() => {
                        let gone = known.remove(index.index(known.len()));
                        shard.remove(gone.at);
                        prop_assert!(!shard.holds(gone.at, gone.message.sid));
                        shard.give_back(gone.at);
                    }
                    Op::RemoveFirst => {
                        let first = known.iter().filter_map(|known| known.expires_at).min();
                        prop_assert_eq!(shard.first().map(|(time, _)| time), first);
                        if let Some((time, at)) = shard.first() {
                            let found = known.iter().position(|known| known.at == at).unwrap();
                            prop_assert_eq!(known.remove(found).expires_at, Some(time));
                            shard.remove(at);
                            shard.give_back(at);
                        }
                    }
                    Op::Keep(_) | Op::Deliver(..) | Op::Remove(_) => {}
                }
                for key in (0..6).map(|key| CorrelationKey::from_bytes([key; 16])) {
                    let mut under: Vec<_> =
                        known.iter().filter(|known| known.message.key == key).collect();
                    // Of two that were sent at once, the later one is the newer.
                    under.sort_by_key(|known| known.message.sent_at);
                    let expected: Vec<u32> = under.iter().rev().map(|known| known.at).collect();
                    prop_assert_eq!(shard.under(key).collect::<Vec<_>>(), expected);
                }
                for Known { at, message, .. } in &known {
                    let entry = shard.ledger_entry(*at).unwrap();
                    prop_assert_eq!((entry.sid, entry.sent_at), (message.sid, message.sent_at));
                    prop_assert_eq!(&entry.segment, &message.segment);
                    prop_assert_eq!(shard.find(message.key, message.sid), Some(*at));
                }
            }
        }
    }
}
