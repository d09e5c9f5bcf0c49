use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{AccountSid, MessageSid, Timestamp, store::StatusUpdate};

type Whose = (MessageSid, AccountSid);

/// Statuses that the store did not take, because it failed or because the message was
/// not recorded yet: of each message the furthest, bounded.
#[derive(Debug)]
pub(super) struct EarlyStatuses {
    state: Mutex<State>,
    max: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Whose, (StatusUpdate, Timestamp)>,
    /// No later than the earliest of their times.
    next: Option<Timestamp>,
}

impl EarlyStatuses {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a status until it is to be looked at again; answers whether there was room.
    pub(super) fn insert(&self, update: StatusUpdate, at: Timestamp) -> bool {
        let mut state = self.lock();
        let room = state.waiting.len() < self.max;
        match state.waiting.get_mut(&(update.sid, update.account)) {
            Some((known, _)) if known.status >= update.status => return true,
            Some((known, _)) => {
                *known = update;
                return true;
            }
            None if !room => return false,
            None => {}
        }
        state.waiting.insert((update.sid, update.account), (update, at));
        state.next = Some(state.next.map_or(at, |next| next.min(at)));
        true
    }

    /// Has the status of a message, if there is one, looked at now; answers whether.
    pub(super) fn hasten(&self, sid: MessageSid, account: AccountSid, now: Timestamp) -> bool {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            return false;
        }
        let Some((_, at)) = state.waiting.get_mut(&(sid, account)) else { return false };
        *at = now;
        state.next = Some(now);
        true
    }

    pub(super) fn forget(&self, sid: MessageSid) {
        self.lock().waiting.retain(|(waiting, _), _| *waiting != sid);
    }

    /// When the next is to be looked at, or earlier.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.lock().next
    }

    /// Takes out what is to be looked at.
    pub(super) fn take_due(&self, now: Timestamp) -> Vec<StatusUpdate> {
        let mut state = self.lock();
        let mut due = Vec::new();
        state.waiting.retain(|_, (update, at)| {
            let is_due = *at <= now;
            if is_due {
                due.push(*update);
            }
            !is_due
        });
        state.next = state.waiting.values().map(|(_, at)| *at).min();
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageStatus::{Delivered, Queued, Sent};

    fn update(n: u8, status: crate::MessageStatus) -> StatusUpdate {
        let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        StatusUpdate::new(format!("SM{n:032x}").parse().unwrap(), account, status)
    }

    #[test]
    fn it_is_bounded_and_keeps_of_each_message_the_furthest() {
        let early = EarlyStatuses::new(2);
        let at = Timestamp::from_millis;
        assert_eq!(early.next(), None);
        assert!(early.insert(update(1, Sent), at(20)));
        assert!(early.insert(update(2, Queued), at(10)));
        assert!(!early.insert(update(3, Sent), at(10)));
        assert!(early.insert(update(1, Queued), at(5)));
        assert!(early.insert(update(2, Delivered), at(30)));
        assert_eq!(early.next(), Some(at(10)));
        assert_eq!(early.take_due(at(9)), []);
        assert_eq!(early.take_due(at(10)), [update(2, Delivered)]);
        assert_eq!((early.next(), early.take_due(at(20))), (Some(at(20)), vec![update(1, Sent)]));
        assert_eq!(early.next(), None);
    }

    #[test]
    fn what_is_recorded_is_looked_at_at_once() {
        let early = EarlyStatuses::new(2);
        let (first, now) = (update(1, Sent), Timestamp::from_millis(1));
        assert!(!early.hasten(first.sid, first.account, now));
        early.insert(first, Timestamp::from_millis(100));
        early.insert(update(2, Sent), Timestamp::from_millis(100));
        assert!(early.hasten(first.sid, first.account, now));
        assert_eq!(early.take_due(now), [first]);
        early.forget(update(2, Sent).sid);
        assert_eq!(early.take_due(Timestamp::from_millis(100)), []);
    }
}
