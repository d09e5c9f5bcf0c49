use std::collections::HashMap;

use crate::{
    AccountSid, CorrelationKey, MessageSid, Timestamp,
    store::{StatusUpdate, TrackedMessage},
    sync::{Mutex, MutexGuard, PoisonError},
};

type Whose = (MessageSid, AccountSid);

/// Statuses that the store did not take, because it failed or because the message was
/// not recorded yet: of each message the furthest, bounded.
#[derive(Debug)]
pub(super) struct EarlyStatuses {
    state: Mutex<State>,
    max: usize,
}

/// A status, and the message to record if that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EarlyStatus {
    pub(super) update: StatusUpdate,
    pub(super) message: Option<TrackedMessage>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Whose, (EarlyStatus, Timestamp)>,
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
    pub(super) fn insert(&self, early: EarlyStatus, at: Timestamp) -> bool {
        let mut state = self.lock();
        let room = state.waiting.len() < self.max;
        let whose = (early.update.sid, early.update.account);
        match state.waiting.get_mut(&whose) {
            Some((known, _)) => {
                if known.update.status < early.update.status {
                    known.update = early.update;
                }
                known.message = known.message.take().or(early.message);
                return true;
            }
            None if !room => return false,
            None => {}
        }
        state.waiting.insert(whose, (early, at));
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

    /// Drops what is to be recorded under a key.
    pub(super) fn forget_key(&self, key: CorrelationKey) {
        let is_of_key =
            |early: &EarlyStatus| early.message.as_ref().is_some_and(|message| message.key == key);
        self.lock().waiting.retain(|_, (early, _)| !is_of_key(early));
    }

    /// When the next is to be looked at, or earlier.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.lock().next
    }

    /// Takes out what is to be looked at.
    pub(super) fn take_due(&self, now: Timestamp) -> Vec<EarlyStatus> {
        let mut state = self.lock();
        let mut due = Vec::new();
        state.waiting.retain(|_, (early, at)| {
            let is_due = *at <= now;
            if is_due {
                due.push(early.clone());
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

    fn update(n: u8, status: crate::MessageStatus) -> EarlyStatus {
        let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let sid = format!("SM{n:032x}").parse().unwrap();
        EarlyStatus { update: StatusUpdate::new(sid, account, status), message: None }
    }

    fn of_key(n: u8) -> EarlyStatus {
        let at = Timestamp::from_millis(0);
        let key = CorrelationKey::from_bytes([n; 16]);
        let StatusUpdate { sid, account, .. } = update(n, Sent).update;
        let message = TrackedMessage::new(key, sid, account, Default::default(), at, at);
        EarlyStatus { message: Some(message), ..update(n, Sent) }
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
        let StatusUpdate { sid, account, .. } = first.update;
        assert!(!early.hasten(sid, account, now));
        early.insert(first.clone(), Timestamp::from_millis(100));
        early.insert(update(2, Sent), Timestamp::from_millis(100));
        assert!(early.hasten(sid, account, now));
        assert_eq!(early.take_due(now), [first]);
        early.forget(update(2, Sent).update.sid);
        assert_eq!(early.take_due(Timestamp::from_millis(100)), []);
    }

    #[test]
    fn a_message_to_record_stays_with_its_status_until_it_is_forgotten() {
        let early = EarlyStatuses::new(2);
        let at = Timestamp::from_millis(100);
        early.insert(update(1, Queued), at);
        early.insert(of_key(1), at);
        early.insert(update(1, Delivered), at);
        early.insert(of_key(2), at);
        early.forget_key(CorrelationKey::from_bytes([2; 16]));
        let expected = EarlyStatus { update: update(1, Delivered).update, ..of_key(1) };
        assert_eq!(early.take_due(at), [expected]);
    }
}
