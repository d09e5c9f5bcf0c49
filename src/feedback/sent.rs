use std::{sync::Arc, time::SystemTime};

use crate::{
    AccountSid, BaseUrl, MessageSid, Timestamp,
    store::{Dimensions, RecordOutcome},
};

/// A message that the application sent by other means than through the layer.
///
/// It must have been created with `ProvideFeedback=true`: Twilio takes feedback
/// for no other.
///
/// ```
/// use tower_message_feedback::SentMessage;
///
/// let sent = SentMessage::new(
///     "AC0123456789abcdef0123456789abcdef".parse()?,
///     "SM0123456789abcdef0123456789abcdef".parse()?,
/// );
/// # Ok::<(), tower_message_feedback::InvalidSid>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SentMessage {
    pub(super) account: AccountSid,
    pub(super) sid: MessageSid,
    pub(super) base_url: BaseUrl,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) label: Option<Arc<str>>,
    pub(super) dimensions: Dimensions,
}

impl SentMessage {
    /// The message `sid` of `account`, sent now through `api.twilio.com`.
    pub fn new(account: AccountSid, sid: MessageSid) -> Self {
        Self {
            account,
            sid,
            base_url: BaseUrl::default(),
            sent_at: None,
            label: None,
            dimensions: Dimensions::default(),
        }
    }

    /// Where it was created, if not at the default: another region, a proxy.
    pub fn base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = base_url;
        self
    }

    /// When it was sent, or for a scheduled message will be: by default when it is
    /// recorded. If that is seconds later, say when: an action that came before its record
    /// confirms no message that was sent more than five seconds after it.
    pub fn sent_at(mut self, sent_at: SystemTime) -> Self {
        self.sent_at = Some(sent_at.into());
        self
    }

    /// The application's own name for this sort of message, for example
    /// `"login"`. It is stored as it is: no place for personal data.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What the report groups it by beside the label and the account. For a message
    /// without media [`Dimensions::of_recipient`] tells the country and the channel.
    ///
    /// ```
    /// # use tower_message_feedback::{SentMessage, store::Dimensions};
    /// # let (account, sid) = ("AC0123456789abcdef0123456789abcdef".parse()?, "SM0123456789abcdef0123456789abcdef".parse()?);
    /// let sent = SentMessage::new(account, sid)
    ///     .dimensions(Dimensions::of_recipient("+15005550006"));
    /// # Ok::<(), tower_message_feedback::InvalidSid>(())
    /// ```
    pub fn dimensions(mut self, dimensions: Dimensions) -> Self {
        self.dimensions = dimensions;
        self
    }
}

/// What became of [`record`](crate::MessageFeedback::record).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// The message is remembered.
    Recorded,
    /// It was remembered under the same id before.
    AlreadyRecorded,
    /// It is remembered under another id, and stays there.
    OtherId,
    /// The store did not answer in time. The record is kept in memory and tried
    /// again.
    Deferred,
    /// The store is full of what may not be dropped, or it does not answer and
    /// the queue for such records is full. The message is not remembered.
    Refused,
    /// The id is empty or longer than
    /// [`CorrelationId::MAX_LEN`](crate::CorrelationId::MAX_LEN).
    InvalidId,
    /// The message's origin is not one that the builder allows.
    OriginNotAllowed,
}

impl From<RecordOutcome> for Recorded {
    fn from(outcome: RecordOutcome) -> Self {
        match outcome {
            RecordOutcome::Inserted => Self::Recorded,
            RecordOutcome::AlreadyPresent => Self::AlreadyRecorded,
            RecordOutcome::OtherId => Self::OtherId,
            RecordOutcome::Full => Self::Refused,
        }
    }
}
