//! The parent's side: Twilio, and what it was told in the end.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use tower_message_feedback::{
    MessageSid,
    simulator::{Outcome, Simulator, SimulatorServer},
};

use crate::{
    children::{Birth, Child},
    stores::Spec,
};

/// What an id ends with that nobody confirms.
pub(crate) const NEVER: &str = "-never";

pub(crate) struct World {
    pub(crate) twilio: Simulator,
    server: SimulatorServer,
}

impl World {
    pub(crate) async fn new() -> Self {
        let twilio = Simulator::new();
        let server = twilio.serve().await.expect("a free port");
        Self { twilio, server }
    }

    pub(crate) fn base_url(&self) -> String {
        self.server.base_url().to_string()
    }

    /// A child that works on this store and with this Twilio.
    pub(crate) fn birth(&self, entry: &'static str, spec: &Spec) -> Birth {
        Birth::at(entry).with("BASE_URL", self.base_url()).with("STORE", spec)
    }

    /// The messages by the ids in their texts. A send may have been repeated
    /// under one id by nobody: every id has one message.
    fn by_id(&self) -> HashMap<String, (MessageSid, Outcome, u32)> {
        let messages = self.twilio.messages();
        let mut by_id = HashMap::with_capacity(messages.len());
        for message in messages {
            let (_, id) = message.body().split_once("id=").expect("a link");
            let known = (message.sid(), message.outcome(), message.feedback_count());
            assert!(by_id.insert(id.to_owned(), known).is_none(), "{id} was sent twice");
        }
        by_id
    }

    /// Of these ids, those whose messages were not reported.
    pub(crate) fn missing<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Vec<String> {
        let by_id = self.by_id();
        let is_missing = |id: &&String| {
            by_id.get(*id).is_none_or(|(_, outcome, _)| *outcome != Outcome::Confirmed)
        };
        ids.into_iter().filter(is_missing).cloned().collect()
    }

    /// Waits until nothing is missing of these ids.
    pub(crate) async fn all_reported(&self, ids: &[String], patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            // The rest is asked only once it may be complete.
            let late = Instant::now() > deadline;
            if !late && self.twilio.confirmed().len() < ids.len() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let missing = self.missing(ids);
            if missing.is_empty() {
                return;
            }
            assert!(
                !late,
                "{} of {} are missing, {:?} for one",
                missing.len(),
                ids.len(),
                missing[0]
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What nobody confirmed was not reported, and nothing else was refused.
    pub(crate) fn nothing_else_reported(&self) {
        for (id, (_, outcome, _)) in self.by_id() {
            assert!(!id.ends_with(NEVER) || outcome == Outcome::Unconfirmed, "{id} was reported");
        }
        let refused = self.twilio.received().into_iter().find(|received| received.is_refused());
        assert!(refused.is_none(), "{refused:?}");
    }

    /// How many reports there were beside the first one of each message.
    pub(crate) fn duplicates(&self) -> u32 {
        self.by_id().values().map(|(_, _, count)| count.saturating_sub(1)).sum()
    }

    /// Starts a process on the store that delivers what is in its outbox, and
    /// waits until that is empty.
    pub(crate) async fn drain(&self, birth: Birth) {
        let mut child: Child = birth.start();
        child.heard("drained").await;
        child.end();
    }
}

/// The lines that say that an id was queued.
#[allow(clippy::needless_pass_by_value, reason = "the lines of a child that is gone")]
pub(crate) fn queued(lines: Vec<String>) -> HashSet<String> {
    lines.iter().filter_map(|line| line.strip_prefix("queued ")).map(str::to_owned).collect()
}
