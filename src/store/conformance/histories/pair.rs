//! A store and its model, asked the same.

use std::{collections::HashSet, time::Duration};

use super::{
    lease::check_lease,
    model::{Confirmed, Message, Model},
    op::{ACCOUNTS, Confirm, Forget, IDS, MESSAGES, Op, Record},
};
use crate::{
    BaseUrl, MessageSid, Timestamp,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, EntryId, FeedbackStore, ForgetTarget,
        LeaseRequest, LeaseToken, LedgerEntry, RecordOutcome, ResendOutcome, Resends,
        SettleOutcome, Settlement, StoreCounts, TrackedMessage,
        conformance::{
            fixture::{Fixture, LEASE, answer, seconds},
            messages::{account, by_id, key, keys, message_sid, rotated, sid},
        },
    },
};

/// Where a store parts ways with the model.
pub(super) type Step = Result<(), String>;

/// Ends the history if the store's answer is not the expected one.
macro_rules! same {
    ($answer:expr, $expected:expr, $($what:tt)+) => {
        match (&$answer, &$expected) {
            (answer, expected) if *answer == *expected => {}
            (answer, expected) => {
                return Err(format!("{}: {answer:?} instead of {expected:?}", format_args!($($what)+)));
            }
        }
    };
}

/// Ends the history if the condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}

pub(super) use {ensure, same};

pub(super) struct Pair {
    /// The store objects that take turns.
    stores: Vec<Fixture>,
    model: Model,
    turn: usize,
    /// Every pair that a lease ever answered.
    tokens: HashSet<(EntryId, LeaseToken)>,
    /// The latest time that the clock showed, and how far it went back in all.
    latest: Timestamp,
    stepped_back: Duration,
    dropped: Dropped,
}

/// What the store dropped by itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Dropped {
    evicted: u64,
    expired: u64,
    dead_letters: u64,
}

/// Why a message may have gone in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Expire,
    Arrival,
    /// Beyond a bound on dead letters, or at leisure.
    Other,
}

fn numbered(n: u64) -> MessageSid {
    match n % 4 {
        3 => message_sid(&format!("MM{:032X}", 0xabcd_ef00 + n)),
        _ => sid(n),
    }
}

fn all_sids() -> Vec<MessageSid> {
    (0..MESSAGES).map(numbered).collect()
}

fn with_previous(id: u8, previous: Option<u8>) -> crate::CorrelationKeys {
    match previous.filter(|previous| *previous != id) {
        Some(previous) => rotated(id, previous),
        None => keys(id),
    }
}

impl Pair {
    pub(super) async fn new(fixture: Fixture) -> Self {
        let mut stores = vec![fixture.clone()];
        stores.extend(fixture.again().await);
        Self {
            latest: fixture.start,
            stores,
            model: Model::default(),
            turn: 0,
            tokens: HashSet::new(),
            stepped_back: Duration::ZERO,
            dropped: Dropped::default(),
        }
    }

    fn f(&self) -> Fixture {
        self.stores[self.turn % self.stores.len()].clone()
    }

    fn tracked(&self, record: Record) -> TrackedMessage {
        let now = self.stores[0].time.now();
        let n = record.n;
        let mut tracked = TrackedMessage::new(
            key(record.id),
            numbered(n),
            account(n % ACCOUNTS),
            match n % 2 {
                0 => BaseUrl::default(),
                _ => super::super::messages::base_url("https://proxy.test/twilio/2010-04-01"),
            },
            now + seconds(record.sent_in),
            now + seconds(record.lives),
        );
        tracked.label = (n % 3 > 0).then(|| format!("label {n}").into());
        tracked
    }

    fn room(&self) -> usize {
        let max = self.stores[0].settings.max_outbox.unwrap_or(usize::MAX);
        max.saturating_sub(self.model.outbox.len())
    }

    /// Does one step and compares; everything that can be asked if `thorough`.
    pub(super) async fn step(&mut self, op: &Op, thorough: bool) -> Step {
        self.turn += 1;
        let f = self.f();
        let now = f.time.now();
        let mut reason = Reason::Other;
        match op {
            Op::Record(batch) => {
                reason = Reason::Arrival;
                let batch: Vec<_> = batch.iter().map(|record| self.tracked(*record)).collect();
                let outcomes = f.record_all(&batch).await;
                for (tracked, outcome) in batch.iter().zip(outcomes) {
                    self.recorded(tracked, outcome)?;
                }
            }
            Op::Confirm(batch) => {
                reason = Reason::Arrival;
                self.confirm(&f, batch, now).await?;
            }
            Op::Lease { limit, small } => {
                let mut request = LeaseRequest::new(*limit, LEASE);
                request.accounts = vec![(account(0), *small)];
                request.other_accounts = 2;
                let answer = f.lease_as(&request).await;
                for entry in &answer.entries {
                    ensure!(
                        self.tokens.insert((entry.id, entry.token)),
                        "lease: a token of {} for the second time",
                        entry.sid
                    );
                }
                check_lease(&mut self.model, &request, answer, now, f.capabilities())?;
            }
            Op::Settle(batch) => self.settle(&f, batch, now).await?,
            Op::Expire { limit } => {
                reason = Reason::Expire;
                let answered = f.expire(*limit).await;
                self.expired(&f, *limit, answered, now).await?;
            }
            Op::Forget(batch) => {
                let targets: Vec<_> = batch.iter().map(|forget| target(*forget)).collect();
                let removed = f.forget_all(&targets).await;
                for (forget, removed) in batch.iter().zip(removed) {
                    let gone = match *forget {
                        Forget::Id { id, previous } => {
                            let under = self.model.under(with_previous(id, previous));
                            under.iter().map(|message| message.tracked.sid).collect()
                        }
                        Forget::Message(n) => vec![numbered(n)],
                    };
                    same!(removed, self.model.forget(&gone), "{forget:?}");
                }
            }
            Op::Resend(numbers) => {
                let sids: Vec<_> = numbers.iter().map(|n| numbered(*n)).collect();
                let outcomes = f.resend_all(&sids).await;
                for (sid, outcome) in sids.iter().zip(outcomes) {
                    let room = self.room();
                    let expected = match self.model.resend(*sid, now, room) {
                        Some(true) => ResendOutcome::Queued,
                        Some(false) => ResendOutcome::NotDead,
                        None => ResendOutcome::Full,
                    };
                    same!(outcome, expected, "resend {sid}");
                }
            }
            Op::Advance { millis } => {
                f.advance(Duration::from_millis(*millis));
                self.latest = self.latest.max(f.time.now());
            }
            Op::StepBack { millis } => {
                let by = Duration::from_millis(*millis);
                f.time.step_back(by);
                self.stepped_back += by;
            }
        }
        // Another object sees the same.
        self.turn += 1;
        self.compare(reason).await?;
        if thorough { self.compare_thoroughly().await } else { Ok(()) }
    }

    fn recorded(&mut self, tracked: &TrackedMessage, outcome: RecordOutcome) -> Step {
        let expected = match self.model.message(tracked.sid) {
            Some(known) if known.tracked.key == tracked.key => RecordOutcome::AlreadyPresent,
            Some(_) => RecordOutcome::OtherId,
            None if self.is_full() && !self.model.messages.iter().any(may_give_way) => {
                RecordOutcome::Full
            }
            None => RecordOutcome::Inserted,
        };
        same!(outcome, expected, "record {}", tracked.sid);
        if outcome == RecordOutcome::Inserted {
            self.model.insert(tracked);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        let max = self.stores[0].settings.max_messages;
        max.is_some_and(|max| self.model.messages.len() >= max)
    }

    async fn confirm(&mut self, f: &Fixture, batch: &[Confirm], now: Timestamp) -> Step {
        let targets: Vec<_> = batch
            .iter()
            .map(|confirm| match *confirm {
                Confirm::Newest { id, previous } => {
                    by_id(with_previous(id, previous), Resends::Newest)
                }
                Confirm::All { id, previous } => by_id(with_previous(id, previous), Resends::All),
                Confirm::Message(record) => ConfirmTarget::Message(self.tracked(record)),
            })
            .collect();
        let outcomes = f.confirm_all(&targets).await;
        for (target, outcome) in targets.iter().zip(outcomes) {
            let room = self.room();
            match target {
                ConfirmTarget::Id { keys, resends: Resends::Newest } => {
                    let expected = self.model.confirm_newest(*keys, now, room);
                    same!(outcome, expected, "confirm the newest");
                }
                ConfirmTarget::Id { keys, resends: Resends::All } => {
                    match self.model.confirm_all(*keys, now, room) {
                        Confirmed::Outcome(expected) => same!(outcome, expected, "confirm all"),
                        Confirmed::SomeOf(pending) => {
                            same!(outcome, ConfirmOutcome::Full, "confirm more than fit");
                            let queued = self.queued_of(f, &pending).await;
                            same!(queued.len(), room, "of more than fit, as many as do");
                            for sid in queued {
                                self.model.enqueue(sid, now, room);
                            }
                        }
                    }
                }
                ConfirmTarget::Message(tracked) => {
                    if self.model.message(tracked.sid).is_none() {
                        let full = self.is_full() && !self.model.messages.iter().any(may_give_way);
                        // Refused, it may be recorded or not.
                        let known = !full
                            && (room > 0
                                || f.by_sid(&[tracked.sid]).await.iter().any(Option::is_some));
                        if !known {
                            same!(outcome, ConfirmOutcome::Full, "confirm {}", tracked.sid);
                            continue;
                        }
                        self.model.insert(tracked);
                    }
                    let expected = self.model.enqueue(tracked.sid, now, room);
                    same!(outcome, expected, "confirm {}", tracked.sid);
                }
            }
        }
        Ok(())
    }

    async fn queued_of(&self, f: &Fixture, sids: &[MessageSid]) -> Vec<MessageSid> {
        let entries = f.by_sid(sids).await.into_iter().flatten();
        let queued = entries
            .filter(|entry| matches!(entry.status, crate::store::LedgerStatus::Queued { .. }));
        queued.map(|entry| entry.sid).collect()
    }

    async fn settle(
        &mut self,
        f: &Fixture,
        batch: &[(usize, crate::store::SettledAs)],
        now: Timestamp,
    ) -> Step {
        if self.model.leases.is_empty() {
            return Ok(());
        }
        let picked: Vec<_> = batch
            .iter()
            .map(|(lease, settled_as)| {
                let lease = lease % self.model.leases.len();
                let entry = &self.model.leases[lease];
                let attempts = Attempts::new(entry.attempts.total + 1, lease as u32 % 3);
                (lease, Settlement::new(entry, attempts, *settled_as))
            })
            .collect();
        let settlements: Vec<_> = picked.iter().map(|(_, settlement)| settlement.clone()).collect();
        let outcomes = f.settle_all(&settlements).await;
        let retentions = (f.settings.ledger_retention, f.settings.dead_letter_retention);
        for ((lease, settlement), outcome) in picked.into_iter().zip(outcomes) {
            let Settlement { attempts, settled_as, .. } = settlement;
            let expected = match self.model.settle(lease, attempts, settled_as, now, retentions) {
                true => SettleOutcome::Settled,
                false => SettleOutcome::LeaseLost,
            };
            let sid = self.model.leases[lease].sid;
            same!(outcome, expected, "settle {sid} as {settled_as:?}");
        }
        Ok(())
    }

    /// Takes out of the model what `expire` dropped.
    async fn expired(
        &mut self,
        f: &Fixture,
        limit: usize,
        answered: usize,
        now: Timestamp,
    ) -> Step {
        let exact = f.capabilities().exact_expiry;
        let over = self.model.messages.iter().filter(|message| message.is_over(now)).count();
        let gone = self.take_gone(Reason::Expire).await?;
        let expired = gone.iter().filter(|message| message.is_over(now)).count();
        if exact {
            same!(expired, over.min(limit), "expire: how many went of those that are over");
            ensure!(
                (expired..=gone.len()).contains(&answered),
                "expire: answered {answered} when {expired} went"
            );
            for dead in [false, true] {
                let of_kind = |m: &&Message| m.is_dead() == dead && m.is_over(now);
                let last = gone.iter().filter(of_kind).map(|m| m.expires_at).max();
                let left = self.model.messages.iter().filter(of_kind).map(|m| m.expires_at).min();
                let in_order = last.zip(left).is_none_or(|(last, left)| last <= left);
                ensure!(in_order, "expire: one that was over later went before another");
            }
        }
        Ok(())
    }

    /// Takes out of the model what the store no longer knows, if it may have
    /// gone for `reason`.
    async fn take_gone(&mut self, reason: Reason) -> Result<Vec<Message>, String> {
        let f = self.f();
        let now = f.time.now();
        let exact = f.capabilities().exact_expiry;
        let sids: Vec<_> = self.model.messages.iter().map(|m| m.tracked.sid).collect();
        let known: HashSet<_> =
            f.by_sid(&sids).await.into_iter().flatten().map(|entry| entry.sid).collect();
        let messages = std::mem::take(&mut self.model.messages);
        let (known, gone): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| known.contains(&message.tracked.sid));
        self.model.messages = known;
        let excess = |max: Option<usize>, held: usize| {
            max.map_or(0, |max| (held + gone.len()).saturating_sub(max))
        };
        let mut to_evict = excess(f.settings.max_messages, self.model.messages.len());
        let dead = self.model.messages.iter().filter(|message| message.is_dead()).count()
            + gone.iter().filter(|message| message.is_dead()).count();
        let mut dead_to_drop =
            f.settings.max_dead_letters.map_or(0, |max| dead.saturating_sub(max));
        for message in &gone {
            let sid = message.tracked.sid;
            ensure!(!message.is_queued(), "{sid} is gone from the outbox");
            let over = match exact {
                true => reason == Reason::Expire && message.is_over(now),
                false => message.is_over(self.latest),
            };
            if over {
                self.dropped.expired += 1;
            } else if message.is_dead() && dead_to_drop > 0 {
                dead_to_drop -= 1;
                self.dropped.dead_letters += 1;
            } else if may_give_way(message) && to_evict > 0 && reason == Reason::Arrival {
                to_evict -= 1;
                self.dropped.evicted += u64::from(message.is_pending());
            } else {
                return Err(format!("{sid} is gone, which was {:?}", message.status));
            }
        }
        ensure!(
            to_evict == 0,
            "{} messages are kept at a bound of {:?}",
            self.model.messages.len(),
            f.settings.max_messages
        );
        if reason == Reason::Expire {
            ensure!(dead_to_drop == 0, "{dead_to_drop} dead letters too many are kept");
        }
        Ok(gone)
    }

    /// Compares every message.
    async fn compare(&mut self, reason: Reason) -> Step {
        self.take_gone(reason).await?;
        let f = self.f();
        if !f.capabilities().exact_expiry {
            self.forget_what_is_over(&f).await?;
        }
        let sids = all_sids();
        let shown = f.by_sid(&sids).await;
        for (sid, shown) in sids.into_iter().zip(shown) {
            let expected = self.model.message(sid).map(Message::ledger_entry);
            same!(shown, expected, "by_sid {sid}");
        }
        Ok(())
    }

    /// What may go at any time, as the store likes, goes now: or nothing could be
    /// said of it any more.
    async fn forget_what_is_over(&mut self, f: &Fixture) -> Step {
        let over = self.model.messages.iter().filter(|message| message.is_over(self.latest));
        let over: Vec<MessageSid> = over.map(|message| message.tracked.sid).collect();
        let targets: Vec<_> = over.iter().map(|sid| ForgetTarget::Message(*sid)).collect();
        f.forget_all(&targets).await;
        self.model.forget(&over);
        Ok(())
    }

    /// Compares everything else that can be asked.
    async fn compare_thoroughly(&mut self) -> Step {
        let f = self.f();
        let (now, capabilities) = (f.time.now(), f.capabilities());
        let ids: Vec<_> = (0..IDS).map(|id| with_previous(id, Some((id + 1) % IDS))).collect();
        let found = answer("lookup", f.store.lookup(&ids)).await;
        same!(found.len(), ids.len(), "lookup: how many answers");
        for (keys, found) in ids.into_iter().zip(found) {
            let under = self.model.under(keys).into_iter();
            let expected: Vec<LedgerEntry> = under.map(Message::ledger_entry).collect();
            same!(found, expected, "lookup");
        }
        let dead = self.model.messages.iter().filter(|message| message.is_dead());
        let mut expected: Vec<_> = dead.map(Message::ledger_entry).collect();
        expected.sort_by_key(|entry| entry.sid);
        let mut letters: Vec<LedgerEntry> = Vec::new();
        loop {
            let after = letters.last().map(|entry| entry.sid);
            let page = answer("dead_letters", f.store.dead_letters(after, 2)).await;
            ensure!(page.len() <= 2, "dead_letters: {} in a page of 2", page.len());
            ensure!(
                page.first().is_none_or(|first| after < Some(first.sid)),
                "dead_letters: a page begins before the end of the last"
            );
            if page.is_empty() {
                break;
            }
            letters.extend(page);
        }
        same!(letters, expected, "dead_letters");

        let counts = f.counts().await;
        same!(counts.outbox, self.model.outbox.len() as u64, "outbox in counts()");
        same!(counts.dead_letters, expected.len() as u64, "dead letters in counts()");
        if capabilities.exact_message_count {
            same!(counts.messages, self.model.messages.len() as u64, "messages in counts()");
        }
        match (counts.oldest_outbox_age, self.model.oldest(now)) {
            (None, None) => {}
            // An order of arrival is an order of times but for steps back.
            (Some(age), Some((since, first)))
                if age + self.stepped_back >= since.min(first) && age <= since.max(first) => {}
            (age, expected) => {
                return Err(format!("oldest_outbox_age: {age:?} instead of {expected:?}"));
            }
        }
        self.compare_drops().await
    }

    /// Compares what all store objects together say that they dropped.
    async fn compare_drops(&self) -> Step {
        let mut said = StoreCounts::default();
        for f in &self.stores {
            let counts = f.counts().await;
            said.evicted += counts.evicted;
            said.expired += counts.expired;
            said.dead_letters_dropped += counts.dead_letters_dropped;
        }
        let capabilities = self.stores[0].capabilities();
        same!(said.evicted, self.dropped.evicted, "evicted");
        same!(said.dead_letters_dropped, self.dropped.dead_letters, "dead_letters_dropped");
        if capabilities.exact_expiry {
            same!(said.expired, self.dropped.expired, "expired");
        }
        Ok(())
    }
}

fn may_give_way(message: &Message) -> bool {
    !message.is_queued() && !message.is_dead()
}

fn target(forget: Forget) -> ForgetTarget {
    match forget {
        Forget::Id { id, previous } => ForgetTarget::Id(with_previous(id, previous)),
        Forget::Message(n) => ForgetTarget::Message(numbered(n)),
    }
}
