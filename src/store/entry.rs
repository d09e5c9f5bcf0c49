use std::time::Duration;

use super::Segment;
use crate::{AccountSid, BaseUrl, CorrelationKey, CorrelationKeys, MessageSid, Timestamp};

/// A message that was sent with `ProvideFeedback` and waits for its action.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackedMessage {
    /// The key of the correlation id that confirms it.
    pub key: CorrelationKey,
    /// The message.
    pub sid: MessageSid,
    /// The account that owns it.
    pub account: AccountSid,
    /// Where it was created, and where its feedback goes.
    pub base_url: BaseUrl,
    /// When it is, or was, sent: for a scheduled message its `SendAt`.
    pub sent_at: Timestamp,
    /// When it may be dropped if nobody confirmed it.
    pub expires_at: Timestamp,
    /// What a report groups it by, the application's own label among it.
    pub segment: Segment,
}

impl TrackedMessage {
    /// A message of which no report knows more than the account.
    #[must_use]
    pub fn new(
        key: CorrelationKey,
        sid: MessageSid,
        account: AccountSid,
        base_url: BaseUrl,
        sent_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self { key, sid, account, base_url, sent_at, expires_at, segment: Segment::default() }
    }
}

/// What a store did with one message to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordOutcome {
    /// It is remembered.
    Inserted,
    /// It was remembered under the same id before; nothing changed.
    AlreadyPresent,
    /// It is remembered under another id; nothing changed.
    OtherId,
    /// The store is full of what may not be dropped; it is not remembered.
    Full,
}

/// Which of several messages under one id an action confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Resends {
    /// The newest alone: the user acts on what arrived last.
    #[default]
    Newest,
    /// All of them.
    All,
}

/// What to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfirmTarget {
    /// What was recorded under an id.
    Id {
        /// The id's keys.
        keys: CorrelationKeys,
        /// Which of several messages.
        resends: Resends,
    },
    /// This message, whether or not it was recorded.
    Message(TrackedMessage),
    /// This message, if it is recorded under this key.
    Recorded {
        /// The key that it was found under.
        key: CorrelationKey,
        /// The message.
        sid: MessageSid,
    },
}

/// What to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForgetTarget {
    /// Every message under an id.
    Id(CorrelationKeys),
    /// One message.
    Message(MessageSid),
}

/// What a store did with one confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfirmOutcome {
    /// It is in the outbox now.
    Queued,
    /// It was confirmed before.
    AlreadyConfirmed,
    /// Nothing is recorded under the id.
    Unknown,
    /// The outbox is full.
    Full,
}

impl ConfirmOutcome {
    /// Of the outcomes for several messages, the one that asks most of the caller.
    pub(crate) fn most_telling(self, other: Self) -> Self {
        use ConfirmOutcome::{AlreadyConfirmed, Full, Queued, Unknown};
        match (self, other) {
            (Full, _) | (_, Full) => Full,
            (Queued, _) | (_, Queued) => Queued,
            (AlreadyConfirmed, _) | (_, AlreadyConfirmed) => AlreadyConfirmed,
            (Unknown, Unknown) => Unknown,
        }
    }
}

/// An entry of the outbox, by the number that its store gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(u64);

impl EntryId {
    /// The entry with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What proves that a lease is still one's own: an entry that is leased again
/// has another one, from whichever process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(u64);

impl LeaseToken {
    /// The token with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// How often an entry was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Attempts {
    /// Calls that Twilio answered, or that failed on the way.
    pub total: u32,
    /// Answers in a row that said 404.
    pub not_found: u32,
}

impl Attempts {
    /// Counts as a store keeps them.
    #[must_use]
    pub const fn new(total: u32, not_found: u32) -> Self {
        Self { total, not_found }
    }
}

/// What a dispatcher asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseRequest {
    /// How many entries of an account at most, for accounts whose bound differs.
    pub accounts: Vec<(AccountSid, usize)>,
    /// How many entries of every other account at most.
    pub other_accounts: usize,
    /// How many entries in all at most.
    pub limit: usize,
    /// How long the lease lasts by the store's clock.
    pub duration: Duration,
}

impl LeaseRequest {
    /// Up to `limit` entries of any account.
    #[must_use]
    pub const fn new(limit: usize, duration: Duration) -> Self {
        Self { accounts: Vec::new(), other_accounts: limit, limit, duration }
    }

    /// How many entries of `account` may be leased.
    #[must_use]
    pub fn bound(&self, account: AccountSid) -> usize {
        self.accounts
            .iter()
            .find(|(named, _)| *named == account)
            .map_or(self.other_accounts, |(_, bound)| *bound)
    }
}

/// What a store leased.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LeaseAnswer {
    /// The leased entries, the accounts in turn.
    pub entries: Vec<Leased>,
    /// How long until the next of the entries is due that are not due yet, among
    /// the accounts whose bound was not zero. A store that is spread over shards
    /// may know less than all of them.
    pub next_due: Option<Duration>,
    /// Whether the request's bounds left due ones behind, among the same accounts.
    pub more_due: bool,
}

impl LeaseAnswer {
    /// An answer.
    #[must_use]
    pub const fn new(entries: Vec<Leased>, next_due: Option<Duration>, more_due: bool) -> Self {
        Self { entries, next_due, more_due }
    }
}

/// An entry of the outbox that a dispatcher may deliver until its lease runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leased {
    /// The entry.
    pub id: EntryId,
    /// What settles it.
    pub token: LeaseToken,
    /// The message.
    pub sid: MessageSid,
    /// The account that owns it.
    pub account: AccountSid,
    /// Where its feedback goes.
    pub base_url: BaseUrl,
    /// When the action was confirmed.
    pub confirmed_at: Timestamp,
    /// How long ago that was by the store's clock.
    pub age: Duration,
    /// How often it was tried before.
    pub attempts: Attempts,
}

impl Leased {
    /// A leased entry that was never tried.
    #[must_use]
    pub const fn new(
        id: EntryId,
        token: LeaseToken,
        sid: MessageSid,
        account: AccountSid,
        base_url: BaseUrl,
        confirmed_at: Timestamp,
    ) -> Self {
        Self {
            id,
            token,
            sid,
            account,
            base_url,
            confirmed_at,
            age: Duration::ZERO,
            attempts: Attempts::new(0, 0),
        }
    }
}

/// What became of a leased entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// The entry.
    pub id: EntryId,
    /// The token of its lease.
    pub token: LeaseToken,
    /// How often it has been tried by now.
    pub attempts: Attempts,
    /// What to do with it.
    pub settled_as: SettledAs,
}

impl Settlement {
    /// Settles `entry`.
    #[must_use]
    pub const fn new(entry: &Leased, attempts: Attempts, settled_as: SettledAs) -> Self {
        Self { id: entry.id, token: entry.token, attempts, settled_as }
    }
}

/// What to do with a leased entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettledAs {
    /// Twilio has it: it leaves the outbox.
    Delivered,
    /// It stays in the outbox and is due again after this long.
    Retry(Duration),
    /// Twilio will never take it: it leaves the outbox and is kept for a person.
    Dead(Failure),
}

/// Why Twilio did not take a feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The sort of failure.
    pub kind: FailureKind,
    /// The HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
    /// Twilio's error code in the last answer, if it had one, for example 20404.
    pub code: Option<u32>,
}

impl Failure {
    /// A failure as a store keeps it.
    #[must_use]
    pub const fn new(kind: FailureKind, status: Option<u16>, code: Option<u32>) -> Self {
        Self { kind, status, code }
    }
}

/// The sort of failure that made a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// Twilio refused the call itself (400, 405, 410 and the like).
    Rejected,
    /// Twilio did not know the message, for as long as that may pass.
    NotFound,
    /// No answer that settles it, for as long as the retry policy allows.
    GaveUp,
    /// The message's origin is not one that the builder allows.
    OriginNotAllowed,
}

#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite-unbundled"))]
impl FailureKind {
    /// The number that stores keep for it.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Rejected => 1,
            Self::NotFound => 2,
            Self::GaveUp => 3,
            Self::OriginNotAllowed => 4,
        }
    }

    /// What a number stands for. One that a later version wrote is a failure all
    /// the same.
    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            2 => Self::NotFound,
            3 => Self::GaveUp,
            4 => Self::OriginNotAllowed,
            _ => Self::Rejected,
        }
    }
}

/// What a store did with one settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettleOutcome {
    /// It is settled.
    Settled,
    /// The lease had run out and was another's, or the entry is gone; nothing
    /// changed.
    LeaseLost,
}

/// What a store did with one dead letter to send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResendOutcome {
    /// It is in the outbox again.
    Queued,
    /// It is no dead letter.
    NotDead,
    /// The outbox is full.
    Full,
}
