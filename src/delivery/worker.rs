use std::{
    collections::BTreeMap,
    error::Error,
    future::{Future, poll_fn, ready},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, debug_span, error, warn};

use super::{
    call::{CallResult, Effect, call_request},
    concluded::Concluded,
    control::{Control, Drain, DrainRequest},
    held::{Held, Unsettled},
    in_flight::InFlight,
    lane::{HOLD, Lane},
    mode::Mode,
    retry::{RetryPolicy, store_backoff},
    transport::{BoxTransport, begin},
};
use crate::{
    AccountSid, Clock, Timestamp,
    clock::SteadyClock,
    store::{
        FeedbackStore, LeaseAnswer, LeaseRequest, Leased, SettleOutcome, SettledAs, StoreError,
    },
    twilio::{AllowedOrigins, Directory},
};

/// What delivery needs to know.
pub(crate) struct Delivery {
    pub(crate) store: Arc<dyn FeedbackStore>,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
    /// What everything here waits by.
    pub(crate) steady: SteadyClock,
    pub(crate) credentials: Directory,
    pub(crate) origins: Arc<AllowedOrigins>,
    pub(crate) retry: RetryPolicy,
    pub(crate) max_in_flight: usize,
    pub(crate) call_timeout: Duration,
}

/// Leases what is due, makes the calls, settles them.
pub(crate) struct Worker {
    delivery: Delivery,
    transport: BoxTransport,
    lanes: BTreeMap<AccountSid, Lane>,
    calls: FuturesUnordered<InFlight>,
    /// Decided, and not yet settled in the store.
    unsettled: Unsettled,
    drains: Vec<DrainRequest>,
    store_errors: u32,
    /// When the store was asked for the last time.
    asked_at: Instant,
    /// An account's queue runs low, and the store has more for it.
    runs_low: bool,
}

/// What is confirmed, and what is decided, within this time goes to the store together: a
/// round trip for each would cost more than the call does.
const GATHERING: Duration =
    Duration::from_millis(if cfg!(message_feedback_shuttle) { 0 } else { 2 });
/// As many settlements wait for no more.
const SETTLE_BATCH: usize = 32;
/// Leased in all, whatever the accounts, and so the calls in flight: a bound on sockets.
const MAX_HELD: usize = 256;
/// How long a leased entry waits for its account's other calls before it goes back.
const QUEUEING: Duration = Duration::from_secs(1);
/// How long until an entry whose origin is switched off is looked at again.
const WITHHELD: Duration = Duration::from_secs(5);
/// Time for a settlement to reach the store before the lease runs out.
const SETTLING: Duration = Duration::from_secs(30);

/// A store that hangs is a store that fails, or nothing else would go on.
async fn bounded<T>(
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    const LONGEST: Duration = Duration::from_secs(10);
    tokio::time::timeout(LONGEST, operation).await.unwrap_or_else(|_| Err(StoreError::timed_out()))
}

/// What the store said of what is still to do.
struct Outlook {
    /// When to look again, if nothing wakes the worker before.
    next: Option<Timestamp>,
    /// Nothing was due, but for accounts whose circuit is open.
    nothing_due: bool,
    /// Something will be due, or may go, without a person's doing.
    more_to_come: bool,
}

fn lane(
    lanes: &mut BTreeMap<AccountSid, Lane>,
    account: AccountSid,
    max_in_flight: usize,
) -> &mut Lane {
    lanes.entry(account).or_insert_with(|| Lane::new(max_in_flight))
}

impl Worker {
    pub(crate) fn new(delivery: Delivery, transport: BoxTransport) -> Self {
        Self {
            delivery,
            transport,
            lanes: BTreeMap::new(),
            calls: FuturesUnordered::new(),
            unsettled: Unsettled::default(),
            drains: Vec::new(),
            store_errors: 0,
            asked_at: Instant::now(),
            runs_low: false,
        }
    }

    /// Runs until a drain that stops is over, or until the last handle is gone
    /// and the outbox is empty.
    pub(crate) async fn run(mut self) {
        loop {
            if self.delivery.control.is_halted() {
                return self.release().await;
            }
            for preflight in self.delivery.control.take_preflights() {
                preflight.start(
                    &mut *self.transport,
                    &self.delivery.credentials,
                    &self.delivery.origins,
                    self.delivery.call_timeout,
                );
            }
            // Taken before the lease: what was queued before a drain was asked for
            // is then seen by the lease that answers it.
            self.drains.extend(self.delivery.control.take_drains());
            self.drains.retain(DrainRequest::is_wanted);
            let outlook = match self.step().await {
                Ok(outlook) => {
                    self.store_errors = 0;
                    outlook
                }
                Err(error) => self.store_failed(&error),
            };
            if self.answer_drains(&outlook).await {
                return;
            }
            self.wait(outlook.next).await;
        }
    }

    /// Settles what was decided, then leases, and calls as much as is free.
    async fn step(&mut self) -> Result<Outlook, StoreError> {
        let now = self.delivery.steady.now();
        for account in self.delivery.control.take_giving_way() {
            let lane = lane(&mut self.lanes, account, self.delivery.max_in_flight);
            lane.give_way(now, &self.delivery.retry);
        }
        let is_held_back = self.is_held_back();
        self.give_back_what_waits(is_held_back, now);
        self.settle().await?;
        self.lanes.retain(|_, lane| !lane.is_idle(now));
        let poll_at = self.delivery.store.poll_interval().map(|interval| now + interval);
        if is_held_back {
            return Ok(Outlook { next: poll_at, nothing_due: true, more_to_come: false });
        }
        let request = LeaseRequest {
            accounts: self.lanes.iter().map(|(account, lane)| (*account, lane.room(now))).collect(),
            other_accounts: self.delivery.max_in_flight,
            limit: MAX_HELD.saturating_sub(self.calls.len() + self.queued()),
            duration: self.delivery.call_timeout.saturating_add(QUEUEING + SETTLING),
        };
        let lanes_open_at = self.lanes.values().filter_map(|lane| lane.opens_at(now)).min();
        if request.limit == 0 {
            let next = [poll_at, self.queued_until()].into_iter().flatten().min();
            return Ok(Outlook { next, nothing_due: false, more_to_come: true });
        }
        let store = self.delivery.store.clone();
        let (request, answer) = self
            .meanwhile(async move {
                let answer = bounded(store.lease(&request)).await;
                (request, answer)
            })
            .await;
        let answer = answer?;
        let (next_due, more_due) = (answer.next_due, answer.more_due);
        let calls = self.calls.len();
        self.take(answer, &request, now);
        let nothing_due = self.calls.len() == calls && self.queued() == 0;
        // What is due but over an account's bound goes when one of its calls ends.
        let due_at = next_due.map(|due| now + due);
        let next = [due_at, lanes_open_at, poll_at, self.queued_until()];
        let next = next.into_iter().flatten().min();
        let paused = self.lanes.values().any(|lane| !lane.is_open() && lane.is_paused(now));
        let more_to_come = more_due || next_due.is_some() || paused;
        Ok(Outlook { next, nothing_due, more_to_come })
    }

    /// Queues what was leased, and begins the calls that there is room for.
    fn take(&mut self, answer: LeaseAnswer, request: &LeaseRequest, now: Timestamp) {
        self.runs_low = false;
        let is_cut_off = answer.entries.len() >= request.limit;
        for entry in answer.entries {
            let account = entry.account;
            // The lease lasts from the store's answer on, or for longer.
            let (begins_by, until) = (now + QUEUEING, now + request.duration);
            let lane = lane(&mut self.lanes, account, self.delivery.max_in_flight);
            lane.queue.push_back(Held { entry, begins_by, until, began: None });
            self.go_on(account, now);
        }
        for lane in self.lanes.values_mut() {
            lane.has_more = is_cut_off || lane.room(now) == 0;
        }
    }

    /// Begins the account's calls that there is room for.
    fn go_on(&mut self, account: AccountSid, now: Timestamp) {
        let is_paused = self.delivery.control.is_paused();
        while let Some(lane) = self.lanes.get_mut(&account) {
            if lane.queue.is_empty() {
                return;
            }
            if is_paused || lane.free(now) == 0 {
                break;
            }
            let Some(held) = lane.queue.pop_front() else { return };
            self.call(held, now);
        }
        if let Some(lane) = self.lanes.get_mut(&account) {
            if is_paused || lane.is_stopped(now) {
                self.unsettled.give_back(lane.queue.drain(..));
            }
        }
    }

    /// How many entries wait in the accounts' queues.
    fn queued(&self) -> usize {
        self.lanes.values().map(|lane| lane.queue.len()).sum()
    }

    /// When the first of what is queued has waited for too long.
    fn queued_until(&self) -> Option<Timestamp> {
        self.lanes.values().filter_map(Lane::queued_until).min()
    }

    /// Others may have what waits here for too long, or for nothing.
    fn give_back_what_waits(&mut self, is_held_back: bool, now: Timestamp) {
        for lane in self.lanes.values_mut() {
            let all = is_held_back || lane.is_stopped(now);
            let over = lane.queue.iter().take_while(|held| all || held.begins_by <= now).count();
            self.unsettled.give_back(lane.queue.drain(..over));
        }
    }

    /// Whether nothing may be posted at all.
    fn is_held_back(&self) -> bool {
        let control = &self.delivery.control;
        control.is_paused() || (control.modes.get() != Mode::On && !control.modes.any_on())
    }

    fn call(&mut self, mut held: Held, now: Timestamp) {
        let delivery = &self.delivery;
        held.began = Some(Instant::now());
        let entry = &held.entry;
        if delivery.control.modes.of(&entry.base_url) != Mode::On {
            let attempts = entry.attempts;
            self.unsettled.push(held, attempts, SettledAs::Retry(WITHHELD));
            return;
        }
        let lane = lane(&mut self.lanes, entry.account, delivery.max_in_flight);
        lane.call_began(now);
        let request = call_request(
            &delivery.origins,
            &delivery.credentials,
            &entry.base_url,
            entry.account,
            entry.sid,
        );
        let exchange = request.and_then(|request| {
            begin(&mut *self.transport, request, delivery.call_timeout).ok_or(CallResult::Panicked)
        });
        if exchange.is_ok() {
            delivery.control.counters.calls.increment();
        }
        let exchange = exchange.unwrap_or_else(|result| Box::pin(ready(result)));
        let attempt = entry.attempts.total.saturating_add(1);
        let span =
            debug_span!("feedback_call", sid = %entry.sid, account = %entry.account, attempt);
        self.calls.push(InFlight::new(held, exchange, span));
    }

    fn take_ended(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(ended)) = Pin::new(&mut self.calls).poll_next(cx) {
            self.call_ended(ended);
        }
    }

    fn call_ended(&mut self, (held, result): (Option<Held>, CallResult)) {
        let Some(held) = held else { return };
        let entry = &held.entry;
        let now = self.delivery.steady.now();
        let decision = result.decide(entry, &self.delivery.retry, self.delivery.clock.now());
        let lane = lane(&mut self.lanes, entry.account, self.delivery.max_in_flight);
        let took = held.began.map_or(self.delivery.call_timeout, |began| began.elapsed());
        lane.call_ended(took, now);
        match decision.effect {
            Effect::Accepted => {
                if lane.accepted(now) {
                    warn!(account = %entry.account, "credentials are accepted again");
                }
            }
            Effect::Refused => {
                self.delivery.control.counters.unauthorized.increment();
                if lane.refused(now) {
                    error!(
                        account = %entry.account,
                        status = result.status().map(|status| status.as_u16()),
                        code = result.code(),
                        result = result.name(),
                        request_id = result.request_id(),
                        "credentials for feedback are refused or missing; the account's feedback waits"
                    );
                }
            }
            Effect::Throttled(asked) => lane.throttled(now, asked, &self.delivery.retry),
            Effect::SlowDown => {
                lane.slow_down(now, &self.delivery.retry, HOLD);
            }
            Effect::Pause(wait) => lane.pause(now + wait),
            Effect::None => {}
        }
        let open = self.lanes.values().filter(|lane| lane.is_open()).count();
        self.delivery.control.set_open_circuits(open);
        if decision.effect != Effect::Refused {
            self.report(entry, &result, decision.settled_as);
        }
        let account = entry.account;
        self.unsettled.push(held, decision.attempts, decision.settled_as);
        self.go_on(account, now);
        self.runs_low =
            self.runs_low || self.lanes.get(&account).is_some_and(|lane| lane.runs_low(now));
    }

    fn report(&self, entry: &Leased, result: &CallResult, settled_as: SettledAs) {
        let counters = &self.delivery.control.counters;
        let status = result.status().map(|status| status.as_u16());
        let code = result.code();
        if status == Some(429) {
            counters.throttled.increment();
        }
        match settled_as {
            SettledAs::Delivered => {
                counters.delivered.increment();
                debug!(sid = %entry.sid, account = %entry.account, status, "feedback delivered");
            }
            SettledAs::Retry(wait) => {
                counters.retried.increment();
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                debug!(
                    sid = %entry.sid,
                    account = %entry.account,
                    status,
                    code,
                    result = result.name(),
                    error = result.error(),
                    request_id = result.request_id(),
                    wait_ms,
                    "feedback will be sent again"
                );
            }
            SettledAs::Dead(failure) => {
                counters.dead_lettered.increment();
                warn!(
                    sid = %entry.sid,
                    account = %entry.account,
                    status,
                    code,
                    failure = ?failure.kind,
                    request_id = result.request_id(),
                    "feedback is a dead letter"
                );
            }
        }
    }

    /// Goes on with the calls while the store is asked.
    async fn meanwhile<T>(&mut self, asking: impl Future<Output = T>) -> T {
        let mut asking = pin!(asking);
        poll_fn(|cx| {
            let answer = asking.as_mut().poll(cx);
            if answer.is_pending() && self.store_errors == 0 {
                self.take_ended(cx);
            }
            answer
        })
        .await
    }

    async fn settle(&mut self) -> Result<(), StoreError> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        let store = self.delivery.store.clone();
        let mut batch = mem::take(&mut self.unsettled);
        let repeated = batch.try_again();
        let (mut batch, outcomes) = self
            .meanwhile(async move {
                let outcomes = bounded(store.settle(batch.settlements())).await;
                (batch, outcomes)
            })
            .await;
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => {
                batch.append(&mut self.unsettled);
                self.unsettled = batch;
                return Err(error);
            }
        };
        let now = self.delivery.steady.now();
        let (settlements, held) = batch.into_parts();
        let mut concluded = Vec::new();
        for (at, outcome) in outcomes.into_iter().enumerate() {
            let Some((settlement, held)) = settlements.get(at).zip(held.get(at)) else { break };
            // Nobody else can have it before its lease runs out: then the first try, whose
            // answer was lost, has settled it.
            let is_settled = outcome == SettleOutcome::Settled || at < repeated && now < held.until;
            if !is_settled {
                self.delivery.control.counters.leases_lost.increment();
                continue;
            }
            let is_delivered = match settlement.settled_as {
                SettledAs::Delivered => true,
                SettledAs::Dead(_) => false,
                SettledAs::Retry(_) => continue,
            };
            concluded.push(Concluded { sid: held.entry.sid, is_delivered });
        }
        self.delivery.control.conclusions.extend(concluded.into_iter());
        Ok(())
    }

    fn store_failed(&mut self, error: &StoreError) -> Outlook {
        self.delivery.control.counters.store_errors.increment();
        if self.store_errors == 0 {
            let error: &(dyn Error + 'static) = error;
            warn!(error, "the store failed; delivery waits");
        }
        self.store_errors = self.store_errors.saturating_add(1);
        let next = self.delivery.steady.now() + store_backoff(self.store_errors);
        Outlook { next: Some(next), nothing_due: false, more_to_come: true }
    }

    /// Answers the drains that are over; `true` if the worker is to end.
    async fn answer_drains(&mut self, outlook: &Outlook) -> bool {
        let abandoned = self.delivery.control.is_abandoned();
        if self.drains.is_empty() && !abandoned {
            return false;
        }
        let holds_some = !self.calls.is_empty() || self.queued() > 0;
        if !outlook.nothing_due || holds_some || !self.unsettled.is_empty() {
            return false;
        }
        let counted = abandoned || self.drains.iter().any(|request| request.drain == Drain::All);
        let counts = match counted {
            true => bounded(self.delivery.store.counts()).await.ok(),
            false => None,
        };
        let left = counts.map_or(u64::MAX, |counts| counts.outbox);
        // What waits behind an open circuit, or for a person, cannot be drained.
        let stuck = !outlook.more_to_come
            && (self.is_held_back() || self.lanes.values().any(Lane::is_open));
        let mut stop = abandoned && left == 0;
        for request in std::mem::take(&mut self.drains) {
            if request.drain == Drain::Due || left == 0 || stuck {
                stop |= request.stop;
                let _ = request.done.send(());
            } else {
                self.drains.push(request);
            }
        }
        stop
    }

    /// Makes calls of what is queued, until there is something to ask the store for, or
    /// until `next`.
    async fn wait(&mut self, next: Option<Timestamp>) {
        let control = self.delivery.control.clone();
        let clock = self.delivery.steady.clone();
        let mut woken = pin!(control.woken());
        let mut gathered = pin!(sleep_until(self.asked_at + GATHERING));
        let mut timer = pin!(async {
            match next {
                Some(next) => clock.sleep_until(next).await,
                None => std::future::pending().await,
            }
        });
        let mut is_woken = false;
        poll_fn(|cx| {
            // A failing store paces the worker even where calls end.
            if self.store_errors == 0 {
                self.take_ended(cx);
                is_woken = is_woken || woken.as_mut().poll(cx).is_ready();
                let is_enough = self.unsettled.len() >= SETTLE_BATCH || self.calls.is_empty();
                if self.runs_low || is_enough && !self.unsettled.is_empty() {
                    return Poll::Ready(());
                }
                if (is_woken || !self.unsettled.is_empty()) && gathered.as_mut().poll(cx).is_ready()
                {
                    return Poll::Ready(());
                }
            }
            timer.as_mut().poll(cx)
        })
        .await;
        self.asked_at = Instant::now();
    }

    /// Gives leases back, so that another process need not wait for their end.
    async fn release(mut self) {
        for lane in self.lanes.values_mut() {
            self.unsettled.give_back(lane.queue.drain(..));
        }
        self.take_ended(&mut Context::from_waker(Waker::noop()));
        let calls = mem::take(&mut self.calls);
        self.unsettled.give_back(calls.into_iter().filter_map(|mut call| call.take()));
        if let Err(error) = self.settle().await {
            let error: &(dyn Error + 'static) = &error;
            warn!(error, "leases could not be given back; they run out by themselves");
        }
    }
}
