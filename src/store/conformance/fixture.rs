use std::{error::Error, fmt::Write, sync::Arc, time::Duration};

use super::{
    Capabilities, HeldConfirm, Settings,
    erased::{Opened, Tested},
    messages::{self, sid},
    verdict::NotApplicable,
};
use crate::{
    BaseUrl, Clock, ManualClock, MessageSid, Timestamp,
    store::{
        ConfirmTarget, Failure, FailureKind, FeedbackStore, LeaseAnswer, StoreFuture,
        TrackedMessage,
    },
};

pub(super) const LEASE: Duration = seconds(30);
pub(super) const RETENTION: Duration = seconds(3600);
pub(super) const REJECTED: Failure = Failure::new(FailureKind::Rejected, Some(400), Some(90001));

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A store with a clock of its own, and what the cases ask of it.
#[derive(Clone)]
pub(super) struct Fixture {
    pub(super) subject: Tested,
    opened: Arc<dyn Opened>,
    pub(super) store: Arc<dyn FeedbackStore>,
    pub(super) time: ManualClock,
    pub(super) settings: Settings,
    /// What the clock showed at first.
    pub(super) start: Timestamp,
}

/// What a store answered.
///
/// # Panics
///
/// If it answered an error.
pub(super) async fn answer<T>(operation: &str, future: StoreFuture<'_, T>) -> T {
    match future.await {
        Ok(answer) => answer,
        Err(error) => {
            let mut text = format!("{operation}: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                let _ = write!(text, ": {error}");
                source = error.source();
            }
            panic!("{text}");
        }
    }
}

/// The one answer for one item.
pub(super) fn one<T: std::fmt::Debug>(operation: &str, answers: Vec<T>) -> T {
    match <[T; 1]>::try_from(answers) {
        Ok([answer]) => answer,
        Err(answers) => panic!("{operation}: {} answers for one item: {answers:?}", answers.len()),
    }
}

impl Fixture {
    pub(super) async fn new(subject: &Tested) -> Self {
        Self::with(subject, |_| {}).await
    }

    pub(super) async fn with(subject: &Tested, set: impl FnOnce(&mut Settings)) -> Self {
        // Ahead of a server's own clock, for as long as the suite may run.
        let real = (Clock::system().now() + seconds(24 * 3600)).as_millis();
        let start = Timestamp::from_millis(real - real % 1000 + 123);
        let time = ManualClock::new(start);
        let mut settings = Settings {
            clock: time.clock(),
            ledger_retention: seconds(24 * 3600),
            dead_letter_retention: seconds(30 * 24 * 3600),
            max_messages: None,
            max_outbox: None,
            max_dead_letters: None,
        };
        set(&mut settings);
        let opened = subject.open(settings.clone()).await;
        let (subject, store) = (subject.clone(), opened.store());
        Self { subject, opened, store, time, settings, start }
    }

    /// The same data through another store object.
    pub(super) async fn again(&self) -> Result<Self, NotApplicable> {
        let again = self.opened.open_again(self.settings.clone()).await;
        let opened = again.ok_or(NotApplicable("no other process can reach its data"))?;
        Ok(Self { store: opened.store(), opened, ..self.clone() })
    }

    /// A confirm in an open transaction.
    pub(super) async fn hold(
        &self,
        target: &ConfirmTarget,
    ) -> Result<Box<dyn HeldConfirm>, NotApplicable> {
        let held = self.opened.hold_confirm(target.clone()).await;
        held.ok_or(NotApplicable("it cannot confirm inside an open transaction"))
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.subject.capabilities()
    }

    pub(super) fn advance(&self, by: Duration) {
        self.time.advance(by);
    }

    /// Message `n`, of account 0, under the key `id`, sent at the start.
    pub(super) fn message(&self, n: u64, id: u8) -> TrackedMessage {
        TrackedMessage::new(
            messages::key(id),
            sid(n),
            messages::account(0),
            BaseUrl::default(),
            self.start,
            self.start + RETENTION,
        )
    }

    pub(super) fn message_of(&self, owner: u64, n: u64, id: u8) -> TrackedMessage {
        TrackedMessage { account: messages::account(owner), ..self.message(n, id) }
    }

    pub(super) fn sent_at(&self, n: u64, id: u8, sent_at: Timestamp) -> TrackedMessage {
        TrackedMessage { sent_at, ..self.message(n, id) }
    }

    pub(super) fn expiring(&self, n: u64, id: u8, expires_at: Timestamp) -> TrackedMessage {
        TrackedMessage { expires_at, ..self.message(n, id) }
    }
}

pub(super) fn sids(answer: &LeaseAnswer) -> Vec<MessageSid> {
    answer.entries.iter().map(|entry| entry.sid).collect()
}
