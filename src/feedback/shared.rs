use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::Uri;
use tokio::{runtime::Handle, time};
use tracing::{debug, info, warn};

use super::{
    confirmation::{Confirmation, Refusal},
    deferred::{Deferred, DeferredQueue},
    early_statuses::EarlyStatuses,
    gather::Gather,
    recent::{Recent, Untagged},
    segments::Segments,
    settings::Settings,
    stats::{ConfirmCounters, SendCounters, Stats, StatusCounters},
    tally::Tally,
    waiting::{Action, WaitingSet},
};
#[cfg(feature = "axum")]
use crate::MessagingServiceSid;
use crate::{
    BaseUrl, Clock, CorrelationKeys, MessageForm, MessageSid, Timestamp,
    clock::SteadyClock,
    correlate::Keyring,
    counters::Striped,
    delivery::{Control, DispatcherState},
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, RecordOutcome, StoreError,
        TrackedMessage,
    },
    sync::{
        PoisonError, RwLock,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    twilio::AllowedOrigins,
};

pub(super) type TagIf = dyn Fn(&MessageForm<'_>) -> bool + Send + Sync;

/// Mistakes that are told once.
#[derive(Debug, Default)]
pub(super) struct Warned {
    tagged_without_id: AtomicBool,
    never_tagged: AtomicBool,
    other_process: AtomicBool,
}

/// What every clone of the handle, the layers and the background task share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn FeedbackStore>,
    pub(crate) keyring: Keyring,
    pub(crate) clock: Clock,
    /// What waits in memory goes by.
    pub(crate) steady: SteadyClock,
    pub(crate) origins: Arc<AllowedOrigins>,
    pub(crate) settings: Settings,
    pub(crate) control: Arc<Control>,
    pub(crate) sends: Striped<SendCounters>,
    pub(crate) confirms: Striped<ConfirmCounters>,
    pub(super) statuses: Striped<StatusCounters>,
    pub(super) recording: Arc<Gather<TrackedMessage, RecordOutcome>>,
    pub(super) confirming: Arc<Gather<ConfirmTarget, ConfirmOutcome>>,
    pub(super) deferred: DeferredQueue,
    pub(super) waiting: WaitingSet,
    pub(super) early: EarlyStatuses,
    /// Which Messaging Service a sender sends for, as far as it is known here.
    #[cfg(feature = "axum")]
    pub(super) senders: Recent<MessagingServiceSid>,
    /// What a status callback must not bring back, and when it was forgotten.
    pub(super) forgotten: Recent<Timestamp>,
    pub(crate) untagged: Recent<Untagged>,
    /// The webhooks that have confirmed.
    #[cfg(feature = "axum")]
    pub(super) webhooks: Recent<()>,
    pub(crate) segments: Segments,
    pub(super) tally: Tally,
    pub(super) tag_if: Option<Arc<TagIf>>,
    pub(super) warned: Warned,
    pub(super) base_urls: BaseUrls,
    /// The store did not answer in time, and has answered nothing since.
    pub(super) store_hangs: AtomicBool,
    pub(super) closed: AtomicBool,
    /// The last handle is gone.
    pub(super) abandoned: AtomicBool,
}

impl Shared {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    /// Whether it was shut down, or every handle is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closed() || self.abandoned.load(Acquire)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Release);
    }

    /// Whether to spare a send or a route the wait for a store that hangs: what it
    /// brings goes to the retry queue, from which the background task finds out
    /// when the store answers again.
    pub(super) fn defers_at_once(&self) -> bool {
        self.store_hangs.load(Relaxed) && self.control.state() == DispatcherState::Running
    }

    /// Remembers what an operation that a send or a route waited for said of the
    /// store.
    pub(super) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.as_ref().is_err_and(StoreError::is_timeout) {
            self.store_hangs.store(true, Relaxed);
        }
        result
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            sends: self.sends.snapshot(),
            confirms: self.confirms.snapshot(),
            statuses: self.statuses.snapshot(),
            delivery: self.control.counters.snapshot(),
            report: self.tally.stats(),
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) async fn set_gauges(&self) {
        let counts = self.patiently(self.store.counts()).await.ok();
        super::metrics::stands(self, &self.stats(), counts);
    }

    pub(crate) fn may_tag(&self, form: &MessageForm<'_>) -> bool {
        self.tag_if.as_ref().is_none_or(|tag_if| tag_if(form))
    }

    pub(crate) fn tagged_without_id(&self) {
        self.sends.tagged_without_id.increment();
        if !self.warned.tagged_without_id.swap(true, Relaxed) {
            warn!(
                "a message was sent with ProvideFeedback=true and without a correlation id: no \
                 action can ever confirm it, and it lowers the conversion rate. Give its send an \
                 id, or do not tag it. (Told once; `stats().sends.tagged_without_id` counts.)"
            );
        }
    }

    /// The base URL of a create, if feedback may go there.
    pub(crate) fn base_url(&self, uri: &Uri, prefix: &str) -> Option<BaseUrl> {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
        // What is known was permitted once.
        self.base_urls.known(scheme, authority, prefix).or_else(|| {
            let permitted = self.origins.permits_uri(uri);
            permitted.then(|| self.base_urls.intern(scheme, authority, prefix))
        })
    }

    /// Counts a record, and makes up for a confirm that overtook it. `tried`: the store was
    /// asked before and did not answer, so that what it says is present may be new.
    pub(super) fn recorded(&self, message: &TrackedMessage, outcome: RecordOutcome, tried: bool) {
        let is_new =
            outcome == RecordOutcome::Inserted || tried && outcome == RecordOutcome::AlreadyPresent;
        if is_new && self.tally.attempted(message.sent_at, message.account, &message.segment) {
            self.control.conclusions.poke();
        }
        match outcome {
            RecordOutcome::Inserted => {
                self.sends.recorded.increment();
                debug!(sid = %message.sid, account = %message.account, "message tracked");
            }
            RecordOutcome::AlreadyPresent | RecordOutcome::OtherId => {
                self.sends.already_recorded.increment();
            }
            RecordOutcome::Full => {
                self.sends.record_refused.increment();
                warn!(sid = %message.sid, "message not tracked: the store is full");
            }
        }
        if self.early.hasten(message.sid, message.account, self.steady.now()) {
            self.deferred.poke();
        }
        let is_meant = |action: &Action| !action.is_before(message.sent_at);
        if let Some(action) = self.waiting.remove_if(message.key, is_meant) {
            let (target, acted_at) = (self.by_id(action.keys), action.acted_at);
            if self.deferred.push(Deferred::Confirm { target, acted_at }) {
                self.confirms.overtaken.increment();
            } else {
                // No room: the background task finds it when it looks again.
                self.wait_for_record(action);
            }
        }
    }

    /// A dead letter is in the outbox again.
    pub(super) fn sent_again(&self, sid: MessageSid) {
        if self.tally.sent_again(sid) {
            self.control.conclusions.poke();
        }
    }

    pub(crate) fn by_id(&self, keys: CorrelationKeys) -> ConfirmTarget {
        ConfirmTarget::Id { keys, resends: self.settings.resends }
    }

    /// Records a message, together with others if the store is busy.
    pub(super) async fn record_together(
        &self,
        message: TrackedMessage,
    ) -> Result<Vec<RecordOutcome>, StoreError> {
        let (store, bound) = (self.store.clone(), self.settings.store_timeout);
        let operation = move |messages: Vec<TrackedMessage>| {
            let store = store.clone();
            async move { within(bound, store.record(&messages)).await }
        };
        self.recording.ask(vec![message], operation).await
    }

    /// Confirms what one answer confirms, together with others if the store is busy.
    pub(super) async fn confirm_together(
        &self,
        targets: Vec<ConfirmTarget>,
    ) -> Result<Vec<ConfirmOutcome>, StoreError> {
        let (store, bound) = (self.store.clone(), self.settings.store_timeout);
        let operation = move |targets: Vec<ConfirmTarget>| {
            let store = store.clone();
            async move { within(bound, store.confirm(&targets)).await }
        };
        self.confirming.ask(targets, operation).await
    }

    /// Confirms `target` if the store does it without waiting.
    pub(crate) fn confirm_at_once(&self, target: &ConfirmTarget) -> Option<Confirmation> {
        if self.is_closed() {
            return None;
        }
        Some(self.confirmed(target, None, self.store.try_confirm(target)?))
    }

    /// Counts what became of an action at `acted_at`, or now, and waits for a record that it
    /// overtook.
    pub(super) fn confirmed(
        &self,
        target: &ConfirmTarget,
        acted_at: Option<Timestamp>,
        outcome: ConfirmOutcome,
    ) -> Confirmation {
        let confirmation = self.confirmation(target, outcome);
        self.count(confirmation);
        if let (Confirmation::Unknown, ConfirmTarget::Id { keys, .. }) = (confirmation, target) {
            self.warn_of_other_processes();
            let acted_at = acted_at.unwrap_or_else(|| self.clock.now());
            self.wait_for_record(Action { keys: *keys, acted_at });
        }
        confirmation
    }

    /// What a store's outcome means to the application.
    pub(super) fn confirmation(
        &self,
        target: &ConfirmTarget,
        outcome: ConfirmOutcome,
    ) -> Confirmation {
        match outcome {
            ConfirmOutcome::Queued => Confirmation::Queued,
            ConfirmOutcome::AlreadyConfirmed => Confirmation::AlreadyConfirmed,
            ConfirmOutcome::Full => Confirmation::Refused(Refusal::OutboxFull),
            // It was not tagged, or not yet recorded, or was never sent.
            ConfirmOutcome::Unknown => match target {
                ConfirmTarget::Id { keys, .. } => match self.untagged.get(keys.iter()) {
                    Some(Untagged::Observed) => Confirmation::Observed,
                    Some(Untagged::NotTagged) => Confirmation::NeverTagged,
                    None => Confirmation::Unknown,
                },
                ConfirmTarget::Message(_) | ConfirmTarget::Recorded { .. } => Confirmation::Unknown,
            },
        }
    }

    /// What it means that nothing is recorded under any of these ids; it is counted, and
    /// not waited for.
    #[cfg(feature = "axum")]
    pub(crate) fn found_nothing(&self, ids: &[CorrelationKeys]) -> Confirmation {
        let confirmation = ids
            .iter()
            .map(|keys| self.confirmation(&self.by_id(*keys), ConfirmOutcome::Unknown))
            .find(|confirmation| *confirmation != Confirmation::Unknown)
            .unwrap_or(Confirmation::Unknown);
        self.count(confirmation);
        confirmation
    }

    /// Counts and tells what became of a confirm, and wakes the dispatcher.
    pub(super) fn count(&self, confirmation: Confirmation) {
        match confirmation {
            Confirmation::Queued => {
                self.confirms.queued.increment();
                self.control.wake();
                debug!("feedback queued");
            }
            Confirmation::AlreadyConfirmed => self.confirms.already_confirmed.increment(),
            Confirmation::Unknown => self.confirms.unknown.increment(),
            Confirmation::Observed => {
                self.confirms.observed.increment();
                info!("observed: this confirm would be queued");
            }
            Confirmation::NeverTagged => {
                self.confirms.never_tagged.increment();
                if !self.warned.never_tagged.swap(true, Relaxed) {
                    warn!(
                        "an action was confirmed whose message was sent without \
                         ProvideFeedback=true: Twilio takes no feedback for it. (Told once; \
                         `stats().confirms.never_tagged` counts.)"
                    );
                }
            }
            Confirmation::Refused(refusal) => {
                self.confirms.refused.increment();
                if refusal == Refusal::OutboxFull {
                    warn!("confirm refused: the outbox is full");
                    // Of several messages some may have fitted.
                    self.control.wake();
                }
            }
            Confirmation::Deferred => self.confirms.deferred.increment(),
            Confirmation::NotAnAction | Confirmation::NoId => {}
        }
    }

    /// With a store in the memory of one process, a confirm finds nothing where
    /// another process has sent the message. That looks like many unknown ids
    /// and few known ones.
    fn warn_of_other_processes(&self) {
        const MANY: u64 = 32;
        let unknown = self.confirms.sum(|confirms| &confirms.unknown);
        if unknown < MANY
            || self.store.durability() != Durability::Volatile
            || unknown < 2 * self.confirms.sum(|confirms| &confirms.queued)
        {
            return;
        }
        if !self.warned.other_process.swap(true, Relaxed) {
            warn!(
                "most confirmed ids are unknown to the store in memory. Do several processes \
                 serve this application, or was it restarted? Then a message is known only to \
                 the process that sent it: use a store that they share. (Told once; \
                 `stats().confirms.unknown` counts.)"
            );
        }
    }

    fn wait_for_record(&self, action: Action) {
        let until = self.steady.now() + self.settings.wait_for_record;
        if self.waiting.insert(action, until) {
            self.confirms.waiting_evicted.increment();
        }
        // The background task may be asleep with nothing to look up.
        self.deferred.poke();
    }

    pub(super) fn refused(&self, refusal: Refusal) -> Confirmation {
        let confirmation = Confirmation::Refused(refusal);
        self.count(confirmation);
        confirmation
    }

    pub(super) fn defer_confirm(&self, target: ConfirmTarget, acted_at: Timestamp) -> Confirmation {
        if self.deferred.push(Deferred::Confirm { target, acted_at }) {
            self.count(Confirmation::Deferred);
            Confirmation::Deferred
        } else {
            warn!("confirm refused: the store fails and the retry queue is full");
            self.refused(Refusal::QueueFull)
        }
    }

    /// Answers whether there was room.
    pub(super) fn defer_record(&self, message: TrackedMessage, tried: bool) -> bool {
        let sid = message.sid;
        let deferred = self.deferred.push(Deferred::Record { message, tried });
        if deferred {
            self.sends.record_deferred.increment();
            debug!(sid = %sid, "record deferred");
        } else {
            self.sends.record_refused.increment();
            warn!(sid = %sid, "message not tracked: the store fails and the retry queue is full");
        }
        deferred
    }

    /// Bounds an operation that a send or a route waits for.
    pub(crate) async fn within_bound<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.within(self.settings.store_timeout, operation).await
    }

    /// Bounds an operation that no send and no route waits for.
    pub(super) async fn patiently<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.more_patiently(0, operation).await
    }

    /// The same after `failures` of the kind: a store that is slow and not broken
    /// gets the time it needs.
    pub(super) async fn more_patiently<T>(
        &self,
        failures: u32,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let store_timeout = self.settings.store_timeout;
        let patience = store_timeout.saturating_mul(8 << failures.min(16)).min(PATIENCE);
        self.within(patience.max(store_timeout), operation).await
    }

    async fn within<T>(
        &self,
        bound: Duration,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let result = within(bound, operation).await;
        if result.is_err() {
            self.confirms.store_errors.increment();
        }
        result
    }
}

/// An answer that is there at once costs no timer, and without a runtime
/// there is none.
async fn within<T>(
    bound: Duration,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut operation = pin!(operation);
    let first = poll_fn(|cx| Poll::Ready(operation.as_mut().poll(cx))).await;
    match first {
        Poll::Ready(result) => result,
        Poll::Pending if Handle::try_current().is_err() => operation.await,
        Poll::Pending => {
            time::timeout(bound, operation).await.unwrap_or_else(|_| Err(StoreError::timed_out()))
        }
    }
}

/// The one answer to a batch of one.
pub(super) fn single<T>(answers: Vec<T>) -> Result<T, StoreError> {
    answers.into_iter().next().ok_or_else(|| StoreError::new("the store answered nothing"))
}

/// An answer to each item, or none.
pub(super) fn all<T, U>(items: &[T], answers: Vec<U>) -> Result<Vec<U>, StoreError> {
    if answers.len() == items.len() {
        Ok(answers)
    } else {
        Err(StoreError::new("the store did not answer every item"))
    }
}

/// The few base URLs that an application sends to, so that a send shares one.
#[derive(Debug, Default)]
pub(super) struct BaseUrls(RwLock<Vec<BaseUrl>>);

impl BaseUrls {
    const MAX: usize = 64;

    fn known(&self, scheme: &str, authority: &str, prefix: &str) -> Option<BaseUrl> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| known.is(scheme, authority, prefix)).cloned()
    }

    fn intern(&self, scheme: &str, authority: &str, prefix: &str) -> BaseUrl {
        let base_url = BaseUrl::from_parts(scheme, authority, prefix);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Self::MAX && !known.contains(&base_url) {
            known.push(base_url.clone());
        }
        base_url
    }
}

/// The longest that work in the background waits for the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest that dropping leases may take once a deadline has passed.
pub(super) const RELEASE: Duration = Duration::from_millis(500);
