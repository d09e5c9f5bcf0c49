use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{
    answer::{Answer, Script},
    load::{Load, Place},
    message::{Draft, Outcome, SimulatedMessage},
    received::{Received, RequestKind},
    time::Time,
};
use crate::twilio::{AccountSid, Credentials, MessageSid};

/// What every handle of one simulator shares.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn new(time: Time) -> Self {
        Self { state: Mutex::new(State { time, ..State::default() }), changed: Notify::new() }
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.lock())
    }

    /// Changes the state, then wakes whoever waits for a change.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_waiters();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, account: Option<AccountSid>) -> InFlight<'_> {
        InFlight { shared: self, place: self.change(|state| state.load.enter(account)) }
    }
}

/// A request that is being handled, until its future ends or is dropped.
pub(super) struct InFlight<'a> {
    shared: &'a Shared,
    pub(super) place: Place,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.shared.change(|state| state.load.leave(self.place));
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) messages: Vec<SimulatedMessage>,
    by_sid: HashMap<MessageSid, usize>,
    pub(super) confirmed: Vec<MessageSid>,
    pub(super) received: Vec<Received>,
    pub(super) create_answers: Script,
    pub(super) feedback_answers: Script,
    /// `None`: any well-formed credential.
    pub(super) accepted: Option<Vec<Credentials>>,
    pub(super) load: Load,
    pub(super) time: Time,
}

impl State {
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.by_sid.clear();
        self.confirmed.clear();
        self.received.clear();
    }

    pub(super) fn next_answer(&mut self, kind: RequestKind) -> Answer {
        let scripted = match kind {
            RequestKind::Create => self.create_answers.next(),
            RequestKind::Feedback => self.feedback_answers.next(),
            RequestKind::Other => None,
        };
        scripted.unwrap_or_else(Answer::normal)
    }

    pub(super) fn message(&self, sid: MessageSid) -> Option<&SimulatedMessage> {
        self.by_sid.get(&sid).and_then(|&index| self.messages.get(index))
    }

    pub(super) fn add(&mut self, account: AccountSid, draft: Draft) -> &SimulatedMessage {
        let prefix = if draft.media > 0 { "MM" } else { "SM" };
        let sid = loop {
            let text = format!("{prefix}{}", random_hex());
            if let Some(sid) = MessageSid::parse(text.as_bytes()) {
                if !self.by_sid.contains_key(&sid) {
                    break sid;
                }
            }
        };
        let index = self.messages.len();
        self.by_sid.insert(sid, index);
        self.messages.push(SimulatedMessage::new(sid, account, draft, self.time.date()));
        &self.messages[index]
    }

    pub(super) fn report(&mut self, sid: MessageSid, outcome: Outcome) {
        let Some(&index) = self.by_sid.get(&sid) else { return };
        let message = &mut self.messages[index];
        let before = message.outcome();
        message.report(outcome, self.time.date());
        match (before, outcome) {
            (Outcome::Unconfirmed, Outcome::Confirmed) => self.confirmed.push(sid),
            (Outcome::Confirmed, Outcome::Unconfirmed) => {
                self.confirmed.retain(|confirmed| *confirmed != sid);
            }
            (Outcome::Confirmed, Outcome::Confirmed)
            | (Outcome::Unconfirmed, Outcome::Unconfirmed) => {}
        }
    }
}

/// 32 lower-case hexadecimal digits, as in a SID.
pub(super) fn random_hex() -> String {
    format!("{:032x}", fastrand::u128(..))
}
