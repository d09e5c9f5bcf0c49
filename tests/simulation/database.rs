//! A database on a host of its own: a store in memory that outlives every process, behind
//! a connection that can break.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_message_feedback::{
    CorrelationKeys, ManualClock, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, MemoryStore, Note, NoteOutcome, RecordOutcome, ResendOutcome,
        Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome,
        StatusUpdate, StoreCounts, StoreError, StoreFuture, TrackedMessage,
    },
};
use turmoil::net::{TcpListener, TcpStream};

use crate::{
    day::EPOCH,
    journal::{Event, Journal},
};

pub(crate) const HOST: &str = "database";
const PORT: u16 = 5432;

/// How the database does what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Mood {
    /// The share of operations that fail and do nothing.
    pub(crate) fails: f64,
    /// That are carried out, and answer an error.
    pub(crate) fails_afterwards: f64,
    /// That are never answered, carried out or not.
    pub(crate) hangs: f64,
    /// That are carried out twice, as by a driver that repeats.
    pub(crate) twice: f64,
    pub(crate) takes: Duration,
}

/// What is wrong with it on purpose, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Every third confirm is answered and not carried out.
    LosesConfirms,
    /// A lease ends as soon as it is given.
    LeasesAreNothing,
    /// A confirm of an id confirms another message, too.
    ConfirmsTooMuch,
    /// What is forgotten stays.
    ForgetsNothing,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Operation = Arc<dyn Fn(Arc<MemoryStore>) -> Work + Send + Sync>;

pub(crate) struct Database {
    pub(crate) store: Arc<MemoryStore>,
    clock: ManualClock,
    /// How far its clock is from the simulation's.
    skew_millis: Mutex<i64>,
    mood: Mutex<Mood>,
    random: Mutex<fastrand::Rng>,
    journal: Arc<Journal>,
    operations: Mutex<(u64, HashMap<u64, Operation>)>,
    defect: Option<Defect>,
    confirms: Mutex<u64>,
    recorded: Mutex<Vec<TrackedMessage>>,
}

impl Database {
    pub(crate) fn new(seed: u64, journal: Arc<Journal>, defect: Option<Defect>) -> Arc<Self> {
        let clock = ManualClock::new(EPOCH);
        Arc::new(Self {
            store: Arc::new(MemoryStore::builder().clock(clock.clock()).build()),
            clock,
            skew_millis: Mutex::default(),
            mood: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            journal,
            operations: Mutex::default(),
            defect,
            confirms: Mutex::default(),
            recorded: Mutex::default(),
        })
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    pub(crate) fn skew(&self, millis: i64) {
        *self.skew_millis.lock().expect("no panic") += millis;
    }

    fn set_clock(&self) {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        let skew = *self.skew_millis.lock().expect("no panic");
        let now = EPOCH.as_millis() + skew + i64::try_from(elapsed.as_millis()).expect("a day");
        let shown = self.clock.now();
        let now = Timestamp::from_millis(now);
        if now > shown {
            self.clock.advance(now.since(shown));
        } else if now < shown {
            self.clock.step_back(shown.since(now));
        }
    }

    /// The database's process.
    pub(crate) async fn serve(self: Arc<Self>) -> io::Result<()> {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let database = self.clone();
            tokio::spawn(async move {
                // A client that is gone is not told.
                let _ = database.answer(stream).await;
            });
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let number = stream.read_u64().await?;
        let operation = self.operations.lock().expect("no panic").1.remove(&number);
        let Some(operation) = operation else { return Ok(()) };
        let mood = *self.mood.lock().expect("no panic");
        let (chance, even) = {
            let mut random = self.random.lock().expect("no panic");
            (random.f64(), random.bool())
        };
        tokio::time::sleep(mood.takes).await;
        self.set_clock();
        let mut until = mood.fails;
        if chance < until {
            return stream.write_u8(1).await;
        }
        until += mood.hangs;
        if chance < until {
            if even {
                operation(self.store.clone()).await;
            }
            return std::future::pending().await;
        }
        operation(self.store.clone()).await;
        until += mood.fails_afterwards;
        if chance < until {
            return stream.write_u8(1).await;
        }
        until += mood.twice;
        if chance < until {
            operation(self.store.clone()).await;
        }
        stream.write_u8(0).await
    }
}

/// The driver: what an application's process has of the database.
pub(crate) struct Driver(pub(crate) Arc<Database>);

impl Driver {
    fn ask<T, W>(
        &self,
        work: impl Fn(Arc<MemoryStore>) -> W + Send + Sync + 'static,
    ) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let answer: Arc<Mutex<Option<Result<T, StoreError>>>> = Arc::default();
        let slot = answer.clone();
        let operation: Operation = Arc::new(move |store| {
            let (work, slot) = (work(store), slot.clone());
            Box::pin(async move {
                let done = work.await;
                *slot.lock().expect("no panic") = Some(done);
            })
        });
        let number = {
            let mut operations = self.0.operations.lock().expect("no panic");
            operations.0 += 1;
            let number = operations.0;
            operations.1.insert(number, operation);
            number
        };
        Box::pin(async move {
            let failed = |_| StoreError::new("the connection broke");
            let mut stream = TcpStream::connect((HOST, PORT)).await.map_err(failed)?;
            stream.write_u64(number).await.map_err(failed)?;
            match stream.read_u8().await.map_err(failed)? {
                0 => answer.lock().expect("no panic").take().expect("it was carried out"),
                _ => Err(StoreError::new("the database failed")),
            }
        })
    }
}

macro_rules! carried_out {
    ($driver:ident, $operation:ident($argument:ident)) => {{
        let argument = $argument.to_owned();
        $driver.ask(move |store| {
            let argument = argument.clone();
            async move { store.$operation(&argument).await }
        })
    }};
}

impl FeedbackStore for Driver {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        let (messages, database) = (messages.to_vec(), self.0.clone());
        self.ask(move |store| {
            let (messages, database) = (messages.clone(), database.clone());
            async move {
                let outcomes = store.record(&messages).await?;
                for message in &messages {
                    database.journal.note(Event::Recorded { sid: message.sid });
                }
                database.recorded.lock().expect("no panic").extend(messages);
                Ok(outcomes)
            }
        })
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        let (targets, database) = (targets.to_vec(), self.0.clone());
        self.ask(move |store| {
            let (targets, database) = (targets.clone(), database.clone());
            async move {
                match database.defect {
                    Some(Defect::LosesConfirms) => {
                        let mut confirms = database.confirms.lock().expect("no panic");
                        *confirms += 1;
                        if *confirms % 3 == 0 {
                            return Ok(vec![ConfirmOutcome::Queued; targets.len()]);
                        }
                    }
                    Some(Defect::ConfirmsTooMuch) => {
                        let last = database.recorded.lock().expect("no panic").last().cloned();
                        let more: Vec<_> = last.map(ConfirmTarget::Message).into_iter().collect();
                        store.confirm(&more).await?;
                    }
                    _ => {}
                }
                store.confirm(&targets).await
            }
        })
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        let mut request = request.clone();
        if self.0.defect == Some(Defect::LeasesAreNothing) {
            request.duration = Duration::from_millis(1);
        }
        let request = &request;
        carried_out!(self, lease(request))
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        carried_out!(self, settle(settlements))
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.ask(move |store| async move { store.expire(limit).await })
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        let (targets, database) = (targets.to_vec(), self.0.clone());
        self.ask(move |store| {
            let (targets, database) = (targets.clone(), database.clone());
            async move {
                if database.defect == Some(Defect::ForgetsNothing) {
                    return Ok(vec![1; targets.len()]);
                }
                let counts = store.forget(&targets).await?;
                database.journal.note(Event::Forgot { count: counts.iter().sum() });
                Ok(counts)
            }
        })
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        carried_out!(self, update_status(updates))
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        carried_out!(self, keep_notes(notes))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        carried_out!(self, notes(keys))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        carried_out!(self, lookup(ids))
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        carried_out!(self, by_sid(sids))
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        self.ask(move |store| async move { store.dead_letters(after, limit).await })
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        carried_out!(self, resend(sids))
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        carried_out!(self, add_rollups(batch))
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        self.ask(move |store| async move { store.rollups(resolution, from, to).await })
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        self.ask(|store| async move { store.counts().await })
    }

    fn durability(&self) -> Durability {
        Durability::Synced
    }
}
