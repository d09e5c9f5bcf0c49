use std::collections::{BTreeMap, VecDeque};

use crate::{CorrelationKey, MessageSid, Timestamp};

/// When which message may go, in buckets of a second: what is due is found
/// without a look at the rest.
///
/// An item is a hint. The message itself knows when its time is over; a hint
/// that is outdated is dropped or put back where it belongs.
#[derive(Debug, Default)]
pub(super) struct ExpiryQueue {
    buckets: BTreeMap<i64, VecDeque<Hint>>,
}

pub(super) type Hint = (CorrelationKey, MessageSid);

impl ExpiryQueue {
    pub(super) fn push(&mut self, at: Timestamp, hint: Hint) {
        // Rounded up: nothing goes before its time.
        let bucket = at.as_millis().div_euclid(1000).saturating_add(1);
        self.buckets.entry(bucket).or_default().push_back(hint);
    }

    /// The next hint whose time is over.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Hint> {
        let bucket = *self.buckets.first_key_value()?.0;
        if bucket > now.as_millis().div_euclid(1000) {
            return None;
        }
        self.pop_oldest()
    }

    /// The next hint, whether or not its time is over.
    pub(super) fn pop_oldest(&mut self) -> Option<Hint> {
        let mut bucket = self.buckets.first_entry()?;
        let hint = bucket.get_mut().pop_front();
        if bucket.get().is_empty() {
            bucket.remove();
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_come_in_the_order_of_their_seconds_and_never_early() {
        let mut queue = ExpiryQueue::default();
        let hint = |n: u8| {
            let sid = format!("SM{n:032x}").parse().unwrap();
            (CorrelationKey::from_bytes([n; 16]), sid)
        };
        let at = Timestamp::from_millis;
        queue.push(at(2_500), hint(2));
        queue.push(at(1_200), hint(1));
        assert_eq!(queue.pop_due(at(1_999)), None);
        assert_eq!(queue.pop_due(at(2_000)), Some(hint(1)));
        assert_eq!(queue.pop_due(at(2_999)), None);
        assert_eq!(queue.pop_oldest(), Some(hint(2)));
        assert_eq!(queue.pop_oldest(), None);
    }
}
