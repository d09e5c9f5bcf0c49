use std::fmt;

use bytes::Bytes;

/// What the application can find again when the user's action happens: the id
/// in a link, a login attempt, a recipient.
///
/// An id is untrusted input. It may be any bytes; one that is empty or longer
/// than [`MAX_LEN`](Self::MAX_LEN) matches nothing. It never reaches a store, a
/// log or `Debug`: at rest only its keyed hash exists.
///
/// Give an id in a link at least 64 random bits. Whoever guesses an id can
/// confirm the message that it stands for.
///
/// ```
/// use tower_message_feedback::CorrelationId;
///
/// let id = CorrelationId::new("1234567890");
/// assert!(!format!("{id:?}").contains("1234567890"));
/// assert_eq!(id, CorrelationId::from(String::from("1234567890")));
/// // A recipient is a kind of its own: it never meets a link's id.
/// assert_ne!(CorrelationId::new("+15558675310"), CorrelationId::recipient("+15558675310"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CorrelationId {
    kind: IdKind,
    value: Bytes,
}

/// Ids of different kinds never share a key, whatever their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IdKind {
    Given = 1,
    Recipient = 2,
    Sid = 3,
    Conversation = 4,
    #[cfg(feature = "axum")]
    Event = 5,
    #[cfg(feature = "axum")]
    Sender = 6,
}

impl CorrelationId {
    /// The longest id that can match, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// An id that the application made up.
    pub fn new(id: impl Into<Bytes>) -> Self {
        Self { kind: IdKind::Given, value: id.into() }
    }

    /// The recipient of a message, as [`recipient()`](crate::recipient) finds it
    /// in a send: a phone number or a channel address.
    ///
    /// Spaces, hyphens, dots and parentheses in a number that begins with `+`,
    /// and a channel's prefix before it (`whatsapp:`), do not matter. A number
    /// in national form is not completed: `E164` (feature `phone-number`) does that.
    ///
    /// Anybody can know a number. Confirm such an id only after the user has
    /// proved to be the recipient.
    #[must_use]
    pub fn recipient(address: &str) -> Self {
        Self { kind: IdKind::Recipient, value: super::recipient::normalise(address).into() }
    }

    /// The messages to `recipient` from `sender`, a number, a channel address, or the
    /// SID of a Messaging Service, as [`conversation()`](crate::conversation()) finds them
    /// in a send.
    ///
    /// Both are spelled as for [`recipient`](Self::recipient), but for the channel, which
    /// matters.
    #[must_use]
    pub fn conversation(recipient: &str, sender: &str) -> Self {
        let value = super::conversation::between(recipient, sender).into();
        Self { kind: IdKind::Conversation, value }
    }

    /// One of Twilio's webhooks, by the SID of what it is about.
    #[cfg(feature = "axum")]
    pub(crate) fn event(sid: &str) -> Self {
        Self { kind: IdKind::Event, value: Bytes::copy_from_slice(sid.as_bytes()) }
    }

    /// A number or another address that an account sends from.
    #[cfg(feature = "axum")]
    pub(crate) fn sender(account: crate::twilio::AccountSid, address: &str) -> Self {
        let address = super::recipient::normalise(address);
        Self { kind: IdKind::Sender, value: format!("{account}\n{address}").into() }
    }

    /// The id of a message that is tracked by its SID alone.
    pub(crate) fn sid(sid: crate::twilio::MessageSid) -> Self {
        Self { kind: IdKind::Sid, value: Bytes::copy_from_slice(&sid.to_ascii()) }
    }

    /// An id that no send and no SID has.
    pub(crate) fn nobodys() -> Self {
        Self { kind: IdKind::Sid, value: Bytes::from_static(b"nobody") }
    }

    pub(crate) fn kind(&self) -> IdKind {
        self.kind
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }

    /// Whether it may match anything.
    pub(crate) fn is_valid(&self) -> bool {
        (1..=Self::MAX_LEN).contains(&self.value.len())
    }
}

impl From<String> for CorrelationId {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

impl From<&str> for CorrelationId {
    fn from(id: &str) -> Self {
        Self::new(Bytes::copy_from_slice(id.as_bytes()))
    }
}

impl From<&String> for CorrelationId {
    fn from(id: &String) -> Self {
        id.as_str().into()
    }
}

impl From<&CorrelationId> for CorrelationId {
    fn from(id: &CorrelationId) -> Self {
        id.clone()
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrelationId").finish_non_exhaustive()
    }
}
