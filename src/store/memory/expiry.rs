use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::slot::{Extra, NONE, Slot};
use crate::Timestamp;

/// The messages of a shard that may go, by the time when they do: what is due is found
/// without a look at the rest.
///
/// Nearly all expire in the order in which they come, so that each stands at the end of
/// a list when it does: no tree knows it, and it is moved by its neighbours alone.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    pending: List,
    delivered: List,
    /// Those out of their turn: scheduled, or imported.
    others: BTreeSet<(Timestamp, u32)>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// It may not go by itself.
    None = 0,
    Pending = 1,
    Delivered = 2,
    Others = 3,
}

impl Queue {
    pub(super) const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Pending,
            2 => Self::Delivered,
            3 => Self::Others,
            _ => Self::None,
        }
    }
}

#[derive(Debug)]
struct List {
    first: u32,
    last: u32,
    /// The time of the first, which may lie far away.
    first_at: Timestamp,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NONE, last: NONE, first_at: Timestamp::from_millis(0) }
    }
}

/// The slots of a shard, and what stands beside them.
pub(super) struct Slots<'a> {
    pub(super) slots: &'a mut [Slot],
    pub(super) extras: &'a HashMap<u32, Box<Extra>>,
}

impl Slots<'_> {
    fn expires_at(&self, at: u32) -> Timestamp {
        let slot = &self.slots[at as usize];
        let extra = if slot.is_far() { self.extras.get(&at) } else { None };
        slot.expires_at(extra.map(Box::as_ref))
    }

    fn slot(&mut self, at: u32) -> Option<&mut Slot> {
        self.slots.get_mut(at as usize)
    }
}

impl Expiry {
    /// Puts a message in, whose time is set. `queue` is where those like it stand.
    pub(super) fn push(&mut self, slots: &mut Slots<'_>, at: u32, queue: Queue) {
        let time = slots.expires_at(at);
        let queue = match queue {
            Queue::Pending if self.pending.push(slots, at, time) => queue,
            Queue::Delivered if self.delivered.push(slots, at, time) => queue,
            Queue::None => queue,
            Queue::Pending | Queue::Delivered | Queue::Others => {
                self.others.insert((time, at));
                Queue::Others
            }
        };
        slots.slots[at as usize].set_queue(queue);
    }

    /// Takes a message out, wherever it stands.
    pub(super) fn remove(&mut self, slots: &mut Slots<'_>, at: u32) {
        match slots.slots[at as usize].queue() {
            Queue::None => return,
            Queue::Pending => self.pending.remove(slots, at),
            Queue::Delivered => self.delivered.remove(slots, at),
            Queue::Others => {
                self.others.remove(&(slots.expires_at(at), at));
            }
        }
        slots.slots[at as usize].set_queue(Queue::None);
    }

    /// The message that goes first, and when.
    pub(super) fn first(&self) -> Option<(Timestamp, u32)> {
        let lists = [&self.pending, &self.delivered].into_iter().filter(|list| list.first != NONE);
        let lists = lists.map(|list| (list.first_at, list.first));
        lists.chain(self.others.first().copied()).min_by_key(|(time, _)| *time)
    }
}

impl List {
    /// Puts a message near the end of the list; answers whether it belongs there.
    fn push(&mut self, slots: &mut Slots<'_>, at: u32, time: Timestamp) -> bool {
        /// Times of other threads and of clocks that were set back differ a little.
        const NEAR: usize = 16;
        let mut earlier = self.last;
        let mut passed = 0;
        while earlier != NONE && slots.expires_at(earlier) > time {
            if passed == NEAR {
                return false;
            }
            passed += 1;
            earlier = slots.slots[earlier as usize].earlier;
        }
        let later = slots.slot(earlier).map_or(self.first, |slot| slot.later);
        let slot = &mut slots.slots[at as usize];
        (slot.earlier, slot.later) = (earlier, later);
        self.link(slots, earlier, later, [at; 2]);
        true
    }

    fn remove(&mut self, slots: &mut Slots<'_>, at: u32) {
        let slot = &mut slots.slots[at as usize];
        let (earlier, later) = (slot.earlier, slot.later);
        (slot.earlier, slot.later) = (NONE, NONE);
        self.link(slots, earlier, later, [later, earlier]);
    }

    /// What stands behind `earlier` and before `later` from now on.
    fn link(
        &mut self,
        slots: &mut Slots<'_>,
        earlier: u32,
        later: u32,
        [next, previous]: [u32; 2],
    ) {
        match slots.slot(earlier) {
            Some(earlier) => earlier.later = next,
            None => {
                self.first = next;
                if next != NONE {
                    self.first_at = slots.expires_at(next);
                }
            }
        }
        match slots.slot(later) {
            Some(later) => later.earlier = previous,
            None => self.last = previous,
        }
    }
}
