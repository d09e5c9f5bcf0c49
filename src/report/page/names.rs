//! What stands for a SID on the page.

use std::{collections::HashMap, fmt::Write};

use super::parameters::Parameters;
use crate::{CorrelationId, MessageFeedback};

/// How long a SID is.
const SID: usize = 34;

/// The first bytes of the keyed hash of an id, in hexadecimal digits.
pub(super) fn reference(feedback: &MessageFeedback, id: &CorrelationId, bytes: usize) -> String {
    let mut reference = String::with_capacity(2 * bytes);
    if let Some(keys) = feedback.shared().keyring.keys(id) {
        for byte in keys.current.as_bytes().iter().take(bytes) {
            let _ = write!(reference, "{byte:02x}");
        }
    }
    reference
}

/// SIDs, if one asks for them, or else a few digits of a keyed hash.
pub(super) struct Names {
    shows_sids: bool,
    references: HashMap<String, String>,
}

impl Names {
    pub(super) fn new(shows_sids: bool) -> Self {
        Self { shows_sids, references: HashMap::new() }
    }

    /// Learns what stands for a SID.
    pub(super) fn add(&mut self, feedback: &MessageFeedback, sid: &str) {
        if self.references.contains_key(sid) {
            return;
        }
        let id = CorrelationId::new(format!("report {sid}"));
        self.references.insert(sid.to_owned(), reference(feedback, &id, 4));
    }

    pub(super) fn of(&self, sid: &str) -> String {
        let hidden = if self.shows_sids { None } else { self.references.get(sid) };
        hidden.map_or_else(|| sid.to_owned(), Clone::clone)
    }

    /// The same parameters, with what stands for a SID in its place, unless one asks for
    /// SIDs.
    pub(super) fn in_parameters(&self, parameters: Parameters) -> Parameters {
        if self.shows_sids {
            return parameters;
        }
        let hidden = |name: Option<String>| {
            let name = self.references.get(name.as_ref()?).cloned().or(name)?;
            // What no message has has no reference: eight zeros are nobody's.
            Some(if name.len() == SID { "00000000".to_owned() } else { name })
        };
        Parameters {
            account: hidden(parameters.account),
            service: hidden(parameters.service),
            ..parameters
        }
    }

    /// Whether `name` is `sid` itself or stands for it.
    pub(super) fn is(&self, name: &str, sid: &str) -> bool {
        name == sid || self.references.get(sid).is_some_and(|reference| reference == name)
    }
}
