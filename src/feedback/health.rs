use std::time::Duration;

use crate::delivery::{AccountPreflight, DispatcherState, PreflightVerdict};

/// How a [`MessageFeedback`](crate::MessageFeedback) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether the dispatcher runs. It ends with the runtime it was spawned on.
    pub dispatcher: DispatcherState,
    /// Accounts whose credentials Twilio refuses. Their feedback waits.
    pub open_circuits: usize,
    /// Records and confirms that wait in memory because the store failed.
    pub deferred: usize,
    /// Whether the store answered within the builder's `store_timeout`.
    pub store: bool,
    /// Confirmed messages that Twilio has not acknowledged, if the store said.
    pub outbox: Option<u64>,
    /// How long ago the oldest of them was confirmed. It grows while Twilio is
    /// out of reach: the figure to watch.
    pub oldest_outbox_age: Option<Duration>,
}

impl Health {
    /// Whether feedback can flow: the dispatcher runs, no credentials are
    /// refused, the store answers, and nothing waits for it.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.dispatcher == DispatcherState::Running
            && self.open_circuits == 0
            && self.deferred == 0
            && self.store
    }
}

/// What [`preflight`](crate::MessageFeedback::preflight) found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preflight {
    /// Each account that the builder names, in the order of their SIDs. Empty
    /// if the dispatcher has ended, or if there is only a provider.
    pub accounts: Vec<AccountPreflight>,
    /// Whether the store took a write.
    pub store: bool,
}

impl Preflight {
    /// Whether the store and every credential are as they should be.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        let accepted =
            |preflight: &AccountPreflight| preflight.verdict == PreflightVerdict::Accepted;
        self.store && self.accounts.iter().all(accepted)
    }
}

/// What [`flush`](crate::MessageFeedback::flush) and
/// [`shutdown`](crate::MessageFeedback::shutdown) left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remaining {
    /// Confirmed messages that Twilio has not acknowledged; `None` if the store
    /// did not say.
    pub outbox: Option<u64>,
    /// Records and confirms that wait in memory because the store failed.
    pub deferred: usize,
}

impl Remaining {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outbox == Some(0) && self.deferred == 0
    }
}
