//! What must hold at the end of every day, whatever happened on it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tower_message_feedback::{
    Confirmation, MessageSid, Refusal,
    simulator::{Outcome, RequestKind, SimulatedMessage},
    store::{LedgerStatus, Resends},
};

use crate::{
    application::TICK,
    journal::{Answer, Event, Life},
    twilio::numbers,
    world::Evening,
};

/// A feedback call that was under way when its message was forgotten: it was leased, it
/// waited for its turn, and it took as long as a call may.
const UNDER_WAY: Duration = Duration::from_secs(30);

/// How far the clocks of processes may differ, and the network delay what they say.
const CLOCKS_DIFFER: Duration = Duration::from_secs(6);

struct Message {
    sid: MessageSid,
    send: u64,
    id: u64,
    is_confirmed: bool,
    feedback_count: u32,
}

struct Model<'a> {
    evening: &'a Evening,
    events: Vec<(Duration, Event)>,
    messages: Vec<Message>,
    broken: Vec<String>,
}

/// The promises that were broken, one a line; none is the rule.
pub(crate) fn broken(evening: &Evening) -> Vec<String> {
    let messages = evening.simulator.messages();
    let mut model = Model {
        evening,
        events: evening.journal.events().clone(),
        messages: messages.iter().filter_map(message).collect(),
        broken: Vec::new(),
    };
    model.sends_are_as_without_us();
    model.nothing_else_is_reported();
    model.what_was_confirmed_is_reported();
    model.what_is_forgotten_is_gone();
    model.everything_ends();
    if evening.day.is_calm {
        model.a_calm_day_has_no_trouble();
    }
    model.broken
}

fn message(message: &SimulatedMessage) -> Option<Message> {
    let (send, id) = numbers(message.body())?;
    Some(Message {
        sid: message.sid(),
        send,
        id,
        is_confirmed: message.outcome() == Outcome::Confirmed,
        feedback_count: message.feedback_count(),
    })
}

impl Model<'_> {
    fn breaks(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    fn events_of<'a, T: 'a>(
        &'a self,
        find: impl Fn(Duration, &'a Event) -> Option<T> + 'a,
    ) -> impl Iterator<Item = T> + 'a {
        self.events.iter().filter_map(move |(at, event)| find(*at, event))
    }

    fn opted_out(&self) -> HashSet<u64> {
        let people = self.evening.day.people.iter();
        people.filter(|person| person.opts_out).map(|person| person.id).collect()
    }

    /// No create is repeated, changed beyond the tag, delayed by our queueing or failed by us.
    fn sends_are_as_without_us(&mut self) {
        let mut arrived: HashMap<u64, u32> = HashMap::new();
        let mut bare: HashMap<u64, (Duration, Answer)> = HashMap::new();
        let opted_out = self.opted_out();
        let mut broken = Vec::new();
        for (at, event) in &self.events {
            match event {
                Event::Create { send, is_tagged, is_changed } => {
                    let times = arrived.entry(*send).or_default();
                    *times += 1;
                    if *times > 1 {
                        broken.push(format!("send {send} was repeated"));
                    }
                    if *is_changed {
                        broken.push(format!("send {send} was changed"));
                    }
                    if *is_tagged == opted_out.contains(&(send / 10)) {
                        broken.push(format!("send {send} was tagged: {is_tagged}"));
                    }
                }
                Event::BareAnswer { send, answer } => {
                    bare.insert(*send, (*at, answer.clone()));
                }
                Event::SendEnded { send, answer } => {
                    let Some((bare_at, bare)) = bare.get(send) else {
                        broken.push(format!("send {send} was answered by us"));
                        continue;
                    };
                    if answer != bare {
                        broken.push(format!("send {send} got another answer than Twilio's"));
                    }
                    let bound = self.evening.day.setup.store_timeout + 4 * TICK;
                    if *at > *bare_at + bound {
                        broken.push(format!("send {send} waited {:?} for us", *at - *bare_at));
                    }
                }
                _ => {}
            }
        }
        self.broken.extend(broken);
    }

    /// Nothing is reported that was not confirmed, and it is reported by its own account.
    fn nothing_else_is_reported(&mut self) {
        let id_of: HashMap<_, _> = self.messages.iter().map(|m| (m.sid, m.id)).collect();
        let send_of: HashMap<_, _> = self.messages.iter().map(|m| (m.sid, m.send)).collect();
        let opted_out = self.opted_out();
        // Where all messages of an id are confirmed at once, later ones may be among them.
        let resends = self.evening.day.setup.resends;
        let is_exact = self.evening.day.clocks_agree() && resends == Resends::Newest;
        let mut sent_at: HashMap<u64, Duration> = HashMap::new();
        let mut acted_at: HashMap<u64, Duration> = HashMap::new();
        let mut broken = Vec::new();
        for (at, event) in &self.events {
            match event {
                Event::SendBegan { send, .. } => {
                    sent_at.insert(*send, *at);
                }
                Event::Acted { id, .. } => {
                    acted_at.insert(*id, *at);
                }
                Event::Feedback { sid, is_authorized } => {
                    let Some(id) = id_of.get(sid).copied() else {
                        broken.push(format!("{at:?}: feedback on a message that there is not"));
                        continue;
                    };
                    if !is_authorized {
                        broken.push(format!("{at:?}: feedback with another's credentials"));
                    }
                    if opted_out.contains(&id) {
                        broken.push(format!("{at:?}: id {id} was never tagged"));
                    }
                    let sent_at = sent_at[&send_of[sid]];
                    match acted_at.get(&id) {
                        None => {
                            broken.push(format!("{at:?}: id {id} was reported, and nobody acted"));
                        }
                        Some(acted) if is_exact && sent_at > *acted + CLOCKS_DIFFER => {
                            broken.push(format!("{at:?}: id {id}: nobody acted since this send"));
                        }
                        Some(_) => {}
                    }
                }
                _ => {}
            }
        }
        self.broken.extend(broken);
    }

    /// The lives that ended with nothing left in their memory, and when they took no more.
    fn survivors(&self) -> HashMap<Life, Duration> {
        let mut stopping = HashMap::new();
        let mut survivors = HashMap::new();
        for (at, event) in &self.events {
            match event {
                Event::Stopping(life) => {
                    stopping.insert(*life, *at);
                }
                Event::Stopped { life, outbox, deferred: 0 }
                    if self.evening.day.is_shared || *outbox == Some(0) =>
                {
                    survivors.insert(*life, stopping[life]);
                }
                _ => {}
            }
        }
        survivors
    }

    /// Ids that Twilio refused feedback for, for good.
    fn refused(&self) -> HashSet<u64> {
        let id_of: HashMap<_, _> = self.messages.iter().map(|m| (m.sid, m.id)).collect();
        let mut not_found: HashMap<u64, u32> = HashMap::new();
        let mut refused = HashSet::new();
        for received in self.evening.simulator.received() {
            if received.kind() != RequestKind::Feedback {
                continue;
            }
            let Some(id) = received.message().and_then(|sid| id_of.get(&sid).copied()) else {
                continue;
            };
            match received.status() {
                Some(400) => {
                    refused.insert(id);
                }
                Some(404) => {
                    let times = not_found.entry(id).or_default();
                    *times += 1;
                    if *times > 6 {
                        refused.insert(id);
                    }
                }
                _ => {}
            }
        }
        refused
    }

    fn what_was_confirmed_is_reported(&mut self) {
        let survivors = self.survivors();
        let refused = self.refused();
        let opted_out = self.opted_out();
        let forgotten: HashSet<u64> = self
            .evening
            .day
            .people
            .iter()
            .filter(|person| person.forgotten_after.is_some())
            .map(|person| person.id)
            .collect();
        let reported: HashSet<u64> =
            self.messages.iter().filter(|m| m.is_confirmed).map(|m| m.id).collect();
        let id_of: HashMap<_, _> = self.messages.iter().map(|m| (m.sid, m.id)).collect();
        let mut recorded: HashSet<u64> = HashSet::new();
        let mut owed: Vec<(Duration, u64, String)> = Vec::new();
        let is_shared = self.evening.day.is_shared;
        // Or else a confirm that comes late may find what it meant to be younger than it.
        let clocks_agree = self.evening.day.clocks_agree();
        let may_refuse = self.evening.day.setup.max_deferred < 100;
        for (at, event) in &self.events {
            match event {
                Event::Recorded { sid } => recorded.extend(id_of.get(sid)),
                Event::Confirmed { life, id, confirmation } => {
                    let survives = survivors.contains_key(life);
                    let is_owed = match confirmation {
                        Confirmation::Queued | Confirmation::AlreadyConfirmed => {
                            is_shared || survives
                        }
                        Confirmation::Deferred => survives && clocks_agree && recorded.contains(id),
                        _ => false,
                    };
                    if is_owed {
                        owed.push((*at, *id, format!("{confirmation:?}")));
                    }
                    let refusal = match confirmation {
                        Confirmation::Refused(Refusal::QueueFull) => may_refuse,
                        Confirmation::Refused(Refusal::ShutDown) => true,
                        Confirmation::Refused(_) => false,
                        _ => true,
                    };
                    if !refusal {
                        owed.push((*at, u64::MAX, format!("{confirmation:?}")));
                    }
                }
                // Whatever the route was told: the process was there to see it through.
                Event::Acted { life, id }
                    if recorded.contains(id)
                        && clocks_agree
                        && !may_refuse
                        && survivors.get(life).is_some_and(|stopping| at < stopping) =>
                {
                    owed.push((*at, *id, "acted".to_owned()));
                }
                _ => {}
            }
        }
        for (at, id, why) in owed {
            let is_excused =
                opted_out.contains(&id) || refused.contains(&id) || forgotten.contains(&id);
            if !is_excused && !reported.contains(&id) {
                self.breaks(format!("{at:?}: id {id} was confirmed ({why}) and not reported"));
            }
        }
    }

    fn what_is_forgotten_is_gone(&mut self) {
        let mut broken = Vec::new();
        let entries: HashMap<_, _> = self.evening.ledger.iter().cloned().collect();
        for message in &self.messages {
            let forgotten = self.events_of(|_, event| match event {
                Event::Forgotten { id, began } if *id == message.id => Some(*began),
                _ => None,
            });
            let Some(forgotten_at) = forgotten.last() else { continue };
            // What the store is told after that is known again: a record that waited in the
            // memory of another process, and an action.
            let known_again = self.events.iter().any(|(at, event)| {
                let is_its_own = match event {
                    Event::Recorded { sid } => *sid == message.sid,
                    Event::BareAnswer { send, .. } => *send == message.send,
                    _ => false,
                };
                is_its_own && *at >= forgotten_at
            });
            if known_again {
                continue;
            }
            if self.evening.day.is_shared && matches!(entries.get(&message.sid), Some(Some(_))) {
                broken.push(format!("id {} is known after it was forgotten", message.id));
            }
            let late = self.events_of(|at, event| match event {
                Event::Feedback { sid, .. } if *sid == message.sid => Some(at),
                _ => None,
            });
            if late.last().is_some_and(|at| at > forgotten_at + UNDER_WAY) {
                broken.push(format!("id {} was reported after it was forgotten", message.id));
            }
        }
        self.broken.extend(broken);
    }

    /// The outbox drains, shutdowns end, and nothing waits in any memory.
    fn everything_ends(&mut self) {
        let healed_at = self.events_of(|at, e| (*e == Event::Healed).then_some(at)).next();
        let healed_at = healed_at.unwrap_or_default();
        if self.evening.day.is_shared && !self.events.iter().any(|(_, e)| *e == Event::Drained) {
            self.breaks("the outbox did not drain");
        }
        let mut broken = Vec::new();
        for (at, event) in &self.events {
            if let Event::Stopped { life, outbox, deferred } = event {
                // `None`: the store took longer to say than it may.
                let left = outbox.is_some_and(|outbox| outbox > 0) || *deferred > 0;
                if *at > healed_at && left {
                    broken.push(format!("{life:?} left {outbox:?} and {deferred} at the end"));
                }
            }
        }
        for (sid, entry) in &self.evening.ledger {
            let status = entry.as_ref().map(|entry| entry.status);
            if let Some(LedgerStatus::Dead { .. }) = status {
                let id = self.messages.iter().find(|m| m.sid == *sid).map(|m| m.id);
                if !id.is_some_and(|id| self.refused().contains(&id)) {
                    broken.push(format!("id {id:?} is dead, and Twilio did not refuse it"));
                }
            }
        }
        self.broken.extend(broken);
    }

    /// Without a fault each action is one report, and nothing waits for anything.
    fn a_calm_day_has_no_trouble(&mut self) {
        let mut broken = Vec::new();
        for message in &self.messages {
            if message.feedback_count > 1 {
                broken.push(format!("id {} was reported twice", message.id));
            }
        }
        let opted_out = self.opted_out();
        let acted: HashSet<u64> = self
            .events_of(|_, event| match event {
                Event::Acted { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        for person in &self.evening.day.people {
            let reported = self.messages.iter().any(|m| m.id == person.id && m.is_confirmed);
            let expected = acted.contains(&person.id)
                && person.forgotten_after.is_none()
                && !opted_out.contains(&person.id);
            if expected && !reported {
                broken.push(format!("id {} acted on a calm day and was not reported", person.id));
            }
        }
        for (at, event) in &self.events {
            if let Event::Confirmed { id, confirmation, .. } = event {
                if matches!(confirmation, Confirmation::Deferred | Confirmation::Refused(_)) {
                    broken.push(format!("{at:?}: id {id}: {confirmation:?} on a calm day"));
                }
            }
        }
        self.broken.extend(broken);
    }
}
