use std::time::Duration;

use super::{Attempts, Failure, Segment};
use crate::{AccountSid, BaseUrl, CorrelationKey, MessageSid, MessageStatus, Timestamp};

/// What became of one tracked message. Twilio's outcome cannot be read back;
/// this can.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The key of the correlation id that it was recorded under.
    pub key: CorrelationKey,
    /// The message.
    pub sid: MessageSid,
    /// The account that owns it.
    pub account: AccountSid,
    /// Where it was created.
    pub base_url: BaseUrl,
    /// When it was sent, by the sender's clock.
    pub sent_at: Timestamp,
    /// What a report groups it by.
    pub segment: Segment,
    /// Where its feedback stands.
    pub status: LedgerStatus,
    /// How far Twilio has delivered the message itself: the newest of its
    /// [status callbacks](crate::webhook::StatusCallback), if there was one.
    pub message_status: Option<MessageStatus>,
    /// Twilio's error code of that status, for example 30003.
    pub error_code: Option<u32>,
}

impl LedgerEntry {
    /// The application's own name for this sort of message.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.segment.label()
    }

    /// An entry of a message of unknown delivery, of which no report knows more than the
    /// account.
    #[must_use]
    pub fn new(
        key: CorrelationKey,
        sid: MessageSid,
        account: AccountSid,
        base_url: BaseUrl,
        sent_at: Timestamp,
        status: LedgerStatus,
    ) -> Self {
        Self {
            key,
            sid,
            account,
            base_url,
            sent_at,
            segment: Segment::default(),
            status,
            message_status: None,
            error_code: None,
        }
    }
}

/// Where a tracked message's feedback stands. Times are by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerStatus {
    /// Nobody has confirmed it.
    Pending,
    /// It is in the outbox.
    #[non_exhaustive]
    Queued {
        /// When the action was confirmed.
        confirmed_at: Timestamp,
        /// How often Twilio was asked in vain.
        attempts: Attempts,
    },
    /// Twilio has the feedback.
    #[non_exhaustive]
    Delivered {
        /// When the action was confirmed.
        confirmed_at: Timestamp,
        /// When Twilio took it.
        delivered_at: Timestamp,
        /// How many calls it took.
        attempts: Attempts,
    },
    /// Twilio will never take it: a dead letter.
    #[non_exhaustive]
    Dead {
        /// When the action was confirmed.
        confirmed_at: Timestamp,
        /// When it was given up.
        died_at: Timestamp,
        /// How many calls were made.
        attempts: Attempts,
        /// Why.
        failure: Failure,
    },
}

impl LedgerStatus {
    /// In the outbox.
    #[must_use]
    pub const fn queued(confirmed_at: Timestamp, attempts: Attempts) -> Self {
        Self::Queued { confirmed_at, attempts }
    }

    /// Taken by Twilio.
    #[must_use]
    pub const fn delivered(
        confirmed_at: Timestamp,
        delivered_at: Timestamp,
        attempts: Attempts,
    ) -> Self {
        Self::Delivered { confirmed_at, delivered_at, attempts }
    }

    /// A dead letter.
    #[must_use]
    pub const fn dead(
        confirmed_at: Timestamp,
        died_at: Timestamp,
        attempts: Attempts,
        failure: Failure,
    ) -> Self {
        Self::Dead { confirmed_at, died_at, attempts, failure }
    }
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreCounts {
    /// Messages of any status: an estimate, where a store would have to read all
    /// of them to count them.
    pub messages: u64,
    /// Confirmed ones that Twilio has not acknowledged yet.
    pub outbox: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// How long ago the oldest entry of the outbox was confirmed.
    pub oldest_outbox_age: Option<Duration>,
    /// Messages that this store object dropped unconfirmed at a bound.
    pub evicted: u64,
    /// Dead letters that this store object dropped at a bound.
    pub dead_letters_dropped: u64,
    /// Messages that this store object dropped when their time was over.
    pub expired: u64,
}
