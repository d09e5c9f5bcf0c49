use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{
    AccountSid, BaseUrl,
    store::{Segment, TrackedMessage},
};

/// What many messages have in common, each once. What no message has any more is
/// dropped.
#[derive(Debug, Default)]
pub(super) struct Sources {
    held: Vec<Option<Held>>,
    ids: HashTable<SourceId>,
    free: Vec<SourceId>,
    last: SourceId,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Held {
    source: Source,
    messages: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) account: AccountSid,
    pub(super) base_url: BaseUrl,
    pub(super) segment: Segment,
}

/// A source, by its number in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SourceId(u16);

impl Source {
    fn is_of(&self, message: &TrackedMessage) -> bool {
        // The texts are shared, so that a comparison seldom looks at them.
        self.segment == message.segment
            && self.account == message.account
            && self.base_url == message.base_url
    }

    fn hash(&self, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one((&self.account, &self.segment))
    }
}

impl Sources {
    /// The number of the message's source, which has one more message now; `None` if
    /// there are too many sources.
    pub(super) fn take(&mut self, message: &TrackedMessage) -> Option<SourceId> {
        let id = self.find(message)?;
        self.held.get_mut(usize::from(id.0))?.as_mut()?.messages += 1;
        self.last = id;
        Some(id)
    }

    fn find(&mut self, message: &TrackedMessage) -> Option<SourceId> {
        let is = |id: SourceId| self.get(id).is_some_and(|source| source.is_of(message));
        if is(self.last) {
            return Some(self.last);
        }
        let hash = self.hasher.hash_one((&message.account, &message.segment));
        if let Some(id) = self.ids.find(hash, |id| is(*id)) {
            return Some(*id);
        }
        let source = Source {
            account: message.account,
            base_url: message.base_url.clone(),
            segment: message.segment.clone(),
        };
        let held = Some(Held { source, messages: 0 });
        let id = match self.free.pop() {
            Some(id) => {
                self.held[usize::from(id.0)] = held;
                id
            }
            None => {
                let id = SourceId(u16::try_from(self.held.len()).ok()?);
                self.held.push(held);
                id
            }
        };
        let Self { held, ids, hasher, .. } = self;
        ids.insert_unique(hash, id, |id| {
            held[usize::from(id.0)].as_ref().map_or(0, |held| held.source.hash(hasher))
        });
        Some(id)
    }

    /// One message less has this source.
    pub(super) fn give_back(&mut self, id: SourceId) {
        let Some(place) = self.held.get_mut(usize::from(id.0)) else { return };
        let Some(held) = place else { return };
        held.messages -= 1;
        if held.messages > 0 {
            return;
        }
        let hash = held.source.hash(&self.hasher);
        if let Ok(entry) = self.ids.find_entry(hash, |known| *known == id) {
            entry.remove();
        }
        *place = None;
        self.free.push(id);
    }

    pub(super) fn get(&self, id: SourceId) -> Option<&Source> {
        self.held.get(usize::from(id.0))?.as_ref().map(|held| &held.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CorrelationKey, Timestamp};

    #[test]
    fn what_many_have_in_common_is_there_once_and_goes_with_the_last() {
        let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let sid = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
        let (key, at) = (CorrelationKey::from_bytes([1; 16]), Timestamp::from_millis(0));
        let mut message = TrackedMessage::new(key, sid, account, BaseUrl::default(), at, at);
        let mut sources = Sources::default();
        for label in ["login", "payment", "login"] {
            message.segment = label.into();
            let id = sources.take(&message).unwrap();
            assert_eq!(sources.take(&message), Some(id));
            assert_eq!((sources.held.len(), sources.ids.len()), (1, 1));
            sources.give_back(id);
            assert_eq!(sources.get(id).unwrap().segment, message.segment);
            sources.give_back(id);
            assert!(sources.get(id).is_none());
            assert!(sources.ids.is_empty());
        }
    }
}
