use crate::delivery::DispatcherState;

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
}

impl Health {
    /// Whether feedback can flow: the dispatcher runs, no credentials are
    /// refused, and nothing waits for the store.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.dispatcher == DispatcherState::Running && self.open_circuits == 0 && self.deferred == 0
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
