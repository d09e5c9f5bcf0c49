use crate::{AccountSid, CorrelationKey, MessageSid, MessageStatus, MessagingServiceSid};

/// What a status callback said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusUpdate {
    /// The message.
    pub sid: MessageSid,
    /// The account that said so: it speaks for its own messages only.
    pub account: AccountSid,
    /// Where it stands.
    pub status: MessageStatus,
    /// Twilio's error code, if it named one, for example 30003.
    pub error_code: Option<u32>,
}

impl StatusUpdate {
    /// A status without an error code.
    #[must_use]
    pub const fn new(sid: MessageSid, account: AccountSid, status: MessageStatus) -> Self {
        Self { sid, account, status, error_code: None }
    }
}

/// What a store did with one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusOutcome {
    /// It is the message's status now.
    Updated,
    /// The message was as far, or further; nothing changed.
    NotNewer,
    /// The account has no such message here.
    Unknown,
}

/// That messages through a Messaging Service come from this sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceSender {
    /// The key of the sender, a number or another address.
    pub sender: CorrelationKey,
    /// The service.
    pub service: MessagingServiceSid,
}

impl ServiceSender {
    /// `sender` sends for `service`.
    #[must_use]
    pub const fn new(sender: CorrelationKey, service: MessagingServiceSid) -> Self {
        Self { sender, service }
    }
}

/// What a store did with one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderOutcome {
    /// It is remembered, or has moved to another service.
    Learned,
    /// It was remembered before; nothing changed.
    Known,
    /// As many are remembered as may be; it is not.
    Full,
}
