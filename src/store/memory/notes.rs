use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::{
    CorrelationKey, CorrelationKeys, Timestamp,
    store::{Note, NoteOutcome},
};

/// More than an application has numbers, or gets replies in some months.
const MAX: usize = 100_000;

/// What is noted, bounded.
#[derive(Debug, Default)]
pub(super) struct Notes {
    by_key: HashMap<CorrelationKey, (Vec<u8>, Timestamp)>,
    by_end: BTreeSet<(Timestamp, [u8; 16])>,
}

impl Notes {
    pub(super) fn keep(&mut self, notes: &[Note]) -> Vec<NoteOutcome> {
        notes.iter().map(|note| self.keep_one(note)).collect()
    }

    fn keep_one(&mut self, note: &Note) -> NoteOutcome {
        let known = self.by_key.get(&note.key);
        let outcome = match known {
            Some((value, _)) if *value == note.value => NoteOutcome::Repeated,
            _ => NoteOutcome::Written,
        };
        let until = known.map_or(note.until, |(_, until)| note.until.max(*until));
        if let Some((_, until)) = known {
            self.by_end.remove(&(*until, *note.key.as_bytes()));
        } else if self.by_key.len() >= MAX {
            self.drop_first();
        }
        self.by_key.insert(note.key, (note.value.clone(), until));
        self.by_end.insert((until, *note.key.as_bytes()));
        outcome
    }

    pub(super) fn read(&self, keys: &[CorrelationKeys]) -> Vec<Option<Vec<u8>>> {
        let of = |keys: &CorrelationKeys| keys.iter().find_map(|key| self.by_key.get(&key));
        keys.iter().map(|keys| of(keys).map(|(value, _)| value.clone())).collect()
    }

    /// Drops up to `limit` whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp, limit: usize) {
        for _ in 0..limit {
            if self.by_end.first().is_none_or(|(until, _)| *until > now) {
                break;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((_, key)) = self.by_end.pop_first() {
            self.by_key.remove(&CorrelationKey::from_bytes(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_bounded_and_those_go_first_whose_time_is_over_first() {
        let mut notes = Notes::default();
        let key = |n: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            CorrelationKey::from_bytes(bytes)
        };
        let at = |n: usize| Timestamp::from_millis(i64::try_from(n).unwrap());
        for n in (0..MAX).rev() {
            notes.keep(&[Note::new(key(n), vec![1], at(n))]);
        }
        notes.keep(&[Note::new(key(0), vec![1], at(MAX)), Note::new(key(MAX), vec![1], at(MAX))]);
        let shown = notes.read(&[0, 1, 2, MAX].map(|n| key(n).into()));
        assert_eq!(shown, [Some(vec![1]), None, Some(vec![1]), Some(vec![1])]);
        notes.expire(at(MAX - 1), usize::MAX);
        assert_eq!((notes.by_key.len(), notes.by_end.len()), (2, 2));
    }
}
