use std::collections::VecDeque;

use crate::{
    Timestamp,
    store::{ConfirmTarget, ForgetTarget, TrackedMessage},
    sync::{Mutex, MutexGuard, Notify, PoisonError},
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
    /// What was forgotten while something was out.
    forgotten: Vec<ForgetTarget>,
}

impl State {
    fn forget_no_more(&mut self) {
        if self.taken == 0 {
            self.forgotten.clear();
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Deferred {
    Record {
        message: TrackedMessage,
        /// The store was asked before, and may have it.
        tried: bool,
    },
    Confirm {
        target: ConfirmTarget,
        /// When the action was noticed: what was sent since is not what it acted on.
        acted_at: Timestamp,
    },
}

impl Deferred {
    /// A message to record, and whether it was tried before.
    pub(super) fn record(&self) -> Option<(TrackedMessage, bool)> {
        match self {
            Self::Record { message, tried } => Some((message.clone(), *tried)),
            Self::Confirm { .. } => None,
        }
    }

    /// A target, and when the action was noticed.
    pub(super) fn confirm(&self) -> Option<(ConfirmTarget, Timestamp)> {
        match self {
            Self::Confirm { target, acted_at } => Some((target.clone(), *acted_at)),
            Self::Record { .. } => None,
        }
    }

    fn is_of(&self, target: ForgetTarget) -> bool {
        let (key, sid) = match self {
            Self::Record { message, .. }
            | Self::Confirm { target: ConfirmTarget::Message(message), .. } => {
                (message.key, message.sid)
            }
            Self::Confirm { target: ConfirmTarget::Recorded { key, sid }, .. } => (*key, *sid),
            Self::Confirm { target: ConfirmTarget::Id { keys, .. }, .. } => {
                return target == ForgetTarget::Id(*keys);
            }
        };
        match target {
            ForgetTarget::Id(keys) => keys.iter().any(|forgotten| forgotten == key),
            ForgetTarget::Message(forgotten) => forgotten == sid,
        }
    }
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

    /// Drops what waits of `target`, also what is out and comes back.
    pub(super) fn forget(&self, target: ForgetTarget) {
        let mut state = self.lock();
        state.queue.retain(|item| !item.is_of(target));
        if state.taken > 0 {
            state.forgotten.push(target);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn put_back(&self, items: Vec<Deferred>) {
        let mut state = self.lock();
        state.taken -= items.len();
        for mut item in items.into_iter().rev() {
            if let Deferred::Record { tried, .. } = &mut item {
                *tried = true;
            }
            if !state.forgotten.iter().any(|target| item.is_of(*target)) {
                state.queue.push_front(item);
            }
        }
        state.forget_no_more();
    }

    pub(super) fn finish(&self, count: usize) {
        let mut state = self.lock();
        state.taken -= count;
        state.forget_no_more();
        drop(state);
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
