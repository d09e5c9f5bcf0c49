use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::{
    CorrelationKey, CorrelationKeys, Timestamp,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Ids that were confirmed before anything was recorded under them: bounded,
/// each once, the oldest first to give way.
#[derive(Debug)]
pub(super) struct WaitingSet {
    state: Mutex<State>,
    max: usize,
}

#[derive(Debug, Default)]
struct State {
    /// By the current key. A number tells an id from an earlier stay of the same.
    waiting: HashMap<CorrelationKey, Waiting>,
    order: VecDeque<(CorrelationKey, u64)>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    keys: CorrelationKeys,
    until: Timestamp,
    number: u64,
}

impl WaitingSet {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether another id had to give way.
    pub(super) fn insert(&self, keys: CorrelationKeys, until: Timestamp) -> bool {
        let mut state = self.lock();
        if self.max == 0 || state.waiting.contains_key(&keys.current) {
            return false;
        }
        let mut evicted = false;
        while state.waiting.len() >= self.max {
            evicted |= state.pop_oldest();
        }
        state.next += 1;
        let number = state.next;
        state.waiting.insert(keys.current, Waiting { keys, until, number });
        state.order.push_back((keys.current, number));
        // Ids that were found leave their place in the order behind.
        if state.order.len() > self.max.max(16).saturating_mul(2) {
            let State { waiting, order, .. } = &mut *state;
            order.retain(|(key, number)| {
                waiting.get(key).is_some_and(|waiting| waiting.number == *number)
            });
        }
        evicted
    }

    /// Whether `key` was waiting; it is not any more.
    pub(super) fn remove(&self, key: CorrelationKey) -> Option<CorrelationKeys> {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            return None;
        }
        state.waiting.remove(&key).map(|waiting| waiting.keys)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Every id whose time is not over; the others are dropped.
    pub(super) fn current(&self, now: Timestamp) -> Vec<CorrelationKeys> {
        let mut state = self.lock();
        while let Some(&(key, number)) = state.order.front() {
            match state.waiting.get(&key) {
                Some(waiting) if waiting.number == number && waiting.until > now => break,
                Some(waiting) if waiting.number == number => {
                    state.waiting.remove(&key);
                }
                _ => {}
            }
            state.order.pop_front();
        }
        state.waiting.values().map(|waiting| waiting.keys).collect()
    }
}

impl State {
    fn pop_oldest(&mut self) -> bool {
        let Some((key, number)) = self.order.pop_front() else { return false };
        let current = self.waiting.get(&key).is_some_and(|waiting| waiting.number == number);
        if current {
            self.waiting.remove(&key);
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(n: u8) -> CorrelationKeys {
        CorrelationKey::from_bytes([n; 16]).into()
    }

    #[test]
    fn it_is_bounded_and_holds_each_id_once() {
        let set = WaitingSet::new(2);
        let until = Timestamp::from_millis(100);
        assert!(!set.insert(keys(1), until));
        assert!(!set.insert(keys(1), until));
        assert!(!set.insert(keys(2), until));
        assert!(set.insert(keys(3), until));
        assert_eq!(set.remove(keys(1).current), None);
        assert_eq!(set.remove(keys(2).current), Some(keys(2)));
        assert_eq!(set.current(Timestamp::from_millis(99)), [keys(3)]);
        assert!(set.current(until).is_empty());
        assert!(set.is_empty());
    }

    #[test]
    fn an_id_that_comes_back_waits_its_full_time() {
        let set = WaitingSet::new(2);
        set.insert(keys(1), Timestamp::from_millis(10));
        set.remove(keys(1).current);
        set.insert(keys(1), Timestamp::from_millis(50));
        assert_eq!(set.current(Timestamp::from_millis(20)), [keys(1)]);
        for _ in 0..1000 {
            set.remove(keys(1).current);
            set.insert(keys(1), Timestamp::from_millis(50));
        }
        assert!(set.lock().order.len() <= 33);
    }
}
