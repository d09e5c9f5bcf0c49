//! What was seen to happen, in order, whichever process it happened in.

use std::{
    fmt::Write,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tower_message_feedback::{Confirmation, MessageSid};

/// One process of an application, from a start of it to its end.
pub(crate) type Life = (usize, u32);

/// What a client gets: a status and a body, or an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) is_whole: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A fault begins or ends.
    Fault(String),
    /// Nothing is wrong any more, and the day's people are gone.
    Healed,
    /// The outbox was seen empty after that.
    Drained,
    Started(Life),
    Crashed(usize),
    /// From here on it takes no confirms.
    Stopping(Life),
    /// What a shutdown left.
    Stopped {
        life: Life,
        outbox: Option<u64>,
        deferred: usize,
    },
    /// The application begins to send.
    SendBegan {
        send: u64,
        id: u64,
    },
    /// A create arrived at Twilio.
    Create {
        send: u64,
        is_tagged: bool,
        is_changed: bool,
    },
    /// What the bare client got.
    BareAnswer {
        send: u64,
        answer: Answer,
    },
    /// What the application got.
    SendEnded {
        send: u64,
        answer: Answer,
    },
    /// A request arrives at an application that is a person's action.
    Acted {
        life: Life,
        id: u64,
    },
    Confirmed {
        life: Life,
        id: u64,
        confirmation: Confirmation,
    },
    /// The application was asked to forget an id, and did.
    Forgotten {
        id: u64,
        began: Duration,
    },
    /// A feedback call arrived at Twilio.
    Feedback {
        sid: MessageSid,
        is_authorized: bool,
    },
    /// The database carried out a record.
    Recorded {
        sid: MessageSid,
    },
    /// The database carried out a forget of this many messages.
    Forgot {
        count: usize,
    },
}

#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<(Duration, Event)>>);

impl Journal {
    pub(crate) fn note(&self, event: Event) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.note_at(at, event);
    }

    pub(crate) fn note_at(&self, at: Duration, event: Event) {
        self.events().push((at, event));
    }

    pub(crate) fn events(&self) -> MutexGuard<'_, Vec<(Duration, Event)>> {
        self.0.lock().expect("no panic under the lock")
    }

    /// A line for each event.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (at, event) in self.events().iter() {
            let _ = match event {
                Event::BareAnswer { send, answer } | Event::SendEnded { send, answer } => {
                    let kind =
                        if matches!(event, Event::SendEnded { .. }) { "ended" } else { "bare" };
                    let whole = if answer.is_whole { "" } else { ", cut off" };
                    writeln!(text, "{at:>12.3?} send {send} {kind}: {:?}{whole}", answer.status)
                }
                event => writeln!(text, "{at:>12.3?} {event:?}"),
            };
        }
        text
    }
}
