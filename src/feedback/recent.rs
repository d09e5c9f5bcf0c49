use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use crate::CorrelationKey;

/// The ids of recent sends that were not tagged, and why: bounded, the oldest
/// first to give way. So a confirm of one can be told from a confirm of nothing.
#[derive(Debug)]
pub(crate) struct RecentUntagged {
    state: Mutex<State>,
    max: usize,
}

#[derive(Debug, Default)]
struct State {
    sends: HashMap<CorrelationKey, Untagged>,
    order: VecDeque<CorrelationKey>,
}

/// Why a send with an id was not tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untagged {
    /// The mode was [`Mode::Observe`](crate::Mode::Observe).
    Observed,
    /// The application, its veto, or a digest stood against it.
    NotTagged,
}

impl RecentUntagged {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    pub(crate) fn insert(&self, key: CorrelationKey, why: Untagged) {
        if self.max == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sends.insert(key, why).is_some() {
            return;
        }
        state.order.push_back(key);
        while state.order.len() > self.max {
            if let Some(oldest) = state.order.pop_front() {
                state.sends.remove(&oldest);
            }
        }
    }

    /// Whether the last send under one of `keys` was not tagged, and why.
    pub(super) fn get(&self, keys: impl Iterator<Item = CorrelationKey>) -> Option<Untagged> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        keys.into_iter().find_map(|key| state.sends.get(&key).copied())
    }

    /// The id has been sent again, tagged, or is to be forgotten.
    pub(crate) fn remove(&self, key: CorrelationKey) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sends.remove(&key).is_some() {
            state.order.retain(|known| *known != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_the_oldest_goes_first() {
        let recent = RecentUntagged::new(2);
        let key = |n: u8| CorrelationKey::from_bytes([n; 16]);
        for n in [1, 1, 2, 3] {
            recent.insert(key(n), Untagged::Observed);
        }
        assert_eq!(recent.get([key(1)].into_iter()), None);
        assert_eq!(recent.get([key(9), key(2)].into_iter()), Some(Untagged::Observed));
        recent.insert(key(2), Untagged::NotTagged);
        assert_eq!(recent.get([key(2)].into_iter()), Some(Untagged::NotTagged));
        recent.remove(key(2));
        assert_eq!(recent.get([key(2)].into_iter()), None);
        assert_eq!(recent.state.lock().unwrap().order.len(), 1);
    }
}
