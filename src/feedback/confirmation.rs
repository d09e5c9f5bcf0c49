/// What became of a confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confirmation {
    /// The message is in the outbox: its feedback will reach Twilio, as surely
    /// as the store is durable.
    Queued,
    /// The message was confirmed before. It is reported once.
    AlreadyConfirmed,
    /// Nothing is recorded under the id. In case the user was faster than the
    /// record, the id is looked up again for a while.
    Unknown,
    /// The message was sent in [`Mode::Observe`](crate::Mode::Observe), untagged:
    /// in [`Mode::On`](crate::Mode::On) it would have been queued.
    Observed,
    /// The message was sent untagged, by the application's decision: there is no
    /// feedback to give.
    NeverTagged,
    /// The store did not answer in time. The confirm is kept in memory and
    /// tried again; until then it is not durable. It means no message that was sent
    /// more than five seconds later: the clocks of the processes have to agree by as much.
    Deferred,
    /// It was not taken.
    Refused(Refusal),
    /// The request cannot be a user's action: `HEAD`, `OPTIONS`, a prefetch or
    /// a preview. Nothing was done.
    NotAnAction,
    /// There is no id to confirm: none was given, or it is empty or too long.
    NoId,
}

impl Confirmation {
    /// Whether the feedback is, or was, in the outbox.
    #[must_use]
    pub fn is_confirmed(self) -> bool {
        matches!(self, Self::Queued | Self::AlreadyConfirmed)
    }
}

/// Why a confirm was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The store's outbox is full.
    OutboxFull,
    /// The store does not answer, and the queue for such confirms is full.
    QueueFull,
    /// [`shutdown`](crate::MessageFeedback::shutdown) was called.
    ShutDown,
    /// The message's origin is not one that the builder allows.
    OriginNotAllowed,
}
