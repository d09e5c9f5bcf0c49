//! The operations of a store, each in turns with its raw statement.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;
use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, FeedbackStore, LeaseRequest, RecordOutcome, SettleOutcome, SettledAs,
    Settlement,
};

use super::load::{message, run};
use crate::{
    numbered::target,
    table::{Budget, Table, spread},
    turns::in_turns,
};

const LEASE: Duration = Duration::from_secs(40);

/// The raw statements of a store, sent by the same client library.
pub(crate) trait Raw: Send + Sync + 'static {
    /// What they are.
    const WHAT: &str;
    /// Whether they work on the store's own data; if not, on some beside it.
    const SHARES_DATA: bool;
    /// Records the messages of these numbers.
    fn record(&self, numbers: Vec<u64>) -> impl Future<Output = ()> + Send;
    /// Confirms them.
    fn confirm(&self, numbers: Vec<u64>) -> impl Future<Output = ()> + Send;
    /// Leases up to so many entries and settles them as delivered.
    fn lease_and_settle(&self, limit: usize) -> impl Future<Output = usize> + Send;
    /// For how many seconds the server has worked so far, if it says so.
    fn worked(&self) -> impl Future<Output = Option<f64>> + Send {
        std::future::ready(None)
    }
}

/// What is asked of a store, in items a second, and for one of its raw statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budgets {
    /// Confirms one by one.
    pub(crate) confirms: Budget,
    pub(crate) lease_and_settle: Budget,
    pub(crate) of_raw: Budget,
    /// For one of what the server could do, were it never idle.
    pub(crate) of_server: Budget,
}

pub(crate) struct Bench<S, R> {
    name: &'static str,
    store: Arc<S>,
    raw: Arc<R>,
    budgets: Budgets,
    /// The next message that was never recorded.
    next: AtomicU64,
    /// How many wait that nothing else touches.
    waiting: AtomicU64,
}

/// How much of each operation is done in a turn: items a call, callers, calls.
#[derive(Debug, Clone, Copy)]
struct Size {
    batch: usize,
    callers: usize,
    calls: usize,
}

const SINGLE: Size = Size { batch: 1, callers: 32, calls: 320 };
const BATCH: Size = Size { batch: 64, callers: 4, calls: 12 };
const LARGE_BATCH: Size = Size { batch: 256, callers: 4, calls: 8 };
/// The store and its raw statement take turns, so that both meet the same moods
/// of the machine: many and short ones, of which a stall then spoils few.
const TURNS: usize = 16;
/// Between turns. A machine that rations its processors has some to give again.
const REST: Duration = Duration::from_millis(50);

impl<S: FeedbackStore, R: Raw> Bench<S, R> {
    pub(crate) fn new(name: &'static str, store: Arc<S>, raw: R, budgets: Budgets) -> Self {
        let raw = Arc::new(raw);
        // The first numbers are left to who prepares a run.
        Self { name, store, raw, budgets, next: AtomicU64::new(10), waiting: AtomicU64::new(0) }
    }

    fn numbers(&self, count: usize) -> std::ops::Range<u64> {
        let count = count as u64;
        let first = self.next.fetch_add(count, Relaxed);
        first..first + count
    }

    /// Records messages until `pending` wait that nothing else touches; answers
    /// how many it took.
    pub(crate) async fn fill(&self, pending: u64) -> u64 {
        const AT_ONCE: usize = 1_000;
        let missing = pending.saturating_sub(self.waiting.swap(pending, Relaxed)) as usize;
        let first = self.numbers(missing).start;
        let store = self.store.clone();
        run(4, missing.div_ceil(AT_ONCE), move |call| {
            let store = store.clone();
            async move {
                let from = first + (call * AT_ONCE) as u64;
                let to = (from + AT_ONCE as u64).min(first + missing as u64);
                let messages: Vec<_> = (from..to).map(message).collect();
                store.record(&messages).await.expect("the store records").len()
            }
        })
        .await;
        missing as u64
    }

    /// Gives the raw statements as many to work beside, of `filled` in the store.
    pub(crate) async fn fill_raw(&self, filled: u64) {
        const AT_ONCE: usize = 1_000;
        let Some(raw) = self.own_data() else { return };
        let numbers = self.numbers(filled as usize);
        let size = Size { batch: AT_ONCE, callers: 1, calls: (filled as usize) / AT_ONCE };
        self.record(&numbers, size, Some(raw)).await;
    }

    async fn record(&self, numbers: &std::ops::Range<u64>, size: Size, raw: Option<Arc<R>>) -> f64 {
        let (store, first) = (self.store.clone(), numbers.start);
        run(size.callers, size.calls, move |call| {
            let (store, raw) = (store.clone(), raw.clone());
            let from = first + (call * size.batch) as u64;
            async move {
                let numbers: Vec<u64> = (from..from + size.batch as u64).collect();
                if let Some(raw) = raw {
                    raw.record(numbers).await;
                } else {
                    let messages: Vec<_> = numbers.into_iter().map(message).collect();
                    let outcomes = store.record(&messages).await.expect("the store records");
                    assert!(outcomes.iter().all(|said| *said == RecordOutcome::Inserted));
                }
                size.batch
            }
        })
        .await
    }

    async fn confirm(
        &self,
        numbers: &std::ops::Range<u64>,
        size: Size,
        raw: Option<Arc<R>>,
    ) -> f64 {
        let (store, first) = (self.store.clone(), numbers.start);
        run(size.callers, size.calls, move |call| {
            let (store, raw) = (store.clone(), raw.clone());
            let from = first + (call * size.batch) as u64;
            async move {
                let numbers: Vec<u64> = (from..from + size.batch as u64).collect();
                if let Some(raw) = raw {
                    raw.confirm(numbers).await;
                } else {
                    let targets: Vec<_> = numbers.into_iter().map(target).collect();
                    let outcomes = store.confirm(&targets).await.expect("the store confirms");
                    assert!(outcomes.iter().all(|said| *said == ConfirmOutcome::Queued));
                }
                size.batch
            }
        })
        .await
    }

    async fn lease_and_settle(&self, size: Size, raw: Option<Arc<R>>) -> f64 {
        let store = self.store.clone();
        run(size.callers, size.calls, move |_| {
            let (store, raw) = (store.clone(), raw.clone());
            async move {
                if let Some(raw) = raw {
                    return raw.lease_and_settle(size.batch).await;
                }
                let request = LeaseRequest::new(size.batch, LEASE);
                let entries = store.lease(&request).await.expect("the store leases").entries;
                let settlements: Vec<_> = entries
                    .iter()
                    .map(|entry| Settlement::new(entry, Attempts::new(1, 0), SettledAs::Delivered))
                    .collect();
                let outcomes = store.settle(&settlements).await.expect("the store settles");
                assert!(outcomes.iter().all(|said| *said == SettleOutcome::Settled));
                outcomes.len()
            }
        })
        .await
    }

    /// Every operation beside `pending` messages that wait.
    pub(crate) async fn measure(&self, pending: u64, table: &mut Table) {
        for size in [SINGLE, BATCH] {
            let turns = in_turns(TURNS, async |is_ours| {
                let raw = self.raw_unless(is_ours);
                let numbers = self.numbers(size.calls * size.batch);
                let record = self.figure(size, self.record(&numbers, size, raw.clone())).await;
                [record, self.figure(size, self.confirm(&numbers, size, raw)).await]
            })
            .await;
            let of = |which: usize| -> Vec<[Figure; 2]> {
                turns.iter().map(|turn| turn.map(|both| both[which])).collect()
            };
            self.rows(pending, "records", size, &of(0), Budget::None, table);
            let budget = if size.batch == 1 { self.budgets.confirms } else { Budget::None };
            self.rows(pending, "confirms", size, &of(1), budget, table);
        }
        self.drain(None).await;
        if let Some(raw) = self.own_data() {
            self.drain(Some(raw)).await;
        }
        for size in [BATCH, LARGE_BATCH] {
            let turns = in_turns(TURNS, async |is_ours| {
                let raw = self.raw_unless(is_ours);
                let data = raw.clone().filter(|_| !R::SHARES_DATA);
                self.queue(size.calls * size.batch, data.clone()).await;
                let figure = self.figure(size, self.lease_and_settle(size, raw)).await;
                self.drain(data).await;
                figure
            })
            .await;
            let budget = self.budgets.lease_and_settle;
            self.rows(pending, "leases and settlements", size, &turns, budget, table);
        }
    }

    /// The figure of a turn, after a rest.
    async fn figure(&self, size: Size, work: impl Future<Output = f64>) -> Figure {
        sleep(REST).await;
        let before = self.raw.worked().await;
        let items = work.await;
        let worked = self.raw.worked().await.zip(before).map(|(after, before)| after - before);
        let seconds = (size.calls * size.batch) as f64 / items;
        Figure { items, of_server: worked.map(|worked| worked / seconds) }
    }

    fn raw_unless(&self, is_ours: bool) -> Option<Arc<R>> {
        (!is_ours).then(|| self.raw.clone())
    }

    /// The raw statements, if they have data of their own.
    fn own_data(&self) -> Option<Arc<R>> {
        (!R::SHARES_DATA).then(|| self.raw.clone())
    }

    /// Puts `count` new messages into the outbox.
    async fn queue(&self, count: usize, raw: Option<Arc<R>>) {
        const AT_ONCE: usize = 256;
        let size = Size { batch: AT_ONCE, callers: 4, calls: count.div_ceil(AT_ONCE) };
        let numbers = self.numbers(size.calls * AT_ONCE);
        self.record(&numbers, size, raw.clone()).await;
        self.confirm(&numbers, size, raw).await;
    }

    /// Empties the outbox.
    async fn drain(&self, raw: Option<Arc<R>>) {
        let size = Size { batch: 512, callers: 4, calls: 4 };
        while self.lease_and_settle(size, raw.clone()).await > 0.0 {}
    }

    fn rows(
        &self,
        pending: u64,
        operation: &str,
        size: Size,
        turns: &[[Figure; 2]],
        budget: Budget,
        table: &mut Table,
    ) {
        let Size { batch, callers, .. } = size;
        let name = self.name;
        let what = format!("{name}, {operation}, {callers} x {batch} of {pending}");
        let of = |figure: fn(&[Figure; 2]) -> f64| spread(turns.iter().map(figure).collect());
        table.varying(&what, "/s", of(|[_, ours]| ours.items), budget);
        let what = format!("   for one of {}", R::WHAT);
        table.varying(&what, "", of(|[raw, ours]| ours.items / raw.items), self.budgets.of_raw);
        let of_server: Vec<f64> = turns.iter().filter_map(|[_, ours]| ours.of_server).collect();
        if !of_server.is_empty() {
            let what = "   for one of what the server could do";
            table.varying(what, "", spread(of_server), self.budgets.of_server);
        }
    }
}

/// What a turn showed.
#[derive(Debug, Clone, Copy)]
struct Figure {
    /// In a second.
    items: f64,
    /// The share of its time that the server worked, if it says so.
    of_server: Option<f64>,
}
