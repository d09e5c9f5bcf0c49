use super::tally::ReportStats;
use crate::{counters::counters, delivery::DeliveryStats};

counters! {
    /// What the outgoing layer and [`record`](crate::MessageFeedback::record)
    /// have met. Requests that are no creates are not counted.
    pub struct SendStats;
    struct SendCounters;
    /// Creates that were tagged with `ProvideFeedback=true`.
    tagged,
    /// Creates that the application had tagged itself, with an id.
    already_tagged,
    /// Creates whose form says `ProvideFeedback=false`, or nothing clear.
    declined,
    /// Creates without a correlation id, or with one that is empty or too long.
    without_id,
    /// Creates that went on untouched because their form could not be read: its
    /// size is not known or over the bound, or it is compressed.
    form_unreadable,
    /// Creates whose body failed before it was read to its end.
    form_failed,
    /// Creates that the builder's `tag_if` did not let be tagged.
    vetoed,
    /// Creates that would have been tracked, had the mode not been
    /// [`Mode::Observe`](crate::Mode::Observe).
    observed,
    /// Creates that the application tagged itself, without an id by which an
    /// action could ever confirm them: they lower the conversion rate.
    tagged_without_id,
    /// Creates that could not be tagged because a header vouches for their bytes.
    digest_present,
    /// Creates that went elsewhere than to an allowed origin.
    origin_not_allowed,
    /// Tracked creates that Twilio did not accept, or that failed on the way.
    not_created,
    /// Tracked creates whose answer named no message within the bounds of size
    /// and time.
    receipt_unreadable,
    /// Tracked creates whose future was dropped before the SID was known.
    abandoned,
    /// Messages that are remembered.
    recorded,
    /// Messages that were remembered before.
    already_recorded,
    /// Messages that were not remembered: the store, or the retry queue, is full.
    record_refused,
    /// Messages that went to the retry queue first.
    record_deferred,
}

counters! {
    /// What the incoming layers, the extractors and
    /// [`confirm`](crate::MessageFeedback::confirm) have met.
    pub struct ConfirmStats;
    struct ConfirmCounters;
    /// Confirms that moved a message into the outbox.
    queued,
    /// Confirms of what was confirmed before.
    already_confirmed,
    /// Confirms of an id under which nothing is recorded.
    unknown,
    /// Confirms that would have been queued, had the mode not been
    /// [`Mode::Observe`](crate::Mode::Observe) when the message was sent.
    observed,
    /// Confirms of an id whose send was seen, and was not tagged.
    never_tagged,
    /// Confirms that overtook their record and were made up for since.
    overtaken,
    /// Unknown ids that made room for newer ones while they waited.
    waiting_evicted,
    /// Confirms that went to the retry queue first.
    deferred,
    /// Confirms that were refused.
    refused,
    /// Requests that were no user's action: `HEAD`, `OPTIONS`, a prefetch, a preview
    /// or a scanner.
    not_an_action,
    /// Those of them that the guard knew by their `User-Agent`.
    previewed,
    /// Webhooks that were not known to be Twilio's.
    webhooks_refused,
    /// Operations of the store that failed or took too long.
    store_errors,
}

counters! {
    /// What status callbacks have told.
    pub struct StatusStats;
    struct StatusCounters;
    /// Statuses that moved a tracked message forward.
    recorded,
    /// Statuses of tracked messages that were as far, or further.
    not_newer,
    /// Statuses of messages that are not tracked.
    unknown,
    /// Messages that a callback recorded before, or without, the answer to their
    /// create.
    recovered,
    /// Statuses that are kept in memory because the store failed.
    deferred,
    /// Statuses that were dropped because that memory is full.
    refused,
}

/// What a [`MessageFeedback`](crate::MessageFeedback) has done since it was
/// built, in this process. Every number only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Sends.
    pub sends: SendStats,
    /// Confirms.
    pub confirms: ConfirmStats,
    /// Status callbacks.
    pub statuses: StatusStats,
    /// Feedback on its way to Twilio.
    pub delivery: DeliveryStats,
    /// What was counted for the report.
    pub report: ReportStats,
}
