//! The operations of the stores, each dropped at each of its awaits: it is done or not, as a
//! whole, the store goes on, and what was leased comes back.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use tower_message_feedback::{
    BaseUrl, CorrelationKey, MessageSid, MessageStatus, Timestamp,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, Counts, Failure, FailureKind, FeedbackStore,
        ForgetTarget, LeaseRequest, Leased, LedgerEntry, LedgerStatus, MemoryStore, Metric, Note,
        PostgresStore, RecordOutcome, RedisStore, ResendOutcome, Resends, Resolution, Rollup,
        RollupBatch, Segment, SettleOutcome, SettledAs, Settlement, SqliteStore, StatusUpdate,
        TrackedMessage,
    },
};

use crate::{
    cut::{Cut, at_each_await},
    servers::{Postgres, Redis},
    support::{AC, account, guarded},
};

/// Far longer than any answer takes.
const LEASE: Duration = Duration::from_secs(600);

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn key(n: u64) -> CorrelationKey {
    let half = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half);
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    CorrelationKey::from_bytes(bytes)
}

/// Two messages that no other step has, one operation's items.
#[derive(Clone, Copy)]
struct Two(u64);

impl Two {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(2, Relaxed))
    }

    fn numbers(self) -> [u64; 2] {
        [self.0, self.0 + 1]
    }

    fn sids(self) -> [MessageSid; 2] {
        self.numbers().map(|n| format!("SM{n:032x}").parse().expect("a SID"))
    }

    fn messages(self) -> [TrackedMessage; 2] {
        let (sids, now) = (self.sids(), now());
        [0, 1].map(|at| {
            let key = key(self.numbers()[at]);
            let until = now + Duration::from_secs(3600);
            TrackedMessage::new(key, sids[at], account(AC), BaseUrl::default(), now, until)
        })
    }

    fn by_id(self) -> [ConfirmTarget; 2] {
        let by_id = |n| ConfirmTarget::Id { keys: key(n).into(), resends: Resends::Newest };
        self.numbers().map(by_id)
    }
}

/// A store, and two messages in it.
struct Step<'a, S> {
    store: &'a S,
    two: Two,
    cut: Cut,
}

impl<S: FeedbackStore> Step<'_, S> {
    async fn record(&self) {
        let outcomes = self.store.record(&self.two.messages()).await.expect("an answer");
        assert_eq!(outcomes, [RecordOutcome::Inserted; 2]);
    }

    async fn confirm(&self) {
        self.record().await;
        let outcomes = self.store.confirm(&self.two.by_id()).await.expect("an answer");
        assert_eq!(outcomes, [ConfirmOutcome::Queued; 2]);
    }

    async fn entries(&self) -> [LedgerEntry; 2] {
        let entries = self.store.by_sid(&self.two.sids()).await.expect("an answer");
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        entries.try_into().expect("both")
    }

    /// Both of them, and nothing else is in the outbox.
    async fn lease(&self) -> [Leased; 2] {
        let mut leased = Vec::new();
        while leased.len() < 2 {
            let answer = self.store.lease(&LeaseRequest::new(9, LEASE)).await.expect("an answer");
            leased.extend(answer.entries);
        }
        leased.sort_by_key(|leased| leased.sid);
        let leased: [Leased; 2] = leased.try_into().expect("no more than two");
        assert_eq!([leased[0].sid, leased[1].sid], self.two.sids());
        leased
    }

    async fn settle(&self, leased: &[Leased; 2], as_: SettledAs) -> Vec<SettleOutcome> {
        self.store.settle(&settlements(leased, as_)).await.expect("an answer")
    }

    async fn die(&self) {
        self.confirm().await;
        let leased = self.lease().await;
        let outcomes = self.settle(&leased, dead()).await;
        assert_eq!(outcomes, [SettleOutcome::Settled; 2]);
    }

    /// Nothing is left for the next step.
    async fn end(&self) {
        let targets = self.two.sids().map(ForgetTarget::Message);
        self.store.forget(&targets).await.expect("an answer");
        let none = self.store.lease(&LeaseRequest::new(9, LEASE)).await.expect("an answer");
        assert!(none.entries.is_empty() && !none.more_due, "{none:?}");
        let counts = self.store.counts().await.expect("an answer");
        assert_eq!((counts.outbox, counts.dead_letters), (0, 0));
    }
}

fn dead() -> SettledAs {
    SettledAs::Dead(Failure::new(FailureKind::Rejected, Some(400), None))
}

fn settlements(leased: &[Leased; 2], as_: SettledAs) -> [Settlement; 2] {
    [0, 1].map(|at| Settlement::new(&leased[at], Attempts::new(1, 0), as_))
}

async fn each<S: FeedbackStore>(store: &S, scenario: impl AsyncFn(Step<'_, S>)) {
    at_each_await(async |cut| {
        let step = Step { store, two: Two::next(), cut };
        scenario(step).await;
    })
    .await;
}

async fn records<S: FeedbackStore>(store: &S) {
    each(store, async |step| {
        let messages = step.two.messages();
        step.cut.drive(step.store.record(&messages)).await;
        let outcomes = step.store.record(&messages).await.expect("an answer");
        let known = [RecordOutcome::Inserted, RecordOutcome::AlreadyPresent];
        assert!(outcomes.iter().all(|outcome| known.contains(outcome)), "{outcomes:?}");
        assert!(step.entries().await.iter().all(|entry| entry.status == LedgerStatus::Pending));
        step.end().await;
    })
    .await;
}

async fn confirms<S: FeedbackStore>(store: &S) {
    for is_recorded in [true, false] {
        each(store, async |step| {
            let messages = step.two.messages();
            let mut targets = messages.map(ConfirmTarget::Message);
            if is_recorded {
                step.record().await;
                targets = step.two.by_id();
            }
            step.cut.drive(step.store.confirm(&targets)).await;
            let outcomes = step.store.confirm(&targets).await.expect("an answer");
            let known = [ConfirmOutcome::Queued, ConfirmOutcome::AlreadyConfirmed];
            assert!(outcomes.iter().all(|outcome| known.contains(outcome)), "{outcomes:?}");
            step.lease().await;
            step.end().await;
        })
        .await;
    }
}

async fn leases<S: FeedbackStore>(store: &S) {
    each(store, async |step| {
        step.confirm().await;
        // It runs out, and nobody has its token.
        let request = LeaseRequest::new(9, Duration::from_millis(30));
        step.cut.drive(step.store.lease(&request)).await;
        let mut leased = step.lease().await;
        leased.sort_by_key(|leased| leased.sid);
        let outcomes = step.settle(&leased, SettledAs::Delivered).await;
        assert_eq!(outcomes, [SettleOutcome::Settled; 2]);
        step.end().await;
    })
    .await;
}

async fn settles<S: FeedbackStore>(store: &S) {
    for as_ in [SettledAs::Delivered, SettledAs::Retry(Duration::ZERO), dead()] {
        each(store, async |step| {
            step.confirm().await;
            let leased = step.lease().await;
            let settlements = settlements(&leased, as_);
            step.cut.drive(step.store.settle(&settlements)).await;
            // What was settled cannot be again, and the rest can.
            let outcomes = step.store.settle(&settlements).await.expect("an answer");
            assert_eq!(outcomes.len(), 2);
            for entry in step.entries().await {
                let is_as_told = match as_ {
                    SettledAs::Delivered => matches!(entry.status, LedgerStatus::Delivered { .. }),
                    SettledAs::Retry(_) => matches!(
                        entry.status,
                        LedgerStatus::Queued { attempts, .. } if attempts.total == 1
                    ),
                    _ => matches!(entry.status, LedgerStatus::Dead { .. }),
                };
                assert!(is_as_told, "{entry:?}");
            }
            step.end().await;
        })
        .await;
    }
}

async fn forgets<S: FeedbackStore>(store: &S) {
    each(store, async |step| {
        step.confirm().await;
        let targets = step.two.sids().map(ForgetTarget::Message);
        step.cut.drive(step.store.forget(&targets)).await;
        let left = step.store.by_sid(&step.two.sids()).await.expect("an answer");
        let left = left.iter().flatten().count();
        let forgotten = step.store.forget(&targets).await.expect("an answer");
        // The first may still have been at it.
        assert!(forgotten.iter().sum::<usize>() <= left);
        step.end().await;
    })
    .await;
}

async fn resends<S: FeedbackStore>(store: &S) {
    each(store, async |step| {
        step.die().await;
        step.cut.drive(step.store.resend(&step.two.sids())).await;
        let outcomes = step.store.resend(&step.two.sids()).await.expect("an answer");
        let known = [ResendOutcome::Queued, ResendOutcome::NotDead];
        assert!(outcomes.iter().all(|outcome| known.contains(outcome)), "{outcomes:?}");
        assert_eq!(step.store.counts().await.expect("an answer").dead_letters, 0);
        step.lease().await;
        step.end().await;
    })
    .await;
}

async fn notes_what_is_told<S: FeedbackStore>(store: &S) {
    each(store, async |step| {
        step.record().await;
        let told = step.two.sids();
        let told = told.map(|sid| StatusUpdate::new(sid, account(AC), MessageStatus::Delivered));
        step.cut.drive(step.store.update_status(&told)).await;
        step.store.update_status(&told).await.expect("an answer");
        for entry in step.entries().await {
            assert_eq!(entry.message_status, Some(MessageStatus::Delivered));
        }
        step.end().await;
    })
    .await;
    each(store, async |step| {
        let until = now() + LEASE;
        let notes = step.two.numbers().map(|n| Note::new(key(n), vec![7], until));
        step.cut.drive(step.store.keep_notes(&notes)).await;
        step.store.keep_notes(&notes).await.expect("an answer");
        let keys = step.two.numbers().map(|n| key(n).into());
        step.cut.drive(step.store.notes(&keys)).await;
        let kept = step.store.notes(&keys).await.expect("an answer");
        assert_eq!(kept, [Some(vec![7]), Some(vec![7])]);
    })
    .await;
}

/// A batch that is repeated is added once.
async fn counts<S: FeedbackStore>(store: &S) {
    each(store, async |step| {
        let mut counts = Counts::default();
        counts.add(Metric::Attempted, 1);
        let until = now() + LEASE;
        // A day that no other step has.
        let start = Timestamp::from_millis(step.two.0 as i64 * 24 * 3_600_000);
        let rollup = |resolution| {
            let segment = Segment::default();
            Rollup::new(resolution, start, account(AC), segment, counts.clone(), until)
        };
        let rollups = vec![rollup(Resolution::Hour), rollup(Resolution::Day)];
        let batch = RollupBatch::new(step.two.0 as i64, 1, rollups, until);
        step.cut.drive(step.store.add_rollups(&batch)).await;
        step.store.add_rollups(&batch).await.expect("an answer");
        let end = start + Duration::from_secs(3600);
        for resolution in [Resolution::Hour, Resolution::Day] {
            step.cut.drive(step.store.rollups(resolution, start, end)).await;
            let read = step.store.rollups(resolution, start, end).await.expect("an answer");
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].counts.get(Metric::Attempted), 1);
        }
    })
    .await;
}

async fn reads<S: FeedbackStore>(store: &S) {
    for which in 0..5 {
        each(store, async |step| {
            step.die().await;
            let ids = step.two.numbers().map(|n| key(n).into());
            let sids = step.two.sids();
            match which {
                0 => drop(step.cut.drive(step.store.lookup(&ids)).await),
                1 => drop(step.cut.drive(step.store.by_sid(&sids)).await),
                2 => drop(step.cut.drive(step.store.dead_letters(None, 9)).await),
                3 => drop(step.cut.drive(step.store.counts()).await),
                _ => drop(step.cut.drive(step.store.expire(100)).await),
            }
            let found = step.store.lookup(&ids).await.expect("an answer");
            assert_eq!(found.iter().flatten().count(), 2);
            assert_eq!(step.store.dead_letters(None, 9).await.expect("an answer").len(), 2);
            step.end().await;
        })
        .await;
    }
}

async fn everything<S: FeedbackStore>(store: &S) {
    records(store).await;
    confirms(store).await;
    leases(store).await;
    settles(store).await;
    forgets(store).await;
    resends(store).await;
    notes_what_is_told(store).await;
    counts(store).await;
    reads(store).await;
}

#[tokio::test]
async fn in_memory() {
    everything(&MemoryStore::new()).await;
}

#[tokio::test]
async fn in_sqlite() {
    let directory = crate::servers::fresh_directory(crate::servers::Place::Ram, "sqlite");
    let builder = SqliteStore::builder(directory.join("feedback.db"));
    builder.migrate().await.expect("tables");
    everything(&builder.open().await.expect("a store")).await;
}

#[tokio::test]
async fn in_postgres() {
    let url = tokio::task::spawn_blocking(|| Postgres::shared().url()).await.expect("a server");
    // Few connections: one that does not come back is missed soon.
    let builder = PostgresStore::builder().url(url).schema("cancelled").max_connections(2);
    let store = builder.timeout(Duration::from_secs(60)).build().expect("a store");
    store.migrate().await.expect("tables");
    everything(&store).await;
    let status = store.pool().status();
    assert!(status.size <= 2 && status.available == status.size, "{status:?}");
    let client = guarded(store.pool().get()).await.expect("a connection");
    let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    let open: i64 = client.query_one(open, &[]).await.expect("a count").get(0);
    assert_eq!(open, 0);
}

#[tokio::test]
async fn in_redis() {
    let server = tokio::task::spawn_blocking(Redis::start).await.expect("a server");
    let builder = RedisStore::builder().response_timeout(Duration::from_secs(60));
    let store = builder.connect(server.url()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    everything(&store).await;
}
