use std::fmt;

use crate::{CorrelationKey, Timestamp};

/// A small fact that all processes shall know: which Messaging Service a number sends
/// for, or that a webhook has confirmed before.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The keyed hash of what it is about.
    pub key: CorrelationKey,
    /// What is noted: no more than 64 bytes.
    pub value: Vec<u8>,
    /// How long it is of use.
    pub until: Timestamp,
}

impl Note {
    /// A note.
    #[must_use]
    pub const fn new(key: CorrelationKey, value: Vec<u8>, until: Timestamp) -> Self {
        Self { key, value, until }
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("until", &self.until).finish_non_exhaustive()
    }
}

/// What a store did with one note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteOutcome {
    /// It is kept, in place of whatever was noted under its key.
    Written,
    /// The same was noted before; it is kept for as long as either says.
    Repeated,
}
