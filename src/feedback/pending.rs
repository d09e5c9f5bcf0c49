//! Records and confirms that must not be lost: dropped before the store has
//! them, they move into the retry queue.

use std::{error::Error, sync::Arc};

use tracing::{Instrument, debug, debug_span};

use super::{
    confirmation::{Confirmation, Refusal},
    sent::Recorded,
    shared::{Shared, single},
};
use crate::{
    Timestamp,
    store::{ConfirmTarget, TrackedMessage},
};

/// A message whose SID is known and not recorded yet.
pub(crate) struct PendingRecord {
    shared: Arc<Shared>,
    message: Option<TrackedMessage>,
}

impl PendingRecord {
    pub(crate) fn new(shared: Arc<Shared>, message: TrackedMessage) -> Self {
        Self { shared, message: Some(message) }
    }

    /// Records it if the store takes it without waiting.
    pub(crate) fn run_at_once(mut self) -> Result<Recorded, Self> {
        let Some(message) = &self.message else { return Ok(Recorded::AlreadyRecorded) };
        let Some(outcome) = self.shared.store.try_record(message) else { return Err(self) };
        self.shared.recorded(message, outcome, false);
        self.message = None;
        Ok(outcome.into())
    }

    /// Records it, within the bound on store operations.
    pub(crate) async fn run(self) -> Recorded {
        match self.run_at_once() {
            Ok(recorded) => recorded,
            Err(pending) => pending.wait().await,
        }
    }

    async fn wait(mut self) -> Recorded {
        let Some(message) = &self.message else { return Recorded::AlreadyRecorded };
        if self.shared.defers_at_once() {
            return self.defer(false);
        }
        let recorded = self.shared.record_together(message.clone());
        let span = debug_span!("record_message", sid = %message.sid, account = %message.account);
        let recorded = self.shared.within_bound(recorded).instrument(span).await;
        match self.shared.noted(recorded).and_then(single) {
            Ok(outcome) => {
                self.shared.recorded(message, outcome, false);
                self.message = None;
                outcome.into()
            }
            Err(_) => self.defer(true),
        }
    }

    /// `tried`: the store may have it.
    fn defer(&mut self, tried: bool) -> Recorded {
        let defer = |message| self.shared.defer_record(message, tried);
        let deferred = self.message.take().is_none_or(defer);
        if deferred { Recorded::Deferred } else { Recorded::Refused }
    }
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        self.defer(true);
    }
}

/// Confirms that have begun: one, or what one answer confirms.
pub(crate) struct PendingConfirms {
    shared: Arc<Shared>,
    targets: Vec<ConfirmTarget>,
    acted_at: Timestamp,
}

impl PendingConfirms {
    pub(crate) fn new(shared: Arc<Shared>, targets: Vec<ConfirmTarget>) -> Self {
        let acted_at = shared.clock.now();
        Self { shared, targets, acted_at }
    }

    /// Confirms them in one operation, within the bound on store operations.
    /// What the store does not take in time is deferred.
    pub(crate) async fn run(mut self) -> Vec<Confirmation> {
        let targets = &self.targets;
        if self.shared.is_closed() {
            let refused = targets.iter().map(|_| self.shared.refused(Refusal::ShutDown)).collect();
            self.targets.clear();
            return refused;
        }
        if self.shared.defers_at_once() {
            return self.defer();
        }
        let span = debug_span!("confirm_action");
        let confirmed = self.shared.confirm_together(targets.clone());
        let confirmed = self.shared.within_bound(confirmed).instrument(span).await;
        match self.shared.noted(confirmed) {
            Ok(outcomes) if outcomes.len() == targets.len() => {
                let targets = std::mem::take(&mut self.targets);
                let confirmed = targets.iter().zip(outcomes);
                let acted_at = Some(self.acted_at);
                let confirmed = confirmed
                    .map(|(target, outcome)| self.shared.confirmed(target, acted_at, outcome));
                confirmed.collect()
            }
            Ok(_) => self.defer(),
            Err(error) => {
                let error: &(dyn Error + 'static) = &error;
                debug!(error, "confirm deferred");
                self.defer()
            }
        }
    }

    fn defer(&mut self) -> Vec<Confirmation> {
        let targets = std::mem::take(&mut self.targets);
        let defer = |target| self.shared.defer_confirm(target, self.acted_at);
        targets.into_iter().map(defer).collect()
    }
}

impl Drop for PendingConfirms {
    fn drop(&mut self) {
        self.defer();
    }
}
