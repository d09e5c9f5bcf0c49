//! What an application's handle and its dispatcher share.

use std::{future::poll_fn, mem, pin::pin, task::Poll};

use tokio::sync::oneshot;

use super::{
    concluded::Conclusions,
    mode::Modes,
    preflight::{AccountPreflight, PreflightRequest},
};
use crate::{
    AccountSid, BaseUrl,
    counters::{Striped, counters},
    sync::{
        Mutex, Notify, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

counters! {
    /// What the dispatcher has done since it started.
    pub struct DeliveryStats;
    struct DeliveryCounters;
    /// Feedback calls that were made.
    calls,
    /// Connections that the default transport opened, those of a preflight included; zero
    /// with another transport.
    connections,
    /// Feedback that Twilio took.
    delivered,
    /// Calls that will be repeated.
    retried,
    /// Answers of 429.
    throttled,
    /// Answers of 401 and 403, and accounts without credentials.
    unauthorized,
    /// Feedback that Twilio will never take.
    dead_lettered,
    /// Calls whose lease had become another process's when they ended.
    leases_lost,
    /// Operations of the store that failed.
    store_errors,
}

/// While the dispatcher does not run, nobody takes the list.
const MAX_GIVING_WAY: usize = 64;

/// Wakes the dispatcher, asks it to drain, and tells how it is.
#[derive(Debug, Default)]
pub(crate) struct Control {
    wake: Notify,
    drains: Mutex<Vec<DrainRequest>>,
    /// The last handle is gone.
    abandoned: AtomicBool,
    /// Time is up: give the leases back and end.
    halted: AtomicBool,
    state: AtomicU8,
    ended: Notify,
    open_circuits: AtomicUsize,
    paused: AtomicBool,
    /// Accounts on which a send was answered 429 since the worker last looked.
    giving_way: Mutex<Vec<AccountSid>>,
    preflights: Mutex<Vec<PreflightRequest>>,
    /// What is to be counted.
    pub(crate) conclusions: Conclusions,
    pub(crate) modes: Modes,
    pub(crate) counters: Striped<DeliveryCounters>,
}

/// Whether the dispatcher runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DispatcherState {
    /// It was made, and nothing has polled it yet.
    NotStarted,
    /// It runs.
    Running,
    /// It was shut down, or dropped with its runtime. Nothing is delivered by
    /// this process any more.
    Ended,
}

/// When a drain is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drain {
    /// Nothing is due and no call is in flight.
    Due,
    /// The same, and nothing waits for a retry either, unless a circuit is open.
    All,
}

#[derive(Debug)]
pub(super) struct DrainRequest {
    pub(super) drain: Drain,
    /// Stop when it is done.
    pub(super) stop: bool,
    pub(super) done: oneshot::Sender<()>,
}

impl DrainRequest {
    /// Whether anybody waits for it, or the worker is to end by it.
    pub(super) fn is_wanted(&self) -> bool {
        self.stop || !self.done.is_closed()
    }
}

impl Control {
    /// There may be something to deliver.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Resolves once the outbox is drained, or the dispatcher has ended.
    pub(crate) fn drain(&self, drain: Drain) -> impl Future<Output = ()> + use<> {
        self.request(drain, false)
    }

    /// The same, and no lease is taken afterwards.
    pub(crate) fn drain_and_stop(&self, drain: Drain) -> impl Future<Output = ()> + use<> {
        self.request(drain, true)
    }

    fn request(&self, drain: Drain, stop: bool) -> impl Future<Output = ()> + use<> {
        let (done, drained) = oneshot::channel();
        let mut drains = self.drains.lock().unwrap_or_else(PoisonError::into_inner);
        drains.retain(DrainRequest::is_wanted);
        // Under the lock, so that no request outlives the dispatcher's end.
        if self.state() != DispatcherState::Ended {
            drains.push(DrainRequest { drain, stop, done });
        }
        drop(drains);
        self.wake();
        async move {
            // An error means that the dispatcher dropped the request when it ended.
            let _ = drained.await;
        }
    }

    pub(super) fn take_drains(&self) -> Vec<DrainRequest> {
        mem::take(&mut self.drains.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Release);
        self.wake();
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Acquire)
    }

    /// Has the worker's transport try every credential that the builder knows.
    /// Empty if the dispatcher has ended.
    pub(crate) fn preflight(
        &self,
        base_url: BaseUrl,
    ) -> impl Future<Output = Vec<AccountPreflight>> + use<> {
        let (done, answer) = oneshot::channel();
        let mut preflights = self.preflights.lock().unwrap_or_else(PoisonError::into_inner);
        preflights.retain(|request| !request.done.is_closed());
        if self.state() != DispatcherState::Ended {
            preflights.push(PreflightRequest { base_url, done });
        }
        drop(preflights);
        self.wake();
        async move { answer.await.unwrap_or_default() }
    }

    pub(super) fn take_preflights(&self) -> Vec<PreflightRequest> {
        mem::take(&mut self.preflights.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Release);
        self.wake();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Acquire)
    }

    /// A send met the account's limit.
    pub(crate) fn give_way(&self, account: AccountSid) {
        let mut accounts = self.giving_way.lock().unwrap_or_else(PoisonError::into_inner);
        if !accounts.contains(&account) && accounts.len() < MAX_GIVING_WAY {
            accounts.push(account);
        }
    }

    pub(super) fn take_giving_way(&self) -> Vec<AccountSid> {
        mem::take(&mut self.giving_way.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn halt(&self) {
        self.halted.store(true, Release);
        self.wake();
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Acquire)
    }

    pub(crate) fn set_state(&self, state: DispatcherState) {
        self.state.store(state as u8, Release);
        if state == DispatcherState::Ended {
            // Whoever waits for a drain is told by the loss of its request.
            drop(self.take_drains());
            drop(self.take_preflights());
            self.ended.notify_waiters();
        }
    }

    /// Resolves once the dispatcher has ended.
    pub(crate) async fn ended(&self) {
        let mut ended = pin!(self.ended.notified());
        ended.as_mut().enable();
        if self.state() != DispatcherState::Ended {
            ended.await;
        }
    }

    /// Drives `work` to its end, or until the dispatcher's, without which it
    /// may have none.
    pub(crate) async fn while_running(&self, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        let mut ended = pin!(self.ended());
        poll_fn(|cx| {
            if work.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            ended.as_mut().poll(cx)
        })
        .await;
    }

    pub(crate) fn state(&self) -> DispatcherState {
        match self.state.load(Acquire) {
            0 => DispatcherState::NotStarted,
            1 => DispatcherState::Running,
            _ => DispatcherState::Ended,
        }
    }

    pub(super) fn set_open_circuits(&self, open: usize) {
        self.open_circuits.store(open, Relaxed);
    }

    pub(crate) fn open_circuits(&self) -> usize {
        self.open_circuits.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_no_more_leaves_nothing() {
        let control = Control::default();
        for _ in 0..9 {
            drop(control.drain(Drain::Due));
            drop(control.preflight(BaseUrl::default()));
        }
        let _waits = (control.drain(Drain::All), control.preflight(BaseUrl::default()));
        assert_eq!((control.take_drains().len(), control.take_preflights().len()), (1, 1));
        // A shutdown that nobody waits for is one.
        drop(control.drain_and_stop(Drain::All));
        let _waits = control.drain(Drain::Due);
        assert_eq!(control.take_drains().len(), 2);
    }

    #[test]
    fn an_account_gives_way_once_and_so_many_accounts_do() {
        let control = Control::default();
        let account = |n: usize| format!("AC{n:032x}").parse().unwrap();
        for n in (0..MAX_GIVING_WAY + 1).chain(0..3) {
            control.give_way(account(n));
        }
        let expected: Vec<AccountSid> = (0..MAX_GIVING_WAY).map(account).collect();
        assert_eq!(control.take_giving_way(), expected);
        assert!(control.take_giving_way().is_empty());
    }
}
