use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use crate::{CorrelationKey, MessageSid, Timestamp};

/// The dead letters, by their SID and by the end of their time.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    by_sid: BTreeMap<MessageSid, (CorrelationKey, Timestamp)>,
    by_time: BTreeMap<(Timestamp, MessageSid), CorrelationKey>,
}

impl DeadLetters {
    pub(super) fn len(&self) -> usize {
        self.by_sid.len()
    }

    pub(super) fn insert(&mut self, sid: MessageSid, key: CorrelationKey, until: Timestamp) {
        self.remove(sid);
        self.by_sid.insert(sid, (key, until));
        self.by_time.insert((until, sid), key);
    }

    pub(super) fn remove(&mut self, sid: MessageSid) {
        if let Some((_, until)) = self.by_sid.remove(&sid) {
            self.by_time.remove(&(until, sid));
        }
    }

    /// Takes out the one that has been dead for longest; with `due`, if its time is over
    /// by then.
    pub(super) fn pop_first(
        &mut self,
        due: Option<Timestamp>,
    ) -> Option<(CorrelationKey, MessageSid)> {
        let first = self.by_time.first_entry()?;
        let (until, sid) = *first.key();
        if due.is_some_and(|due| until > due) {
            return None;
        }
        let key = first.remove();
        self.by_sid.remove(&sid);
        Some((key, sid))
    }

    /// Those behind `after`, in the order of their SIDs.
    pub(super) fn after(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Vec<(CorrelationKey, MessageSid)> {
        let behind = self.by_sid.range((after.map_or(Unbounded, Excluded), Unbounded));
        behind.take(limit).map(|(sid, (key, _))| (*key, *sid)).collect()
    }
}
