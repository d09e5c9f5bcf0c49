use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Release},
    time::Duration,
};

use tokio::time;

use super::{
    builder::MessageFeedbackBuilder,
    confirmation::{Confirmation, Refusal},
    health::{Health, Preflight, Remaining},
    pending::{PendingConfirms, PendingRecord},
    sent::{Recorded, SentMessage},
    shared::{RELEASE, Shared, single},
    stats::Stats,
};
use crate::{
    BaseUrl, CorrelationId, CorrelationKeys, MessageSid, Mode,
    delivery::Drain,
    store::{ConfirmTarget, Durability, ForgetTarget, LedgerEntry, StoreError, TrackedMessage},
};

/// How long until counts are brought to a store again that fails at the end.
const FLUSH_AGAIN: Duration = Duration::from_millis(50);

/// The handle that an application keeps: it makes the layers, and confirms.
///
/// It is cheap to clone and has no type parameters, so that it fits a state, a
/// field or a static.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_message_feedback::{Credentials, MessageFeedback};
///
/// let feedback = MessageFeedback::builder()
///     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?)
///     .build()?;
/// let confirmation = feedback.confirm("an id that nobody sent").await;
/// assert!(!confirmation.is_confirmed());
/// # Ok(())
/// # }
/// ```
///
/// # Sending by other means
///
/// An application whose sends do not pass through
/// [`provide_layer`](Self::provide_layer) says what it sent with
/// [`record`](Self::record). One that keeps the SIDs itself needs only
/// [`confirm_sid`](Self::confirm_sid).
///
/// # The end
///
/// [`shutdown`](Self::shutdown) delivers what is queued. If every clone is
/// dropped without it, the dispatcher ends once the outbox is empty.
#[derive(Clone)]
#[must_use]
pub struct MessageFeedback(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Release);
        self.shared.deferred.poke();
        // The background task may not be polling: its next look finds the flag.
        self.shared.control.wake();
    }
}

impl MessageFeedback {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Inner { shared }))
    }

    /// Starts a configuration.
    pub fn builder() -> MessageFeedbackBuilder {
        MessageFeedbackBuilder::new()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Remembers under `id` a message that was sent with `ProvideFeedback=true`.
    ///
    /// Waits for the store for as long as the builder's `store_timeout`; then
    /// the record is kept in memory and tried again. Safe to repeat. Cancel safe: once it
    /// has begun, dropping the future does not undo it.
    pub async fn record(&self, id: impl Into<CorrelationId>, sent: SentMessage) -> Recorded {
        let Some(keys) = self.shared().keyring.keys(&id.into()) else {
            return Recorded::InvalidId;
        };
        match self.tracked(keys, sent) {
            Some(message) => PendingRecord::new(self.shared().clone(), message).run().await,
            None => Recorded::OriginNotAllowed,
        }
    }

    pub(super) fn tracked(
        &self,
        keys: CorrelationKeys,
        sent: SentMessage,
    ) -> Option<TrackedMessage> {
        let shared = self.shared();
        if !shared.origins.permits(&sent.base_url) {
            return None;
        }
        let now = shared.clock.now();
        let sent_at = sent.sent_at.unwrap_or(now);
        Some(TrackedMessage {
            key: keys.current,
            sid: sent.sid,
            account: sent.account,
            base_url: sent.base_url,
            sent_at,
            expires_at: sent_at.max(now) + shared.settings.retention,
            segment: shared.segments.of(sent.label, sent.dimensions),
        })
    }

    /// Says that the user did what the message under `id` asked for.
    ///
    /// The message moves into the outbox, and its feedback is delivered in the
    /// background. This waits for the store for as long as the builder's
    /// `store_timeout`, and never for Twilio. Once it has begun, dropping the
    /// future does not undo it. Confirming twice reports once.
    pub async fn confirm(&self, id: impl Into<CorrelationId>) -> Confirmation {
        match self.shared().keyring.keys(&id.into()) {
            Some(keys) => self.confirm_target(self.shared().by_id(keys)).await,
            None => Confirmation::NoId,
        }
    }

    pub(crate) async fn confirm_target(&self, target: ConfirmTarget) -> Confirmation {
        if let Some(confirmation) = self.shared().confirm_at_once(&target) {
            return confirmation;
        }
        let confirms = PendingConfirms::new(self.shared().clone(), vec![target]);
        // One target has one answer.
        confirms.run().await.pop().unwrap_or(Confirmation::Unknown)
    }

    /// Says that the user did what this message asked for, whether or not it
    /// was recorded: for an application that keeps the SIDs itself.
    ///
    /// Otherwise it does what [`confirm`](Self::confirm) does.
    pub async fn confirm_sid(&self, sent: SentMessage) -> Confirmation {
        let shared = self.shared();
        let Some(keys) = shared.keyring.keys(&CorrelationId::sid(sent.sid)) else {
            return Confirmation::NoId;
        };
        match self.tracked(keys, sent) {
            Some(message) => {
                let segment = message.segment.recorded_by_confirm();
                let message = TrackedMessage { segment, ..message };
                self.confirm_target(ConfirmTarget::Message(message)).await
            }
            None => Confirmation::Refused(Refusal::OriginNotAllowed),
        }
    }

    /// Removes everything known under `id` from the store, feedback that is
    /// queued included; answers how many messages that was.
    ///
    /// With the builder's [`status_callback`](MessageFeedbackBuilder::status_callback), a
    /// callback that another process gets within ten minutes of the send may record the
    /// message again.
    ///
    /// Dropped, it may have removed some or all of it: call it again.
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`: call it again.
    pub async fn forget(&self, id: impl Into<CorrelationId>) -> Result<usize, StoreError> {
        let shared = self.shared();
        let Some(keys) = shared.keyring.keys(&id.into()) else { return Ok(0) };
        shared.waiting.remove(keys.current);
        for key in keys.iter() {
            shared.untagged.remove(key);
            shared.early.forget_key(key);
            shared.forgotten.insert(key, shared.clock.now());
        }
        let target = [ForgetTarget::Id(keys)];
        shared.deferred.forget(target[0]);
        shared.patiently(shared.store.forget(&target)).await.and_then(single)
    }

    /// Removes everything known of the message `sid`, queued feedback included;
    /// answers whether there was anything. Status callbacks, and dropping it, are as for
    /// [`forget`](Self::forget).
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`: call it again.
    pub async fn forget_sid(&self, sid: MessageSid) -> Result<bool, StoreError> {
        let shared = self.shared();
        let target = [ForgetTarget::Message(sid)];
        shared.early.forget(sid);
        if let Some(keys) = shared.keyring.keys(&CorrelationId::sid(sid)) {
            shared.forgotten.insert(keys.current, shared.clock.now());
        }
        shared.deferred.forget(target[0]);
        shared
            .patiently(shared.store.forget(&target))
            .await
            .and_then(single)
            .map(|messages| messages > 0)
    }

    /// What became of the messages under `id`, the newest first: when each was
    /// sent, when its action happened, when Twilio took the feedback and after
    /// how many calls, or why not.
    ///
    /// A message that was delivered is remembered for as long as the store's
    /// settings say: in memory,
    /// [`ledger_retention`](crate::store::MemoryStoreBuilder::ledger_retention).
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`.
    pub async fn lookup(
        &self,
        id: impl Into<CorrelationId>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let shared = self.shared();
        let Some(keys) = shared.keyring.keys(&id.into()) else { return Ok(Vec::new()) };
        shared.patiently(shared.store.lookup(&[keys])).await.and_then(single)
    }

    /// What became of the message `sid`.
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within eight times the
    /// builder's `store_timeout`.
    pub async fn lookup_sid(&self, sid: MessageSid) -> Result<Option<LedgerEntry>, StoreError> {
        let shared = self.shared();
        shared.patiently(shared.store.by_sid(&[sid])).await.and_then(single)
    }

    /// Switches the mode of the whole.
    pub fn set_mode(&self, mode: Mode) {
        self.shared().control.modes.set(mode);
        self.shared().control.wake();
    }

    /// The mode of the whole.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared().control.modes.get()
    }

    /// Switches the mode of one origin, the scheme, host and port of `base_url`;
    /// `None` lets it follow the whole again.
    pub fn set_origin_mode(&self, base_url: &BaseUrl, mode: Option<Mode>) {
        self.shared().control.modes.set_origin(base_url, mode);
        self.shared().control.wake();
    }

    /// Holds feedback back in the outbox; sends and confirms go on. Calls in
    /// flight end as they do.
    pub fn pause_delivery(&self) {
        self.shared().control.set_paused(true);
    }

    /// Delivers again.
    pub fn resume_delivery(&self) {
        self.shared().control.set_paused(false);
    }

    /// The counters of this process, at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().stats()
    }

    /// How it is: for a readiness route, and for an alert on
    /// [`oldest_outbox_age`](Health::oldest_outbox_age).
    ///
    /// It waits for the store for as long as the builder's `store_timeout`.
    pub async fn health(&self) -> Health {
        let shared = self.shared();
        let counts = shared.within_bound(shared.store.counts()).await.ok();
        Health {
            dispatcher: shared.control.state(),
            open_circuits: shared.control.open_circuits(),
            deferred: shared.deferred.len(),
            store: counts.is_some(),
            outbox: counts.map(|counts| counts.outbox),
            oldest_outbox_age: counts.and_then(|counts| counts.oldest_outbox_age),
        }
    }

    /// Proves at start that each credential may post feedback, and that the
    /// store can be written, without sending a message or changing anything.
    ///
    /// For each account that the builder names it asks for feedback on a message
    /// that does not exist, where messages are created: at `base_url`. Twilio
    /// answers 404 to credentials that may, and 401 or 403 to others. The store
    /// is asked to forget an id that nobody has.
    ///
    /// It waits for the builder's `call_timeout` at most, and for as long as
    /// nobody has spawned the dispatcher of
    /// [`build_pair`](MessageFeedbackBuilder::build_pair). Cancel safe: dropped, its answers
    /// are nobody's.
    pub async fn preflight(&self, base_url: BaseUrl) -> Preflight {
        let shared = self.shared();
        let accounts = shared.control.preflight(base_url).await;
        // The ids of this kind are SIDs, and this is none: it is nobody's.
        let nobodys = shared.keyring.keys(&CorrelationId::nobodys());
        let targets: Vec<ForgetTarget> = nobodys.map(ForgetTarget::Id).into_iter().collect();
        let store = shared.patiently(shared.store.forget(&targets)).await.is_ok();
        Preflight { accounts, store }
    }

    /// Resolves once everything that is due now has been tried, and says what
    /// is left: feedback that waits for a retry or behind refused credentials.
    ///
    /// It returns once the dispatcher has ended, and waits for as long as the
    /// store fails, or as nobody has spawned the dispatcher of
    /// [`build_pair`](MessageFeedbackBuilder::build_pair). Cancel safe: dropped, it leaves
    /// delivery as it is.
    pub async fn flush(&self) -> Remaining {
        let shared = self.shared();
        let drained = async {
            shared.deferred.emptied().await;
            shared.control.drain(Drain::Due).await;
        };
        shared.control.while_running(drained).await;
        // What it does not take is counted later.
        let _ = shared.flush_report().await;
        self.remaining().await
    }

    /// Takes no more confirms, delivers what is queued, ends the dispatcher,
    /// and says what is left.
    ///
    /// A volatile store is drained until it is empty or `deadline` has passed;
    /// a durable one until nothing is due, because what waits for a retry there
    /// is delivered after the next start. When the deadline has passed, calls in
    /// flight are abandoned and their leases given back, which takes half a
    /// second at most.
    ///
    /// Call it after the server has stopped: behind axum's
    /// `with_graceful_shutdown`. Once it has begun, dropping the future does not undo it: no
    /// more confirms are taken, and calling it again goes on.
    pub async fn shutdown(&self, deadline: Duration) -> Remaining {
        let began = time::Instant::now();
        let shared = self.shared();
        shared.close();
        let volatile = shared.store.durability() == Durability::Volatile;
        let drain = if volatile { Drain::All } else { Drain::Due };
        let drained = shared.control.while_running(async {
            shared.deferred.emptied().await;
            shared.control.drain_and_stop(drain).await;
        });
        if time::timeout(deadline, drained).await.is_err() {
            shared.control.halt();
            let _ = time::timeout(RELEASE, shared.control.ended()).await;
        }
        // What was counted last, in what is left of the time.
        let left = deadline.saturating_sub(began.elapsed()).max(RELEASE);
        let flushed = async {
            while shared.flush_report().await.is_err() {
                time::sleep(FLUSH_AGAIN).await;
            }
        };
        let _ = time::timeout(left, flushed).await;
        self.remaining().await
    }

    async fn remaining(&self) -> Remaining {
        let shared = self.shared();
        let counts = shared.within_bound(shared.store.counts()).await;
        Remaining {
            outbox: counts.ok().map(|counts| counts.outbox),
            deferred: shared.deferred.len(),
        }
    }
}

impl fmt::Debug for MessageFeedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageFeedback")
            .field("mode", &self.mode())
            .field("dispatcher", &self.shared().control.state())
            .finish_non_exhaustive()
    }
}
