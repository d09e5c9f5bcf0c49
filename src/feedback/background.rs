//! What runs beside the deliveries: retrying what the store would not take,
//! looking again for records that their confirm overtook, and expiry.

use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed},
    },
    task::Poll,
    time::Duration,
};

use tracing::debug;

use super::{
    deferred::Deferred,
    shared::{Shared, all},
};
use crate::{
    Timestamp,
    delivery::store_backoff,
    store::{ConfirmOutcome, ConfirmTarget, StoreError, TrackedMessage},
};

const BATCH: usize = 64;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long counts wait in memory: what a crash may lose of them.
const FLUSH: Duration = Duration::from_secs(1);
/// How often what stands is told to who measures.
#[cfg(feature = "metrics")]
const GAUGES: Duration = Duration::from_secs(10);
const EXPIRE: Duration = Duration::from_secs(30);
const EXPIRE_BATCH: usize = 1_000;

/// Runs until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut failures: u32 = 0;
    let mut retry_at: Option<Timestamp> = None;
    let mut look_at: Option<Timestamp> = None;
    let mut expire_at = shared.steady.now() + EXPIRE;
    let mut flushes = Flushes::default();
    #[cfg(feature = "metrics")]
    let mut gauge_at = shared.steady.now();
    #[cfg(feature = "metrics")]
    super::metrics::describe();
    loop {
        // Enrolled before the look at the queues, so that no change is missed.
        let mut changed = pin!(shared.deferred.changed());
        changed.as_mut().enable();
        let mut counted = pin!(shared.control.conclusions.changed());
        counted.as_mut().enable();

        let now = shared.steady.now();
        if retry_at.is_none_or(|at| at <= now) {
            retry_at = match retry_deferred(&shared, failures).await {
                Ok(()) => {
                    failures = 0;
                    shared.store_hangs.store(false, Relaxed);
                    None
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let reason: &(dyn Error + 'static) = &error;
                    debug!(error = reason, failures, "the store fails; what is deferred waits");
                    Some(shared.steady.now() + store_backoff(failures))
                }
            };
        }
        look_at = match look_at {
            _ if shared.waiting.is_empty() => None,
            None => Some(now + LOOK_AGAIN),
            Some(at) if at <= now => {
                look_again(&shared).await;
                Some(shared.steady.now() + LOOK_AGAIN)
            }
            later => later,
        };
        if shared.early.next().is_some_and(|at| at <= now) {
            shared.retry_statuses(now).await;
        }
        flushes.run(&shared, now).await;
        #[cfg(feature = "metrics")]
        if gauge_at <= now {
            shared.set_gauges().await;
            gauge_at = shared.steady.now() + GAUGES;
        }
        if expire_at <= now {
            let full = matches!(
                shared.patiently(shared.store.expire(EXPIRE_BATCH)).await,
                Ok(EXPIRE_BATCH..)
            );
            expire_at = if full { now } else { now + EXPIRE };
            // Other tasks of the runtime go between two batches.
            tokio::task::yield_now().await;
        }
        if shared.abandoned.load(Acquire) && shared.deferred.len() == 0 {
            shared.control.abandon();
        }

        let next = [retry_at, look_at, shared.early.next(), flushes.next]
            .into_iter()
            .flatten()
            .fold(expire_at, Timestamp::min);
        #[cfg(feature = "metrics")]
        let next = next.min(gauge_at);
        let mut timer = pin!(shared.steady.sleep_until(next));
        poll_fn(|cx| {
            // While the store fails, new arrivals do not shorten the pause.
            if retry_at.is_none() && changed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if flushes.next.is_none() && counted.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            timer.as_mut().poll(cx)
        })
        .await;
    }
}

/// When what was counted is brought to the store.
#[derive(Default)]
struct Flushes {
    next: Option<Timestamp>,
    failures: u32,
}

impl Flushes {
    async fn run(&mut self, shared: &Shared, now: Timestamp) {
        if self.next.is_some_and(|at| at <= now) {
            self.next = match shared.flush_report().await {
                Ok(()) => {
                    self.failures = 0;
                    None
                }
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    let reason: &(dyn Error + 'static) = &error;
                    debug!(
                        error = reason,
                        self.failures, "the store fails; what was counted waits"
                    );
                    Some(shared.steady.now() + store_backoff(self.failures))
                }
            };
        }
        if self.next.is_none() && !shared.everything_is_counted() {
            self.next = Some(shared.steady.now() + FLUSH);
        }
    }
}

/// Brings everything deferred to the store, in the order it came.
async fn retry_deferred(shared: &Shared, failures: u32) -> Result<(), StoreError> {
    loop {
        let items = shared.deferred.take(BATCH);
        if items.is_empty() {
            return Ok(());
        }
        let mut taken = Taken { shared, items };
        // Records first: a confirm of the same batch may be theirs.
        let (records, tried): (Vec<TrackedMessage>, Vec<bool>) =
            taken.items.iter().filter_map(Deferred::record).unzip();
        if !records.is_empty() {
            let outcomes = shared.more_patiently(failures, shared.store.record(&records)).await?;
            let outcomes = all(&records, outcomes)?;
            for ((message, tried), outcome) in records.iter().zip(tried).zip(outcomes) {
                shared.recorded(message, outcome, tried);
            }
        }
        taken.retain_confirms();
        let confirms: Vec<_> = taken.items.iter().filter_map(Deferred::confirm).collect();
        if confirms.is_empty() {
            continue;
        }
        let outcomes = shared.confirm_late(&confirms, failures).await?;
        let mut full = Vec::new();
        for ((target, acted_at), outcome) in confirms.into_iter().zip(outcomes) {
            if outcome == ConfirmOutcome::Full {
                full.push(Deferred::Confirm { target, acted_at });
            } else {
                let _ = shared.confirmed(&target, Some(acted_at), outcome);
            }
        }
        // The confirm may have taken place before, when its answer was lost.
        shared.control.wake();
        taken.retain(full)?;
    }
}

/// Items that left the queue: dropped before they are done, they go back.
struct Taken<'a> {
    shared: &'a Shared,
    items: Vec<Deferred>,
}

impl Taken<'_> {
    fn retain_confirms(&mut self) {
        let before = self.items.len();
        self.items.retain(|item| matches!(item, Deferred::Confirm { .. }));
        self.shared.deferred.finish(before - self.items.len());
    }

    /// Keeps the confirms that the outbox had no room for: they were taken, and
    /// are tried until it has.
    fn retain(mut self, full: Vec<Deferred>) -> Result<(), StoreError> {
        self.shared.deferred.finish(self.items.len() - full.len());
        self.items = full;
        if self.items.is_empty() { Ok(()) } else { Err(StoreError::new("the outbox is full")) }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            self.shared.deferred.put_back(std::mem::take(&mut self.items));
        }
    }
}

/// Looks for what was recorded meanwhile, here or by another process.
async fn look_again(shared: &Shared) {
    let waiting = shared.waiting.current(shared.steady.now());
    for actions in waiting.chunks(256) {
        let confirms: Vec<(ConfirmTarget, Timestamp)> =
            actions.iter().map(|action| (shared.by_id(action.keys), action.acted_at)).collect();
        let Ok(outcomes) = shared.confirm_late(&confirms, 0).await else { return };
        for ((action, (target, acted_at)), outcome) in actions.iter().zip(confirms).zip(outcomes) {
            let is_known = outcome != ConfirmOutcome::Unknown;
            if is_known && shared.waiting.remove(action.keys.current).is_some() {
                shared.confirms.overtaken.increment();
                let _ = shared.confirmed(&target, Some(acted_at), outcome);
            }
        }
    }
}
