//! Records and confirms that must not be lost: dropped before the store has
//! them, they move into the retry queue.

use std::sync::Arc;

use tracing::{Instrument, debug, debug_span};

use super::{
    confirmation::{Confirmation, Refusal},
    sent::Recorded,
    shared::{Shared, single},
};
use crate::store::{ConfirmTarget, RecordOutcome, TrackedMessage};

/// A message whose SID is known and not recorded yet.
pub(crate) struct PendingRecord {
    shared: Arc<Shared>,
    message: Option<TrackedMessage>,
}

impl PendingRecord {
    pub(crate) fn new(shared: Arc<Shared>, message: TrackedMessage) -> Self {
        Self { shared, message: Some(message) }
    }

    /// Records it, within the bound on store operations.
    pub(crate) async fn run(mut self) -> Recorded {
        let Some(message) = &self.message else { return Recorded::AlreadyRecorded };
        let recorded = self.shared.store.record(std::slice::from_ref(message));
        let span = debug_span!("record_message", sid = %message.sid, account = %message.account);
        match self.shared.within_bound(recorded).instrument(span).await.and_then(single) {
            Ok(outcome) => {
                self.shared.recorded(message, outcome);
                self.message = None;
                match outcome {
                    RecordOutcome::Inserted => Recorded::Recorded,
                    RecordOutcome::AlreadyPresent => Recorded::AlreadyRecorded,
                    RecordOutcome::OtherId => Recorded::OtherId,
                    RecordOutcome::Full => Recorded::Refused,
                }
            }
            Err(_) => self.defer(),
        }
    }

    fn defer(&mut self) -> Recorded {
        let deferred = self.message.take().is_none_or(|message| self.shared.defer_record(message));
        if deferred { Recorded::Deferred } else { Recorded::Refused }
    }
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        self.defer();
    }
}

/// A confirm that has begun.
pub(crate) struct PendingConfirm {
    shared: Arc<Shared>,
    target: Option<ConfirmTarget>,
}

impl PendingConfirm {
    pub(crate) fn new(shared: Arc<Shared>, target: ConfirmTarget) -> Self {
        Self { shared, target: Some(target) }
    }

    /// Confirms it, within the bound on store operations.
    pub(crate) async fn run(mut self) -> Confirmation {
        if self.shared.is_closed() {
            self.target = None;
            self.shared.confirms.refused.increment();
            return Confirmation::Refused(Refusal::ShutDown);
        }
        let confirmed = self.shared.store.confirm(self.target.as_slice());
        let span = debug_span!("confirm_action");
        match self.shared.within_bound(confirmed).instrument(span).await.and_then(single) {
            Ok(outcome) => self.shared.confirmed(self.target.take().as_ref(), outcome),
            Err(error) => {
                debug!(error = %error, "confirm deferred");
                self.defer()
            }
        }
    }

    fn defer(&mut self) -> Confirmation {
        self.target
            .take()
            .map_or(Confirmation::Deferred, |target| self.shared.defer_confirm(target))
    }
}

impl Drop for PendingConfirm {
    fn drop(&mut self) {
        let _ = self.defer();
    }
}
