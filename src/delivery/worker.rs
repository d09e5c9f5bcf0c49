use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until},
};
use tracing::{Instrument, debug, debug_span, error, warn};

use super::{
    call::{CallResult, Effect},
    concluded::Concluded,
    control::{Control, Drain, DrainRequest},
    lane::{HOLD, Lane},
    mode::Mode,
    retry::{RetryPolicy, store_backoff},
    transport::{BoxTransport, begin},
};
use crate::{
    AccountSid, Clock, Timestamp,
    store::{
        Attempts, FeedbackStore, LeaseRequest, Leased, SettleOutcome, SettledAs, Settlement,
        StoreError,
    },
    twilio::{AllowedOrigins, Directory, feedback_request},
};

/// What delivery needs to know.
pub(crate) struct Delivery {
    pub(crate) store: Arc<dyn FeedbackStore>,
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
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
    calls: JoinSet<CallResult>,
    in_flight: HashMap<Id, Held>,
    /// Decided, and not yet settled in the store.
    unsettled: Unsettled,
    drains: Vec<DrainRequest>,
    store_errors: u32,
    /// When the worker began to wait for the last time.
    waits_since: Instant,
}

/// What is confirmed within this time is leased together: under load a wake-up for each
/// confirm would cost the routes more than the confirm does.
const GATHERING: Duration = Duration::from_millis(2);
/// Calls in flight in all, whatever the accounts: a bound on sockets.
const MAX_CALLS: usize = 256;
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

/// A leased entry, and until when nobody else can have it.
struct Held {
    entry: Leased,
    until: Timestamp,
}

/// Settlements that the store has not answered, each with what it settles.
#[derive(Default)]
struct Unsettled {
    settlements: Vec<Settlement>,
    held: Vec<Held>,
    /// How many of them, from the first on, the store was asked to settle before.
    tried: usize,
}

impl Unsettled {
    fn push(&mut self, held: Held, attempts: Attempts, settled_as: SettledAs) {
        self.settlements.push(Settlement::new(&held.entry, attempts, settled_as));
        self.held.push(held);
    }

    fn is_empty(&self) -> bool {
        self.settlements.is_empty()
    }

    /// The store is asked for all of them; answers for how many it is the second time.
    fn try_again(&mut self) -> usize {
        std::mem::replace(&mut self.tried, self.settlements.len())
    }

    fn take(&mut self) -> (Vec<Settlement>, Vec<Held>) {
        self.tried = 0;
        (std::mem::take(&mut self.settlements), std::mem::take(&mut self.held))
    }
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
            calls: JoinSet::new(),
            in_flight: HashMap::new(),
            unsettled: Unsettled::default(),
            drains: Vec::new(),
            store_errors: 0,
            waits_since: Instant::now(),
        }
    }

    /// Runs until a drain that stops is over, or until the last handle is gone
    /// and the outbox is empty.
    pub(crate) async fn run(mut self) {
        loop {
            if self.delivery.control.is_halted() {
                return self.release().await;
            }
            while let Some(ended) = self.calls.try_join_next_with_id() {
                self.call_ended(ended);
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

    /// Settles what was decided, then leases and calls as much as is free.
    async fn step(&mut self) -> Result<Outlook, StoreError> {
        self.settle().await?;
        let now = self.delivery.clock.now();
        for account in self.delivery.control.take_giving_way() {
            let lane = lane(&mut self.lanes, account, self.delivery.max_in_flight);
            lane.give_way(now, &self.delivery.retry);
        }
        self.lanes.retain(|_, lane| !lane.is_idle(now));
        let poll_at = self.delivery.store.poll_interval().map(|interval| now + interval);
        if self.is_held_back() {
            return Ok(Outlook { next: poll_at, nothing_due: true, more_to_come: false });
        }
        let max_in_flight = self.delivery.max_in_flight;
        let request = LeaseRequest {
            accounts: self.lanes.iter().map(|(account, lane)| (*account, lane.free(now))).collect(),
            other_accounts: max_in_flight,
            limit: MAX_CALLS.saturating_sub(self.in_flight.len()),
            duration: self.delivery.call_timeout.saturating_add(SETTLING),
        };
        let lanes_open_at = self.lanes.values().filter_map(|lane| lane.opens_at(now)).min();
        if request.limit == 0 {
            return Ok(Outlook { next: poll_at, nothing_due: false, more_to_come: true });
        }
        let answer = bounded(self.delivery.store.lease(&request)).await?;
        let calls = self.in_flight.len();
        // It lasts from the store's answer on, or for longer.
        let until = now + request.duration;
        for entry in answer.entries {
            self.call(Held { entry, until });
        }
        let nothing_due = self.in_flight.len() == calls;
        // What is withheld goes back at once.
        self.settle().await?;
        // What is due but over an account's bound goes when one of its calls ends.
        let due_at = answer.next_due.map(|due| now + due);
        let next = [due_at, lanes_open_at, poll_at].into_iter().flatten().min();
        let paused = self.lanes.values().any(|lane| !lane.is_open() && lane.is_paused(now));
        let more_to_come = answer.more_due || answer.next_due.is_some() || paused;
        Ok(Outlook { next, nothing_due, more_to_come })
    }

    /// Whether nothing may be posted at all.
    fn is_held_back(&self) -> bool {
        let control = &self.delivery.control;
        control.is_paused() || (control.modes.get() != Mode::On && !control.modes.any_on())
    }

    fn call(&mut self, held: Held) {
        let delivery = &self.delivery;
        let entry = &held.entry;
        if delivery.control.modes.of(&entry.base_url) != Mode::On {
            let attempts = entry.attempts;
            self.unsettled.push(held, attempts, SettledAs::Retry(WITHHELD));
            return;
        }
        let lane = lane(&mut self.lanes, entry.account, delivery.max_in_flight);
        lane.in_flight += 1;
        let exchange = if !delivery.origins.permits(&entry.base_url) {
            Err(CallResult::OriginNotAllowed)
        } else if let Some(authorization) = delivery.credentials.authorization(entry.account) {
            feedback_request(&entry.base_url, entry.account, entry.sid, authorization)
                .ok_or(CallResult::OriginNotAllowed)
        } else {
            Err(CallResult::NoCredentials)
        }
        .and_then(|request| begin(&mut *self.transport, request).ok_or(CallResult::Panicked));
        if exchange.is_ok() {
            delivery.control.counters.calls.increment();
        }
        let timeout = delivery.call_timeout;
        let attempt = entry.attempts.total.saturating_add(1);
        let span =
            debug_span!("feedback_call", sid = %entry.sid, account = %entry.account, attempt);
        let call = async move {
            match exchange {
                Err(result) => result,
                Ok(exchange) => match tokio::time::timeout(timeout, exchange).await {
                    Ok(Ok(answer)) => CallResult::Answered(answer),
                    Ok(Err(error)) => CallResult::Failed(error),
                    Err(_) => CallResult::TimedOut,
                },
            }
        };
        let call = self.calls.spawn(call.instrument(span));
        self.in_flight.insert(call.id(), held);
    }

    fn call_ended(&mut self, ended: Result<(Id, CallResult), JoinError>) {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), CallResult::Panicked),
        };
        let Some(held) = self.in_flight.remove(&id) else { return };
        let entry = &held.entry;
        let now = self.delivery.clock.now();
        let decision = result.decide(entry, &self.delivery.retry, now);
        let lane = lane(&mut self.lanes, entry.account, self.delivery.max_in_flight);
        lane.in_flight = lane.in_flight.saturating_sub(1);
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
        self.unsettled.push(held, decision.attempts, decision.settled_as);
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

    async fn settle(&mut self) -> Result<(), StoreError> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        let repeated = self.unsettled.try_again();
        let settled = bounded(self.delivery.store.settle(&self.unsettled.settlements));
        let outcomes = settled.await?;
        let now = self.delivery.clock.now();
        let (settlements, held) = self.unsettled.take();
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
        let next = self.delivery.clock.now() + store_backoff(self.store_errors);
        Outlook { next: Some(next), nothing_due: false, more_to_come: true }
    }

    /// Answers the drains that are over; `true` if the worker is to end.
    async fn answer_drains(&mut self, outlook: &Outlook) -> bool {
        let abandoned = self.delivery.control.is_abandoned();
        if self.drains.is_empty() && !abandoned {
            return false;
        }
        if !outlook.nothing_due || !self.in_flight.is_empty() || !self.unsettled.is_empty() {
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

    /// Waits for a call to end, for a wake-up, or until `next`.
    async fn wait(&mut self, next: Option<Timestamp>) {
        let gathered = self.waits_since + GATHERING;
        self.waits_since = Instant::now();
        let ended = {
            let mut woken = pin!(async {
                self.delivery.control.woken().await;
                if Instant::now() < gathered {
                    sleep_until(gathered).await;
                }
            });
            let mut timer = pin!(async {
                match next {
                    // A failing store paces the worker even where calls end.
                    Some(next) => self.delivery.clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            });
            let calls = &mut self.calls;
            let failing = self.store_errors > 0;
            poll_fn(|cx| {
                if !failing {
                    if let Poll::Ready(Some(ended)) = calls.poll_join_next_with_id(cx) {
                        return Poll::Ready(Some(ended));
                    }
                    if woken.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                }
                timer.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        if let Some(ended) = ended {
            self.call_ended(ended);
        }
    }

    /// Gives leases back, so that another process need not wait for their end.
    async fn release(mut self) {
        self.calls.abort_all();
        while let Some(ended) = self.calls.join_next_with_id().await {
            match ended {
                Ok(ended) => self.call_ended(Ok(ended)),
                Err(error) => {
                    if let Some(held) = self.in_flight.remove(&error.id()) {
                        let attempts = held.entry.attempts;
                        self.unsettled.push(held, attempts, SettledAs::Retry(Duration::ZERO));
                    }
                }
            }
        }
        if let Err(error) = self.settle().await {
            let error: &(dyn Error + 'static) = &error;
            warn!(error, "leases could not be given back; they run out by themselves");
        }
    }
}
