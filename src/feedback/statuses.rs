//! What status callbacks tell, on its way to the store.

use std::{error::Error, sync::Arc, time::Duration};

use tracing::debug;

use super::{
    early_statuses::EarlyStatus,
    pending::PendingRecord,
    sent::Recorded,
    shared::{Shared, single},
    status_callback_url::TrackedSend,
};
use crate::{
    CorrelationId, MessageFeedback, Timestamp,
    store::{StatusOutcome, StatusUpdate, TrackedMessage},
};

/// How long a status waits for the record of its message: the answer to a create comes
/// within moments, and later statuses come anyway.
const EARLY: Duration = Duration::from_secs(2);
/// How long one waits for a store that fails.
const AGAIN: Duration = Duration::from_secs(5);
/// How long after its create a message is still recorded by a callback: longer than a
/// code is good for. What was dropped or forgotten later does not come back.
const RECOVERED: Duration = Duration::from_secs(10 * 60);
const BATCH: usize = 256;

/// What became of [`record_status`](MessageFeedback::record_status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusRecorded {
    /// It is the message's status now.
    Recorded,
    /// The message was as far, or further.
    NotNewer,
    /// No such message of the account is tracked: it was not tagged, or is not recorded
    /// yet. The status is kept in memory for two seconds and then tried once more.
    Unknown,
    /// The store did not answer in time. The status is kept in memory and tried again.
    Deferred,
    /// The store does not answer and the memory for such statuses is full.
    Refused,
}

impl MessageFeedback {
    /// Keeps how far Twilio has delivered a message: for status callbacks that reach the
    /// application by other means than [`webhook::StatusCallback`], which must be known
    /// to be Twilio's.
    ///
    /// A status only moves forward, in whatever order it is told. Waits for the store
    /// for as long as the builder's `store_timeout`. Safe to repeat. Cancel safe: dropped,
    /// what has begun is kept in memory and tried again.
    ///
    /// [`webhook::StatusCallback`]: crate::webhook
    pub async fn record_status(&self, update: StatusUpdate) -> StatusRecorded {
        self.shared().record_status(update, None).await
    }
}

impl Shared {
    /// Keeps a status. `send` is what the callback's URL says of its send: an unknown
    /// message is recorded by it.
    pub(crate) async fn record_status(
        self: &Arc<Self>,
        update: StatusUpdate,
        send: Option<TrackedSend>,
    ) -> StatusRecorded {
        let message = send.and_then(|send| self.recovered(update, send));
        let pending = PendingStatus { shared: self, early: Some(EarlyStatus { update, message }) };
        let recorded = self.update_status(update).await;
        let message = pending.message();
        if let (Some(message), StatusRecorded::Unknown) = (message.clone(), recorded) {
            self.recover(message).await;
            let recorded = self.update_status(update).await;
            pending.ended();
            return self.or_later(update, None, recorded);
        }
        pending.ended();
        // If the store fails, whether it is known is seen later.
        self.or_later(update, message, recorded)
    }

    async fn update_status(&self, update: StatusUpdate) -> StatusRecorded {
        if self.defers_at_once() {
            return StatusRecorded::Deferred;
        }
        let updates = [update];
        let updated = self.within_bound(self.store.update_status(&updates)).await;
        match self.noted(updated).and_then(single) {
            Ok(outcome) => self.updated(&update, outcome),
            Err(error) => {
                let error: &(dyn Error + 'static) = &error;
                debug!(error, sid = %update.sid, "status deferred");
                StatusRecorded::Deferred
            }
        }
    }

    fn updated(&self, update: &StatusUpdate, outcome: StatusOutcome) -> StatusRecorded {
        match outcome {
            StatusOutcome::Updated { previous } => {
                self.statuses.recorded.increment();
                if self.tally.status_moved(update.sid, previous, update.status) {
                    self.control.conclusions.poke();
                }
                StatusRecorded::Recorded
            }
            StatusOutcome::NotNewer => {
                self.statuses.not_newer.increment();
                StatusRecorded::NotNewer
            }
            StatusOutcome::Unknown => StatusRecorded::Unknown,
        }
    }

    /// Keeps what the store did not take.
    fn or_later(
        &self,
        update: StatusUpdate,
        message: Option<TrackedMessage>,
        recorded: StatusRecorded,
    ) -> StatusRecorded {
        let wait = match recorded {
            StatusRecorded::Unknown => EARLY,
            StatusRecorded::Deferred => AGAIN,
            _ => return recorded,
        };
        if !self.keep_early(EarlyStatus { update, message }, wait) {
            return StatusRecorded::Refused;
        }
        if recorded == StatusRecorded::Deferred {
            self.statuses.deferred.increment();
        }
        // The background task may be asleep with nothing to look up.
        self.deferred.poke();
        recorded
    }

    /// The message of a send that was never answered, or whose answer is slower than
    /// the callback.
    fn recovered(&self, update: StatusUpdate, send: TrackedSend) -> Option<TrackedMessage> {
        let age = self.clock.now().since(send.created_at);
        let is_forgotten = || {
            let sid = self.keyring.keys(&CorrelationId::sid(update.sid)).map(|keys| keys.current);
            let forgotten = [Some(send.key), sid].map(|key| self.forgotten.get(key.into_iter()));
            forgotten.into_iter().flatten().any(|at| at >= send.created_at)
        };
        if age > RECOVERED || !self.origins.permits(&send.base_url) || is_forgotten() {
            return None;
        }
        Some(TrackedMessage {
            key: send.key,
            sid: update.sid,
            account: send.account,
            base_url: send.base_url,
            sent_at: send.sent_at,
            expires_at: send.sent_at + self.settings.retention,
            segment: send.segment,
        })
    }

    /// Tries again what has waited for its time.
    pub(super) async fn retry_statuses(self: &Arc<Self>, now: Timestamp) {
        let due = self.early.take_due(now);
        for some in due.chunks(BATCH) {
            let updates: Vec<StatusUpdate> = some.iter().map(|early| early.update).collect();
            let answered = self.patiently(self.store.update_status(&updates)).await;
            match answered {
                Ok(outcomes) if outcomes.len() == some.len() => {
                    for (early, outcome) in some.iter().zip(outcomes) {
                        self.retried(early, outcome).await;
                    }
                }
                _ => some.iter().for_each(|early| {
                    self.keep_early(early.clone(), AGAIN);
                }),
            }
        }
    }

    async fn retried(self: &Arc<Self>, early: &EarlyStatus, outcome: StatusOutcome) {
        if self.updated(&early.update, outcome) != StatusRecorded::Unknown {
            return;
        }
        let Some(message) = early.message.clone() else {
            self.statuses.unknown.increment();
            return;
        };
        self.recover(message).await;
        self.keep_early(EarlyStatus { update: early.update, message: None }, Duration::ZERO);
    }

    async fn recover(self: &Arc<Self>, message: TrackedMessage) {
        if PendingRecord::new(self.clone(), message).run().await == Recorded::Recorded {
            self.statuses.recovered.increment();
        }
    }

    /// Answers whether there was room.
    fn keep_early(&self, early: EarlyStatus, wait: Duration) -> bool {
        let kept = self.early.insert(early, self.steady.now() + wait);
        if !kept {
            self.statuses.refused.increment();
        }
        kept
    }
}

/// A status on its way to the store: dropped before it is there, it is kept and tried again.
struct PendingStatus<'a> {
    shared: &'a Shared,
    early: Option<EarlyStatus>,
}

impl PendingStatus<'_> {
    fn message(&self) -> Option<TrackedMessage> {
        self.early.as_ref()?.message.clone()
    }

    fn ended(mut self) {
        self.early = None;
    }
}

impl Drop for PendingStatus<'_> {
    fn drop(&mut self) {
        if let Some(EarlyStatus { update, message }) = self.early.take() {
            self.shared.or_later(update, message, StatusRecorded::Deferred);
        }
    }
}
