use std::collections::BTreeMap;

use crate::{CorrelationKey, MessageSid, Timestamp};

/// The messages that may go, by the time when they do: what is due is found
/// without a look at the rest, and a message has one place or none.
#[derive(Debug, Default)]
pub(super) struct ExpiryQueue {
    /// What gives way at a bound, too.
    evictable: BTreeMap<Place, Hint>,
    /// Dead letters: kept for a person until their time is over.
    dead: BTreeMap<Place, Hint>,
    next: u64,
}

/// Where a message stands in the queue; the number tells equal times apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(Timestamp, u64);

pub(super) type Hint = (CorrelationKey, MessageSid);

impl ExpiryQueue {
    pub(super) fn push(&mut self, at: Timestamp, hint: Hint) -> Place {
        let place = self.place(at);
        self.evictable.insert(place, hint);
        place
    }

    pub(super) fn push_dead(&mut self, at: Timestamp, hint: Hint) -> Place {
        let place = self.place(at);
        self.dead.insert(place, hint);
        place
    }

    fn place(&mut self, at: Timestamp) -> Place {
        self.next += 1;
        Place(at, self.next)
    }

    pub(super) fn remove(&mut self, place: Place) {
        if self.evictable.remove(&place).is_none() {
            self.dead.remove(&place);
        }
    }

    /// Takes out a message whose time is over.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Hint> {
        [&mut self.evictable, &mut self.dead].into_iter().find_map(|queue| {
            let first = queue.first_entry()?;
            (first.key().0 <= now).then(|| first.remove())
        })
    }

    /// Takes out the dead letter that has been dead for longest.
    pub(super) fn pop_oldest_dead(&mut self) -> Option<Hint> {
        self.dead.pop_first().map(|(_, hint)| hint)
    }

    /// Takes out the message that gives way first.
    pub(super) fn pop_oldest(&mut self) -> Option<Hint> {
        self.evictable.pop_first().map(|(_, hint)| hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_the_order_of_their_times_and_never_early() {
        let mut queue = ExpiryQueue::default();
        let hint = |n: u8| {
            let sid = format!("SM{n:032x}").parse().unwrap();
            (CorrelationKey::from_bytes([n; 16]), sid)
        };
        let at = Timestamp::from_millis;
        queue.push(at(2_500), hint(3));
        queue.push(at(1_200), hint(1));
        queue.push(at(1_200), hint(2));
        queue.push_dead(at(1_000), hint(4));
        let gone = queue.push(at(1), hint(5));
        queue.remove(gone);
        assert_eq!(queue.pop_due(at(999)), None);
        assert_eq!(queue.pop_oldest(), Some(hint(1)));
        assert_eq!(queue.pop_due(at(1_200)), Some(hint(2)));
        assert_eq!(queue.pop_due(at(1_200)), Some(hint(4)));
        assert_eq!(queue.pop_due(at(2_499)), None);
        assert_eq!(queue.pop_oldest(), Some(hint(3)));
        assert_eq!(queue.pop_oldest(), None);
    }
}
