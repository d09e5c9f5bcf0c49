use std::mem;

use tokio::sync::futures::Notified;

use crate::{
    MessageSid,
    sync::{Mutex, MutexGuard, Notify, PoisonError},
};

/// A confirmed message whose feedback came to an end, to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Concluded {
    pub(crate) sid: MessageSid,
    /// Twilio has it; or else it is a dead letter.
    pub(crate) is_delivered: bool,
}

/// What the worker has concluded since it was last counted, bounded.
#[derive(Debug, Default)]
pub(crate) struct Conclusions {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    concluded: Vec<Concluded>,
    /// None is kept unless somebody counts.
    max: usize,
    lost: u64,
}

impl Conclusions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps up to `max` of them.
    pub(crate) fn keep(&self, max: usize) {
        self.lock().max = max;
    }

    pub(super) fn extend(&self, concluded: impl Iterator<Item = Concluded>) {
        let mut state = self.lock();
        if state.max == 0 {
            return;
        }
        for one in concluded {
            if state.concluded.len() < state.max {
                state.concluded.push(one);
            } else {
                state.lost += 1;
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// All of them, and how many did not fit.
    pub(crate) fn take(&self) -> (Vec<Concluded>, u64) {
        let mut state = self.lock();
        (mem::take(&mut state.concluded), mem::take(&mut state.lost))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().concluded.is_empty()
    }

    /// Resolves when there is more; create it before looking.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// There is something else to count.
    pub(crate) fn poke(&self) {
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_kept_for_who_counts_up_to_the_bound_and_the_rest_is_counted() {
        let sid = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
        let conclude = |conclusions: &Conclusions, count: usize| {
            conclusions.extend([Concluded { sid, is_delivered: true }; 5].into_iter().take(count));
        };
        let conclusions = Conclusions::default();
        conclude(&conclusions, 5);
        assert!(conclusions.is_empty());
        assert_eq!(conclusions.take(), (Vec::new(), 0));
        conclusions.keep(3);
        conclude(&conclusions, 2);
        assert!(!conclusions.is_empty());
        conclude(&conclusions, 5);
        let (kept, lost) = conclusions.take();
        assert_eq!((kept.len(), lost), (3, 4));
        assert!(conclusions.is_empty());
        assert_eq!(conclusions.take(), (Vec::new(), 0));
    }
}
