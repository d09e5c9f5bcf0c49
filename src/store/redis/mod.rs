#![doc = include_str!("redis.md")]

mod answer;
mod builder;
mod confirm;
mod connection;
mod error;
mod expire;
mod forget;
mod health;
mod index;
mod layout;
mod lease;
mod lookup;
mod migrate;
mod names;
mod notes;
mod packed;
mod record;
mod rollups;
mod script;
mod server;
mod settle;
mod status;

use std::{
    fmt,
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use ::redis;
use ::redis::Value;
use tokio::{sync::OnceCell, time::Instant};

pub use self::{builder::RedisStoreBuilder, error::RedisStoreError, health::Persistence};
use self::{
    builder::Settings,
    connection::{Call, Connection},
    layout::Layout,
    names::Names,
    script::Op,
};
use super::{
    ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
    LeaseRequest, LedgerEntry, Note, NoteOutcome, RecordOutcome, ResendOutcome, Resolution, Rollup,
    RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome, StatusUpdate,
    StoreCounts, StoreFuture, TrackedMessage,
};
use crate::{AccountSid, CorrelationKeys, MessageSid, Timestamp};

/// A [`FeedbackStore`] in Redis 6.2 or later, Valkey, or a Redis Cluster.
///
/// It is cheap to share behind an `Arc`; its connections are shared by all tasks.
pub struct RedisStore {
    settings: Settings,
    connection: Connection,
    /// Where confirms go: they may wait for replicas, and all behind them.
    confirming: Connection,
    persistence: Persistence,
    layout: OnceCell<Layout>,
    names: Names,
    /// The account that was served last: the next lease begins behind it.
    last_served: Mutex<Option<AccountSid>>,
    upkeep: Mutex<expire::Upkeep>,
    expired: AtomicU64,
}

/// Items of one call at most: a script holds up everything else on its server.
const BATCH: usize = 256;

/// Messages for which a bucket is kept, and generations that share the messages.
const FILL: u64 = 96;
const GENERATIONS: u64 = 4;

impl RedisStore {
    /// Starts from the default settings.
    pub fn builder() -> RedisStoreBuilder {
        RedisStoreBuilder::new()
    }

    fn with(
        settings: Settings,
        connection: Connection,
        confirming: Connection,
        persistence: Persistence,
    ) -> Self {
        Self {
            settings,
            connection,
            confirming,
            persistence,
            layout: OnceCell::new(),
            names: Names::default(),
            last_served: Mutex::default(),
            upkeep: Mutex::new(expire::Upkeep::new(Instant::now())),
            expired: AtomicU64::new(0),
        }
    }

    /// How Redis keeps what it has written, as it said when this store connected.
    #[must_use]
    pub const fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// What the name of every key begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.settings.prefix
    }

    /// A call of a script on the messages of a shard.
    fn call(&self, layout: &Layout, shard: usize, op: Op) -> Call {
        let shard = layout.shard(shard);
        if op == Op::Notes {
            return Call::new(op, &shard.notes);
        }
        let mut call = match op {
            Op::Index | Op::DropIndex => Call::new(op, &shard.index),
            Op::Statuses | Op::DropStatuses => Call::new(op, &shard.statuses),
            _ => Call::new(op, &shard.records),
        };
        call.arg(match &self.settings.clock {
            Some(clock) => clock.now().as_millis().max(0).to_string(),
            None => String::new(),
        });
        let share = layout.shards() as u64 * GENERATIONS * FILL;
        call.arg((self.settings.expected_messages / share).clamp(1, 1 << 20).to_string());
        call
    }

    /// The same call on every shard, with these arguments.
    async fn on_all_shards(
        &self,
        layout: &Layout,
        op: Op,
        args: &[Vec<u8>],
    ) -> Result<Vec<Value>, RedisStoreError> {
        let calls: Vec<Call> = (0..layout.shards())
            .map(|shard| {
                let mut call = self.call(layout, shard, op);
                args.iter().for_each(|arg| call.arg(arg.as_slice()));
                call
            })
            .collect();
        self.connection.run(&calls).await
    }

    /// Puts the items of each shard into calls.
    fn batches(
        &self,
        layout: &Layout,
        op: Op,
        before: &[Vec<u8>],
        items: impl IntoIterator<Item = (usize, Vec<u8>)>,
    ) -> Batches {
        let mut open: Vec<Option<usize>> = vec![None; layout.shards()];
        let mut batches = Batches { calls: Vec::new(), items: Vec::new() };
        for (at, (shard, item)) in items.into_iter().enumerate() {
            let batch = match open[shard] {
                Some(batch) if batches.items[batch].len() < BATCH => batch,
                _ => {
                    let mut call = self.call(layout, shard, op);
                    before.iter().for_each(|arg| call.arg(arg.as_slice()));
                    batches.calls.push(call);
                    batches.items.push(Vec::new());
                    *open[shard].insert(batches.calls.len() - 1)
                }
            };
            batches.calls[batch].arg(item);
            batches.items[batch].push(at);
        }
        batches
    }
}

/// Calls, and which items each has.
struct Batches {
    calls: Vec<Call>,
    items: Vec<Vec<usize>>,
}

impl Batches {
    /// The answers item by item, of scripts that answer an array.
    fn arrays(&self, answers: Vec<Value>) -> Result<Vec<Value>, RedisStoreError> {
        let mut placed: Vec<Value> = vec![Value::Nil; self.items.iter().map(Vec::len).sum()];
        for (items, answer) in self.items.iter().zip(answers) {
            let answers = answer::array(answer)?;
            if answers.len() != items.len() {
                return Err(RedisStoreError::unreadable("a script's answer"));
            }
            for (at, answer) in items.iter().zip(answers) {
                placed[*at] = answer;
            }
        }
        Ok(placed)
    }

    /// The letters item by item, and what the scripts said beside.
    fn letters(&self, answers: Vec<Value>) -> Result<(Vec<u8>, Vec<Vec<u8>>), RedisStoreError> {
        let mut placed = vec![0; self.items.iter().map(Vec::len).sum()];
        let mut beside = Vec::new();
        for (items, answer) in self.items.iter().zip(answers) {
            let (letters, rest) = answer::letters(answer, items.len())?;
            beside.extend(rest);
            for (at, letter) in items.iter().zip(letters) {
                placed[*at] = letter;
            }
        }
        Ok((placed, beside))
    }
}

fn operation<'a, T: Send + 'a>(
    operation: impl Future<Output = Result<T, RedisStoreError>> + Send + 'a,
) -> StoreFuture<'a, T> {
    Box::pin(async move { Ok(operation.await?) })
}

impl FeedbackStore for RedisStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        operation(self.record_all(messages))
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        operation(self.confirm_all(targets))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        operation(self.lease_due(request))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        operation(self.settle_all(settlements))
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        operation(self.expire_due(limit))
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        operation(self.forget_all(targets))
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        operation(self.update_all(updates))
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        operation(self.keep_all_notes(notes))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        operation(self.notes_of(keys))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        operation(self.lookup_all(ids))
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        operation(self.look_up_sids(sids))
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        operation(self.list_dead(after, limit))
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        operation(self.resend_all(sids))
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        operation(self.add_rollups_once(batch))
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        operation(self.rollups_of(resolution, from, to))
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        operation(self.count())
    }

    /// [`Synced`](Durability::Synced) if Redis proved that it syncs before it
    /// answers ([`Persistence::Always`]), else [`Process`](Durability::Process).
    fn durability(&self) -> Durability {
        match self.persistence {
            Persistence::Always => Durability::Synced,
            _ => Durability::Process,
        }
    }

    fn poll_interval(&self) -> Option<Duration> {
        Some(self.settings.poll_interval)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.settings.prefix)
            .field("connection", &self.connection)
            .field("persistence", &self.persistence)
            .field("expired", &self.expired.load(Relaxed))
            .finish_non_exhaustive()
    }
}
