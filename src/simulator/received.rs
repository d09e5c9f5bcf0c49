use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::{describe, refusal::Refusal};
use crate::twilio::{AccountSid, MessageForm, MessageSid};

/// What a request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// `POST …/Messages`: create a message.
    Create,
    /// `POST …/Messages/{SID}/Feedback`: report an outcome.
    Feedback,
    /// Anything else, known to the simulator or not.
    Other,
}

/// A request as it arrived at the simulator.
///
/// `Debug` shows the method, the path, the status and the names of the form
/// fields: no value, no header, and nothing that might be a number in the
/// place of a name or of a part of the path.
#[derive(Clone)]
pub struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) kind: RequestKind,
    pub(super) account: Option<AccountSid>,
    pub(super) message: Option<MessageSid>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) status: Option<u16>,
    pub(super) refusal: Option<Refusal>,
}

impl Received {
    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the URL, without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the request asked for.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        self.kind
    }

    /// The account that the path names, if it names a well-formed one.
    #[must_use]
    pub fn account(&self) -> Option<AccountSid> {
        self.account
    }

    /// The message that the path names: for feedback, the one it is about.
    #[must_use]
    pub fn message(&self) -> Option<MessageSid> {
        self.message
    }

    /// The first value of a form field, decoded. Field names are case-sensitive.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<String> {
        MessageForm::new(&self.body).get(name).map(|value| value.into_owned())
    }

    /// The first value of a header, if it is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, byte for byte; empty if it could not be read, or was larger
    /// than 1 MiB.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status that was answered; `None` while there is no answer, and for
    /// ever if the caller went away before it, or was sent off with
    /// [`Answer::reset`](super::Answer::reset).
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether the simulator itself found fault with the request: malformed,
    /// not authorized, about an unknown or an untagged message, or at a path
    /// that it does not know. What a script answers instead does not count, nor
    /// does the concurrency limit.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("path", &describe::path(&self.path))
            .field("kind", &self.kind)
            .field("status", &self.status)
            .field("fields", &describe::field_names(self))
            .finish_non_exhaustive()
    }
}
