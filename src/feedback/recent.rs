use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::{
    CorrelationKey,
    sync::{Mutex, PoisonError},
};

/// What is known of recent ids: bounded, the oldest first to give way.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    state: Mutex<State<V>>,
    max: usize,
}

#[derive(Debug)]
struct State<V> {
    values: HashMap<CorrelationKey, V>,
    order: VecDeque<CorrelationKey>,
}

/// Why a send with an id was not tagged: so a confirm of it can be told from a confirm
/// of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untagged {
    /// The mode was [`Mode::Observe`](crate::Mode::Observe).
    Observed,
    /// The application, its veto, or a digest stood against it.
    NotTagged,
}

impl<V: Copy> Recent<V> {
    pub(super) fn new(max: usize) -> Self {
        let state = State { values: HashMap::new(), order: VecDeque::new() };
        Self { state: Mutex::new(state), max }
    }

    pub(crate) fn insert(&self, key: CorrelationKey, value: V) {
        if self.max == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.values.insert(key, value).is_some() {
            return;
        }
        state.order.push_back(key);
        while state.order.len() > self.max {
            if let Some(oldest) = state.order.pop_front() {
                state.values.remove(&oldest);
            }
        }
    }

    /// What was last said of the first of `keys` that is known.
    pub(crate) fn get(&self, keys: impl Iterator<Item = CorrelationKey>) -> Option<V> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        keys.into_iter().find_map(|key| state.values.get(&key).copied())
    }

    pub(crate) fn remove(&self, key: CorrelationKey) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.values.remove(&key).is_some() {
            state.order.retain(|known| *known != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_the_oldest_goes_first() {
        let recent = Recent::new(2);
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
