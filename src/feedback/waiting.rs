use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::{
    CorrelationKey, CorrelationKeys, Timestamp,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Ids that were confirmed before the message was recorded that was meant: bounded, each
/// once, the oldest first to give way.
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
    action: Action,
    until: Timestamp,
    number: u64,
}

/// An action on what is known under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) keys: CorrelationKeys,
    /// When it was noticed, by the clock: what was sent since is not what it acted on.
    pub(super) acted_at: Timestamp,
}

impl WaitingSet {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether another id had to give way.
    pub(super) fn insert(&self, action: Action, until: Timestamp) -> bool {
        let mut state = self.lock();
        let Action { keys, acted_at } = action;
        if self.max == 0 {
            return false;
        }
        if let Some(waiting) = state.waiting.get_mut(&keys.current) {
            waiting.action.acted_at = waiting.action.acted_at.max(acted_at);
            return false;
        }
        let mut evicted = false;
        while state.waiting.len() >= self.max {
            evicted |= state.pop_oldest();
        }
        state.next += 1;
        let number = state.next;
        state.waiting.insert(keys.current, Waiting { action, until, number });
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
    pub(super) fn remove(&self, key: CorrelationKey) -> Option<Action> {
        self.remove_if(key, |_| true)
    }

    /// Whether `key` was waiting for what `is_found` says is there; it is not any more.
    pub(super) fn remove_if(
        &self,
        key: CorrelationKey,
        is_found: impl Fn(&Action) -> bool,
    ) -> Option<Action> {
        let mut state = self.lock();
        let waiting = state.waiting.get(&key)?;
        if !is_found(&waiting.action) {
            return None;
        }
        state.waiting.remove(&key).map(|waiting| waiting.action)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Every id whose time is not over; the others are dropped.
    pub(super) fn current(&self, now: Timestamp) -> Vec<Action> {
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
        state.waiting.values().map(|waiting| waiting.action).collect()
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

    fn action(n: u8) -> Action {
        let keys = CorrelationKey::from_bytes([n; 16]).into();
        Action { keys, acted_at: Timestamp::from_millis(7) }
    }

    fn key(n: u8) -> CorrelationKey {
        action(n).keys.current
    }

    #[test]
    fn it_is_bounded_and_holds_each_id_once() {
        let set = WaitingSet::new(2);
        let until = Timestamp::from_millis(100);
        assert!(!set.insert(action(1), until));
        assert!(!set.insert(action(1), until));
        assert!(!set.insert(action(2), until));
        assert!(set.insert(action(3), until));
        assert_eq!(set.remove(key(1)), None);
        assert_eq!(set.remove(key(2)), Some(action(2)));
        assert_eq!(set.current(Timestamp::from_millis(99)), [action(3)]);
        assert!(set.current(until).is_empty());
        assert!(set.is_empty());
    }

    #[test]
    fn an_id_that_comes_back_waits_its_full_time() {
        let set = WaitingSet::new(2);
        set.insert(action(1), Timestamp::from_millis(10));
        set.remove(key(1));
        set.insert(action(1), Timestamp::from_millis(50));
        assert_eq!(set.current(Timestamp::from_millis(20)), [action(1)]);
        for _ in 0..1000 {
            set.remove(key(1));
            set.insert(action(1), Timestamp::from_millis(50));
        }
        assert!(set.lock().order.len() <= 33);
    }

    #[test]
    fn it_waits_for_what_was_sent_before_the_last_action() {
        let set = WaitingSet::new(2);
        let at = Timestamp::from_millis;
        set.insert(action(1), at(100));
        set.insert(Action { acted_at: at(9), ..action(1) }, at(100));
        set.insert(Action { acted_at: at(8), ..action(1) }, at(100));
        assert_eq!(set.remove_if(key(1), |action| action.acted_at > at(9)), None);
        let last = Action { acted_at: at(9), ..action(1) };
        assert_eq!(set.remove_if(key(1), |action| action.acted_at == at(9)), Some(last));
        assert!(set.is_empty());
    }
}
