use std::{error::Error, fmt, str::FromStr};

/// Where a message stands on its way to the user, as Twilio says it in a status
/// callback.
///
/// The order is that of a message's life, so that of two the later one is the greater:
/// callbacks come in any order, and a status only moves forward. Of two that both end
/// it, the better is the greater.
///
/// ```
/// use tower_message_feedback::MessageStatus;
///
/// let status: MessageStatus = "delivered".parse()?;
/// assert!(status > MessageStatus::Sent && status.is_ok());
/// assert_eq!(status.to_string(), "delivered");
/// # Ok::<(), tower_message_feedback::UnknownMessageStatus>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
// The numbers are what stores keep. They leave room for what Twilio adds.
#[repr(u8)]
pub enum MessageStatus {
    /// It will be sent at the time that its create named.
    Scheduled = 10,
    /// A Messaging Service has taken it, and chooses its sender.
    Accepted = 20,
    /// It waits to be sent.
    Queued = 30,
    /// It is on its way to a carrier.
    Sending = 40,
    /// A carrier has taken it.
    Sent = 50,
    /// A carrier has taken it and says no more.
    DeliveryUnknown = 60,
    /// Some of its parts were delivered.
    PartiallyDelivered = 65,
    /// It was scheduled, and called off.
    Canceled = 70,
    /// It could not be sent.
    Failed = 80,
    /// A carrier could not deliver it.
    Undelivered = 90,
    /// It was delivered.
    Delivered = 100,
    /// The recipient has opened it: on WhatsApp and RCS.
    Read = 110,
}

use MessageStatus::{
    Accepted, Canceled, Delivered, DeliveryUnknown, Failed, PartiallyDelivered, Queued, Read,
    Scheduled, Sending, Sent, Undelivered,
};

impl MessageStatus {
    const ALL: [Self; 12] = [
        Scheduled,
        Accepted,
        Queued,
        Sending,
        Sent,
        DeliveryUnknown,
        PartiallyDelivered,
        Canceled,
        Failed,
        Undelivered,
        Delivered,
        Read,
    ];

    /// Twilio's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheduled => "scheduled",
            Accepted => "accepted",
            Queued => "queued",
            Sending => "sending",
            Sent => "sent",
            DeliveryUnknown => "delivery_unknown",
            PartiallyDelivered => "partially_delivered",
            Canceled => "canceled",
            Failed => "failed",
            Undelivered => "undelivered",
            Delivered => "delivered",
            Read => "read",
        }
    }

    /// Whether Twilio's OTP Conversion report counts it as *Status OK*: sent, delivered
    /// or of unknown delivery. What was read was delivered.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Sent | DeliveryUnknown | Delivered | Read)
    }

    /// The number that stores keep for it.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// What a number stands for; `None` for one that a later version wrote.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl FromStr for MessageStatus {
    type Err = UnknownMessageStatus;

    fn from_str(text: &str) -> Result<Self, UnknownMessageStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text));
        found.ok_or(UnknownMessageStatus(()))
    }
}

impl fmt::Display for MessageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no status of an outgoing message that this version knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMessageStatus(());

impl fmt::Display for UnknownMessageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a known status of an outgoing message")
    }
}

impl Error for UnknownMessageStatus {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_a_messages_life_and_every_word_comes_back() {
        assert!(MessageStatus::ALL.is_sorted());
        for status in MessageStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(MessageStatus::from_code(status.code()), Some(status));
        }
        assert!("received".parse::<MessageStatus>().is_err());
        assert!("".parse::<MessageStatus>().is_err());
    }

    #[test]
    fn what_the_report_calls_ok_is_what_has_left_and_did_not_fail() {
        let ok: Vec<_> = MessageStatus::ALL.into_iter().filter(|status| status.is_ok()).collect();
        assert_eq!(ok, [Sent, DeliveryUnknown, Delivered, Read]);
    }
}
