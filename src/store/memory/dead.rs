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

/// Where a dead letter lies, and the end of its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeadLetter {
    pub(super) key: CorrelationKey,
    pub(super) sid: MessageSid,
    pub(super) until: Timestamp,
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

    /// Takes out the one that is kept until this time, if there still is such a one.
    pub(super) fn remove_until(&mut self, sid: MessageSid, until: Timestamp) -> bool {
        let is_there = self.by_time.remove(&(until, sid)).is_some();
        if is_there {
            self.by_sid.remove(&sid);
        }
        is_there
    }

    /// The one that has been dead for longest; with `due`, if its time is over by then.
    pub(super) fn first(&self, due: Option<Timestamp>) -> Option<DeadLetter> {
        let (&(until, sid), &key) = self.by_time.first_key_value()?;
        due.is_none_or(|due| until <= due).then_some(DeadLetter { key, sid, until })
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
