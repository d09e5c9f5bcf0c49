//! A store and its model, asked the same.

use std::{collections::HashSet, time::Duration};

use super::{
    compare::{Dropped, Reason},
    lease::check_lease,
    model::{Confirmed, Message, Model},
    op::{ACCOUNTS, Confirm, Forget, MESSAGES, Op, Record, Status},
    step::{Step, ensure, same},
};
use crate::{
    BaseUrl, MessageSid, Timestamp,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, EntryId, ForgetTarget, LeaseRequest, LeaseToken,
        RecordOutcome, ResendOutcome, Resends, Segment, SettleOutcome, Settlement, StatusUpdate,
        TrackedMessage,
        conformance::{
            fixture::{Fixture, LEASE, seconds},
            messages::{account, by_id, key, keys, message_sid, rotated, sid},
        },
    },
};

pub(super) struct Pair {
    /// The store objects that take turns.
    pub(super) stores: Vec<Fixture>,
    pub(super) model: Model,
    pub(super) turn: usize,
    /// Every pair that a lease ever answered.
    pub(super) tokens: HashSet<(EntryId, LeaseToken)>,
    /// The latest time that the clock showed, and how far it went back in all.
    pub(super) latest: Timestamp,
    pub(super) stepped_back: Duration,
    pub(super) dropped: Dropped,
}

fn numbered(n: u64) -> MessageSid {
    match n % 4 {
        3 => message_sid(&format!("MM{:032X}", 0xabcd_ef00 + n)),
        _ => sid(n),
    }
}

pub(super) fn all_sids() -> Vec<MessageSid> {
    (0..MESSAGES).map(numbered).collect()
}

fn status_of(told: Status) -> StatusUpdate {
    let owner = if told.is_own { told.n } else { told.n + 1 };
    let mut update = StatusUpdate::new(numbered(told.n), account(owner % ACCOUNTS), told.status);
    update.error_code = told.error_code;
    update
}

pub(super) fn with_previous(id: u8, previous: Option<u8>) -> crate::CorrelationKeys {
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

    pub(super) fn f(&self) -> Fixture {
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
        if n % 3 > 0 {
            tracked.segment = Segment::from(format!("label {n}").as_str());
        }
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
            Op::Status(batch) => {
                let updates: Vec<_> = batch.iter().map(|status| status_of(*status)).collect();
                let outcomes = f.update_status(&updates).await;
                for (update, outcome) in updates.iter().zip(outcomes) {
                    same!(outcome, self.model.update_status(update), "status {update:?}");
                }
            }
            Op::Advance { millis } => f.advance(Duration::from_millis(*millis)),
            Op::ToAnEdge { at, before } => {
                let edges = self.model.edges(now);
                if !edges.is_empty() {
                    let edge = edges[at % edges.len()];
                    f.advance(edge.since(now) - Duration::from_millis((*before).into()));
                }
            }
            Op::StepBack { millis } => {
                let by = Duration::from_millis(*millis);
                f.time.step_back(by);
                self.stepped_back += by;
            }
        }
        self.latest = self.latest.max(f.time.now());
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
                Confirm::Recorded { n, id } => {
                    ConfirmTarget::Recorded { key: key(id), sid: numbered(n) }
                }
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
                ConfirmTarget::Recorded { key, sid } => {
                    let found = self.model.message(*sid).map(|found| found.tracked.key);
                    let expected = match found == Some(*key) {
                        true => self.model.enqueue(*sid, now, room),
                        false => ConfirmOutcome::Unknown,
                    };
                    same!(outcome, expected, "confirm {sid} if it is recorded");
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
}

pub(super) fn may_give_way(message: &Message) -> bool {
    !message.is_queued() && !message.is_dead()
}

fn target(forget: Forget) -> ForgetTarget {
    match forget {
        Forget::Id { id, previous } => ForgetTarget::Id(with_previous(id, previous)),
        Forget::Message(n) => ForgetTarget::Message(numbered(n)),
    }
}
