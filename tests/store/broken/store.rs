//! A store in memory with one fault.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower_message_feedback::{
    BaseUrl, Clock, CorrelationKeys, ManualClock, MessageSid, MessageStatus, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, EntryId, FeedbackStore, ForgetTarget,
        LeaseAnswer, LeaseRequest, LeaseToken, LedgerEntry, LedgerStatus, MemoryStore, Note,
        NoteOutcome, RecordOutcome, ResendOutcome, Resolution, Rollup, RollupBatch, RollupOutcome,
        Segment, SettleOutcome, Settlement, StatusOutcome, StatusUpdate, StoreCounts, StoreError,
        StoreFuture, TrackedMessage,
        conformance::{Settings, Subject},
    },
};

use super::fault::Fault::{self, *};
use crate::{conformance::open, delegate::feedback_store};

pub(crate) struct Broken(pub(crate) Fault);

impl Subject for Broken {
    type Store = BrokenStore;

    async fn open(&self, settings: Settings) -> BrokenStore {
        BrokenStore::new(self.0, settings)
    }

    fn histories(&self) -> u64 {
        150
    }
}

pub(crate) struct BrokenStore {
    pub(super) fault: Fault,
    pub(super) memory: MemoryStore,
    clock: Clock,
    /// What `memory` goes by: the same, but for the faults of time.
    own: ManualClock,
    max_messages: Option<usize>,
    pub(super) seen: Mutex<Seen>,
}

/// What a fault needs to remember.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) recorded: HashMap<MessageSid, (usize, TrackedMessage)>,
    pub(super) tokens: HashMap<EntryId, (LeaseToken, Timestamp)>,
    pub(super) owners: HashMap<EntryId, MessageSid>,
    pub(super) resent: Vec<MessageSid>,
    pub(super) told: HashMap<MessageSid, (MessageStatus, Option<u32>)>,
    pub(super) latest: Option<Timestamp>,
    pub(super) batches: i64,
}

pub(super) type Answer<T> = Result<T, StoreError>;

impl BrokenStore {
    fn new(fault: Fault, mut settings: Settings) -> Self {
        let clock = settings.clock.clone();
        let own = ManualClock::new(clock.now());
        let max_messages = settings.max_messages;
        settings.clock = own.clock();
        match fault {
            ExpiresTheLedgerEarly => settings.ledger_retention -= Duration::from_secs(1),
            ExpiresDeadLettersEarly => settings.dead_letter_retention -= Duration::from_secs(1),
            MessagesAreUnbounded | FullInsteadOfGivingWay | TheNewestGivesWay => {
                settings.max_messages = None;
            }
            OutboxIsUnbounded => settings.max_outbox = None,
            DeadLettersAreUnbounded => settings.max_dead_letters = None,
            _ => {}
        }
        let memory = open(&settings);
        Self { fault, memory, clock, own, max_messages, seen: Mutex::default() }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets the store in memory see the time, `ahead` of what it is.
    pub(super) fn see_the_time(&self, ahead: Duration) {
        let _one_at_a_time = self.seen();
        let (now, shown) = (self.clock.now() + ahead, self.own.now());
        self.own.advance(now.since(shown));
        self.own.step_back(shown.since(now));
    }

    pub(super) async fn status(&self, sid: MessageSid) -> Option<LedgerStatus> {
        let entries = self.memory.by_sid(&[sid]).await.expect("an answer");
        entries[0].as_ref().map(|entry| entry.status)
    }

    async fn record_(&self, batch: &[TrackedMessage]) -> Answer<Vec<RecordOutcome>> {
        self.see_the_time(Duration::ZERO);
        let mut batch: Vec<_> = batch.iter().map(|message| self.altered(message)).collect();
        let seen_before = match self.fault {
            RecordLooksBeforeItLeaps => {
                let sids: Vec<_> = batch.iter().map(|message| message.sid).collect();
                let known = self.memory.by_sid(&sids).await?;
                tokio::task::yield_now().await;
                Some(known)
            }
            _ => None,
        };
        if self.has(FullInsteadOfGivingWay) || self.has(TheNewestGivesWay) {
            if let Some(refused) = self.at_the_bound(&batch).await? {
                return Ok(refused);
            }
        }
        if self.has(RecordArrivesBackwards) {
            batch.reverse();
        }
        let skipped = if self.has(RecordSkipsTheLastOfMany) && batch.len() > 500 {
            batch.pop()
        } else {
            None
        };
        let mut outcomes = self.memory.record(&batch).await?;
        outcomes.extend(skipped.map(|_| RecordOutcome::Inserted));
        if self.has(RecordArrivesBackwards) {
            outcomes.reverse();
        }
        for (n, message) in batch.iter().enumerate() {
            if outcomes[n] == RecordOutcome::Inserted {
                let mut seen = self.seen();
                let arrival = seen.recorded.len();
                seen.recorded.insert(message.sid, (arrival, message.clone()));
            }
            if outcomes[n] == RecordOutcome::OtherId && self.has(OtherIdMovesTheMessage) {
                self.memory.forget(&[ForgetTarget::Message(message.sid)]).await?;
                self.memory.record(std::slice::from_ref(message)).await?;
            }
            if outcomes[n] == RecordOutcome::AlreadyPresent
                && self.has(RecordUpdatesThePlace)
                && self.status(message.sid).await == Some(LedgerStatus::Pending)
            {
                self.memory.forget(&[ForgetTarget::Message(message.sid)]).await?;
                self.memory.record(std::slice::from_ref(message)).await?;
            }
        }
        for (n, outcome) in outcomes.iter_mut().enumerate() {
            use RecordOutcome::{AlreadyPresent, Inserted, OtherId};
            *outcome = match (self.fault, *outcome) {
                (InsertedSaysAlreadyPresent, Inserted) => AlreadyPresent,
                (AlreadyPresentSaysInserted, AlreadyPresent) => Inserted,
                (OtherIdSaysAlreadyPresent, OtherId) => AlreadyPresent,
                (RecordLooksBeforeItLeaps, _)
                    if seen_before.as_ref().is_some_and(|known| known[n].is_none()) =>
                {
                    Inserted
                }
                (_, outcome) => outcome,
            };
        }
        if self.has(RecordAnswersBackwards) {
            outcomes.reverse();
        }
        Ok(outcomes)
    }

    /// What the fault makes of a message.
    pub(super) fn altered(&self, message: &TrackedMessage) -> TrackedMessage {
        let mut message = message.clone();
        match self.fault {
            LosesLabels => message.segment = Segment::default(),
            LosesBaseUrls => message.base_url = BaseUrl::default(),
            LosesAccounts => {
                message.account = "AC00000000000000000000000000000000".parse().expect("a SID");
            }
            LowersLetterCase => {
                let (prefix, digits) = (&message.sid.to_string()[..2], message.sid.to_string());
                let lower = format!("{prefix}{}", digits[2..].to_lowercase());
                message.sid = lower.parse().expect("a SID");
            }
            RoundsSentAtToSeconds => {
                let millis = message.sent_at.as_millis();
                message.sent_at = Timestamp::from_millis(millis - millis.rem_euclid(1000));
            }
            _ => {}
        }
        message
    }

    /// The wrong thing to do at the bound on messages.
    async fn at_the_bound(&self, batch: &[TrackedMessage]) -> Answer<Option<Vec<RecordOutcome>>> {
        let Some(max) = self.max_messages else { return Ok(None) };
        let messages = self.memory.counts().await?.messages as usize;
        let known = self.status(batch[0].sid).await.is_some();
        if messages < max || known {
            return Ok(None);
        }
        if self.has(FullInsteadOfGivingWay) {
            return Ok(Some(vec![RecordOutcome::Full; batch.len()]));
        }
        let mut sids: Vec<_> =
            self.seen().recorded.values().map(|(arrival, m)| (*arrival, m.sid)).collect();
        sids.sort();
        for (_, sid) in sids.into_iter().rev() {
            if matches!(self.status(sid).await, Some(LedgerStatus::Pending)) {
                self.memory.forget(&[ForgetTarget::Message(sid)]).await?;
                break;
            }
        }
        Ok(None)
    }

    async fn expire_(&self, limit: usize) -> Answer<usize> {
        let early = if self.has(ExpiresEarly) { Duration::from_secs(1) } else { Duration::ZERO };
        self.see_the_time(early);
        if self.has(ExpiresNothing) {
            return Ok(0);
        }
        if self.has(ExpiresTheOutbox) {
            let now = self.now();
            let recorded = self.seen().recorded.clone();
            for (sid, (_, message)) in recorded {
                let queued = matches!(self.status(sid).await, Some(LedgerStatus::Queued { .. }));
                if queued && message.expires_at <= now {
                    self.memory.forget(&[ForgetTarget::Message(sid)]).await?;
                }
            }
        }
        let limit = if self.has(ExpiresEverythingAtOnce) { usize::MAX } else { limit };
        let dropped = self.memory.expire(limit).await?;
        Ok(if self.has(ExpireAnswersOneMore) && dropped > 0 { dropped + 1 } else { dropped })
    }

    async fn forget_(&self, targets: &[ForgetTarget]) -> Answer<Vec<usize>> {
        self.see_the_time(Duration::ZERO);
        let mut answers = Vec::new();
        for target in targets {
            let mut target = *target;
            let before = match target {
                ForgetTarget::Message(sid) => usize::from(self.status(sid).await.is_some()),
                _ => 0,
            };
            match (self.fault, &mut target) {
                (ForgetIgnoresThePreviousKey, ForgetTarget::Id(keys)) => keys.previous = None,
                (ForgetForgetsTheNewestAlone, ForgetTarget::Id(keys)) => {
                    if let Some(entry) = self.memory.lookup(&[*keys]).await?[0].first() {
                        target = ForgetTarget::Message(entry.sid);
                    }
                }
                (ForgetMessageForgetsItsId, ForgetTarget::Message(sid)) => {
                    let key = self.seen().recorded.get(sid).map(|(_, message)| message.key);
                    if let Some(key) = key {
                        target = ForgetTarget::Id(key.into());
                    }
                }
                (ForgetLeavesTheOutbox, ForgetTarget::Message(sid))
                    if matches!(self.status(*sid).await, Some(LedgerStatus::Queued { .. })) =>
                {
                    answers.push(0);
                    continue;
                }
                (ForgetLeavesTheOutbox, ForgetTarget::Id(keys)) => {
                    let mut gone = 0;
                    for entry in self.memory.lookup(&[*keys]).await?.remove(0) {
                        if !matches!(entry.status, LedgerStatus::Queued { .. }) {
                            let target = ForgetTarget::Message(entry.sid);
                            gone += self.memory.forget(&[target]).await?[0];
                        }
                    }
                    answers.push(gone);
                    continue;
                }
                (ForgetLooksBeforeItLeaps, ForgetTarget::Message(_)) => {
                    tokio::task::yield_now().await;
                    self.memory.forget(&[target]).await?;
                    answers.push(before);
                    continue;
                }
                _ => {}
            }
            let gone = self.memory.forget(&[target]).await?[0];
            answers.push(match self.fault {
                ForgetAnswersOneMore if gone > 0 => gone + 1,
                _ => gone,
            });
        }
        Ok(answers)
    }

    async fn resend_(&self, sids: &[MessageSid]) -> Answer<Vec<ResendOutcome>> {
        let later =
            if self.has(ResentIsDueLater) { Duration::from_secs(1) } else { Duration::ZERO };
        self.see_the_time(later);
        let mut answers = Vec::new();
        for sid in sids {
            let status = self.status(*sid).await;
            let dead = matches!(status, Some(LedgerStatus::Dead { .. }));
            if self.has(ResendLooksBeforeItLeaps) {
                tokio::task::yield_now().await;
            }
            if self.has(ResendConfirmsAnew) && dead {
                let message = self.seen().recorded.get(sid).map(|(_, message)| message.clone());
                self.memory.forget(&[ForgetTarget::Message(*sid)]).await?;
                let target = message.map(ConfirmTarget::Message);
                self.memory.confirm(target.as_slice()).await?;
                answers.push(ResendOutcome::Queued);
                continue;
            }
            let outcome = self.memory.resend(&[*sid]).await?[0];
            if outcome == ResendOutcome::Queued {
                self.seen().resent.push(*sid);
            }
            answers.push(match (self.fault, outcome) {
                (ResendsWhatIsNotDead, ResendOutcome::NotDead) if status.is_some() => {
                    ResendOutcome::Queued
                }
                (ResentSaysNotDead, ResendOutcome::Queued) => ResendOutcome::NotDead,
                (ResendLooksBeforeItLeaps, _) if dead => ResendOutcome::Queued,
                (_, outcome) => outcome,
            });
        }
        Ok(answers)
    }

    #[allow(clippy::unused_self, reason = "the delegate calls it as a method")]
    fn durability_(&self) -> Durability {
        Durability::Volatile
    }
}

feedback_store!(BrokenStore);
