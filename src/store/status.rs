use crate::{AccountSid, MessageSid, MessageStatus};

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
    Updated {
        /// What the status was before, if it was known.
        previous: Option<MessageStatus>,
    },
    /// The message was as far, or further; nothing changed.
    NotNewer,
    /// The account has no such message here.
    Unknown,
}
