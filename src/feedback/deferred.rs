use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    CorrelationKeys,
    store::{ConfirmTarget, TrackedMessage},
};

/// What the store would not take in time, in the order it came, bounded.
#[derive(Debug)]
pub(super) struct DeferredQueue {
    state: Mutex<State>,
    max: usize,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Deferred>,
    /// How many the background task has taken out and not finished.
    taken: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Deferred {
    Record(TrackedMessage),
    Confirm(ConfirmTarget),
}

impl DeferredQueue {
    pub(super) fn new(max: usize) -> Self {
        Self { state: Mutex::default(), max, changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether there was room.
    pub(super) fn push(&self, deferred: Deferred) -> bool {
        let mut state = self.lock();
        if state.queue.len() + state.taken >= self.max {
            return false;
        }
        state.queue.push_back(deferred);
        drop(state);
        self.changed.notify_waiters();
        true
    }

    pub(super) fn len(&self) -> usize {
        let state = self.lock();
        state.queue.len() + state.taken
    }

    /// Takes out up to `limit` items, to be finished or put back.
    pub(super) fn take(&self, limit: usize) -> Vec<Deferred> {
        let mut state = self.lock();
        let count = limit.min(state.queue.len());
        state.taken += count;
        state.queue.drain(..count).collect()
    }

    /// Drops what waits under `keys`.
    pub(super) fn forget(&self, keys: CorrelationKeys) {
        self.lock().queue.retain(|item| match item {
            Deferred::Record(message) => keys.iter().all(|key| key != message.key),
            Deferred::Confirm(ConfirmTarget::Id { keys: waiting, .. }) => *waiting != keys,
            Deferred::Confirm(ConfirmTarget::Message(message)) => {
                keys.iter().all(|key| key != message.key)
            }
        });
        self.changed.notify_waiters();
    }

    pub(super) fn put_back(&self, items: Vec<Deferred>) {
        let mut state = self.lock();
        state.taken -= items.len();
        for item in items.into_iter().rev() {
            state.queue.push_front(item);
        }
    }

    pub(super) fn finish(&self, count: usize) {
        self.lock().taken -= count;
        self.changed.notify_waiters();
    }

    /// Wakes whoever waits for a change.
    pub(super) fn poke(&self) {
        self.changed.notify_waiters();
    }

    /// Resolves at the next change; create it before looking at the queue.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Resolves once nothing is left.
    pub(super) async fn emptied(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed());
            changed.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            changed.await;
        }
    }
}
