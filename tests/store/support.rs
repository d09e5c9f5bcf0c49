//! A store with a clock of its own, asked without an `await` at every turn.

use std::time::Duration;

use futures_util::FutureExt;
use tower_message_feedback::{
    AccountSid, BaseUrl, CorrelationKey, CorrelationKeys, ManualClock, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Failure, FailureKind, FeedbackStore, ForgetTarget,
        LeaseAnswer, LeaseRequest, Leased, LedgerEntry, LedgerStatus, MemoryStore,
        MemoryStoreBuilder, RecordOutcome, ResendOutcome, Resends, SettleOutcome, SettledAs,
        Settlement, StoreCounts, StoreFuture, TrackedMessage,
    },
};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000);
pub(crate) const LEASE: Duration = seconds(30);
pub(crate) const RETENTION: Duration = seconds(3600);
pub(crate) const REJECTED: Failure = Failure::new(FailureKind::Rejected, Some(400), Some(90001));

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a store in memory answers, which it does at once.
pub(crate) fn now<T>(future: StoreFuture<'_, T>) -> T {
    future.now_or_never().expect("an answer at once").expect("an answer")
}

fn one<T>(answers: Vec<T>) -> T {
    let [answer] = <[T; 1]>::try_from(answers).ok().expect("one answer for one item");
    answer
}

pub(crate) fn sid(n: u64) -> MessageSid {
    format!("SM{n:032x}").parse().expect("a SID")
}

pub(crate) fn account(n: u64) -> AccountSid {
    format!("AC{n:032x}").parse().expect("a SID")
}

pub(crate) fn key(n: u8) -> CorrelationKey {
    CorrelationKey::from_bytes([n; 16])
}

/// The keys of an id, of which the first is the current one.
pub(crate) fn keys(n: u8) -> CorrelationKeys {
    key(n).into()
}

pub(crate) fn forgetting(keys: CorrelationKeys) -> ForgetTarget {
    ForgetTarget::Id(keys)
}

pub(crate) fn rotated(current: u8, previous: u8) -> CorrelationKeys {
    let mut keys = keys(current);
    keys.previous = Some(key(previous));
    keys
}

/// Message `n`, of account 0, under the key `id`.
pub(crate) fn message(n: u64, id: u8) -> TrackedMessage {
    let base_url = BaseUrl::default();
    TrackedMessage::new(key(id), sid(n), account(0), base_url, START, START + RETENTION)
}

pub(crate) fn message_of(owner: u64, n: u64, id: u8) -> TrackedMessage {
    let mut message = message(n, id);
    message.account = account(owner);
    message
}

pub(crate) fn sent_at(n: u64, id: u8, sent_at: Timestamp) -> TrackedMessage {
    let mut message = message(n, id);
    message.sent_at = sent_at;
    message
}

pub(crate) fn expiring(n: u64, id: u8, expires_at: Timestamp) -> TrackedMessage {
    let mut message = message(n, id);
    message.expires_at = expires_at;
    message
}

pub(crate) fn by_id(keys: CorrelationKeys, resends: Resends) -> ConfirmTarget {
    ConfirmTarget::Id { keys, resends }
}

pub(crate) struct Fixture {
    pub(crate) store: MemoryStore,
    pub(crate) time: ManualClock,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(set: impl FnOnce(MemoryStoreBuilder) -> MemoryStoreBuilder) -> Self {
        let time = ManualClock::new(START);
        Self { store: set(MemoryStore::builder().clock(time.clock())).build(), time }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.time.advance(by);
    }

    pub(crate) fn record(&self, message: TrackedMessage) -> RecordOutcome {
        one(now(self.store.record(&[message])))
    }

    pub(crate) fn confirm(&self, id: u8) -> ConfirmOutcome {
        self.confirm_target(by_id(keys(id), Resends::Newest))
    }

    pub(crate) fn confirm_target(&self, target: ConfirmTarget) -> ConfirmOutcome {
        one(now(self.store.confirm(&[target])))
    }

    /// Records message `n` under id `n` and confirms it.
    pub(crate) fn queue(&self, owner: u64, n: u8) {
        assert_eq!(self.record(message_of(owner, n.into(), n)), RecordOutcome::Inserted);
        assert_eq!(self.confirm(n), ConfirmOutcome::Queued);
    }

    pub(crate) fn lease(&self, limit: usize) -> LeaseAnswer {
        self.lease_as(&LeaseRequest::new(limit, LEASE))
    }

    pub(crate) fn lease_as(&self, request: &LeaseRequest) -> LeaseAnswer {
        now(self.store.lease(request))
    }

    pub(crate) fn lease_one(&self) -> Leased {
        one(self.lease(1).entries)
    }

    pub(crate) fn settle(&self, entry: &Leased, settled_as: SettledAs) -> SettleOutcome {
        let mut attempts = entry.attempts;
        attempts.total += 1;
        one(now(self.store.settle(&[Settlement::new(entry, attempts, settled_as)])))
    }

    /// Leases the next entry and settles it.
    pub(crate) fn settle_next(&self, settled_as: SettledAs) {
        assert_eq!(self.settle(&self.lease_one(), settled_as), SettleOutcome::Settled);
    }

    pub(crate) fn expire(&self, limit: usize) -> usize {
        now(self.store.expire(limit))
    }

    pub(crate) fn forget(&self, id: u8) -> usize {
        one(now(self.store.forget(&[forgetting(keys(id))])))
    }

    pub(crate) fn resend(&self, n: u64) -> ResendOutcome {
        one(now(self.store.resend(&[sid(n)])))
    }

    pub(crate) fn lookup(&self, keys: CorrelationKeys) -> Vec<LedgerEntry> {
        one(now(self.store.lookup(&[keys])))
    }

    pub(crate) fn status(&self, n: u64) -> Option<LedgerStatus> {
        one(now(self.store.by_sid(&[sid(n)]))).map(|entry| entry.status)
    }

    pub(crate) fn is_known(&self, n: u64) -> bool {
        self.status(n).is_some()
    }

    pub(crate) fn is_queued(&self, n: u64) -> bool {
        matches!(self.status(n), Some(LedgerStatus::Queued { .. }))
    }

    pub(crate) fn dead_letters(&self, after: Option<u64>, limit: usize) -> Vec<MessageSid> {
        let entries = now(self.store.dead_letters(after.map(sid), limit));
        entries.into_iter().map(|entry| entry.sid).collect()
    }

    pub(crate) fn counts(&self) -> StoreCounts {
        now(self.store.counts())
    }

    /// Messages, outbox and dead letters.
    pub(crate) fn sizes(&self) -> (u64, u64, u64) {
        let counts = self.counts();
        (counts.messages, counts.outbox, counts.dead_letters)
    }
}

pub(crate) fn sids(answer: &LeaseAnswer) -> Vec<MessageSid> {
    answer.entries.iter().map(|entry| entry.sid).collect()
}
