//! A steady load, and what became of it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle};
use tower_message_feedback::{Confirmation, MessageFeedback};

use crate::{
    application::Application,
    world::{NEVER, World},
};

/// One send so often, whether or not those before it have ended.
const PACE: Duration = Duration::from_millis(40);
/// How many sends tell something.
const ENOUGH: usize = 75;
/// How long a send may wait for the store: the builder's default.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_millis(250);

/// An application under load: it sends links, and their users click soon after.
pub(crate) struct Load {
    application: Application,
    results: Arc<Mutex<Results>>,
    state: watch::Sender<State>,
    sender: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Sending,
    Resting,
    Stopped,
}

#[derive(Default)]
struct Results {
    /// How long each send took, in the order of their ends.
    sends: Vec<Duration>,
    /// How many ended of those that went out at the same times without the layer.
    bare_sends: usize,
    confirms: Vec<(String, Confirmation)>,
    begun: usize,
}

/// What was seen of the sends that ended in a span of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    sends: usize,
    bare_sends: usize,
    p50: Duration,
    p99: Duration,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sends, bare_sends, p50, p99 } = self;
        write!(f, "{sends} sends, p50 {p50:.1?}, p99 {p99:.1?} ({bare_sends} bare)")
    }
}

/// With `TMF_LOG` set, what the crate says goes to the test's output.
fn log() {
    if std::env::var_os("TMF_LOG").is_some() {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        let _ = log.with_test_writer().try_init();
    }
}

fn lock(results: &Mutex<Results>) -> MutexGuard<'_, Results> {
    results.lock().expect("no panic in it")
}

impl Load {
    /// Begins at once; the ids begin with `name`.
    pub(crate) fn start(application: Application, name: &str) -> Self {
        log();
        let results = Arc::<Mutex<Results>>::default();
        let (state, in_state) = watch::channel(State::Sending);
        let sender = tokio::spawn(send_steadily(
            application.clone(),
            results.clone(),
            name.to_owned(),
            in_state,
        ));
        Self { application, results, state, sender }
    }

    pub(crate) fn feedback(&self) -> &MessageFeedback {
        &self.application.feedback
    }

    /// Waits until connections are open and caches are full.
    pub(crate) async fn is_warm(&self) {
        while lock(&self.results).confirms.len() < 30 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Watches for a while.
    pub(crate) async fn watch(&self) -> Phase {
        self.watch_during(self.a_while()).await
    }

    /// Three seconds, and more on a machine that is too busy to send much.
    pub(crate) async fn a_while(&self) {
        let bare_sends = || lock(&self.results).bare_sends;
        let first = bare_sends();
        while bare_sends() - first < ENOUGH {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Watches while `fault` lasts.
    pub(crate) async fn watch_during(&self, fault: impl Future<Output = ()>) -> Phase {
        let (first, first_bare) = {
            let results = lock(&self.results);
            (results.sends.len(), results.bare_sends)
        };
        fault.await;
        let results = lock(&self.results);
        let mut took = results.sends[first..].to_vec();
        let bare_sends = results.bare_sends - first_bare;
        took.sort_unstable();
        let quantile = |of: usize| took.get(took.len() * of / 100).copied().unwrap_or_default();
        Phase { sends: took.len(), bare_sends, p50: quantile(50), p99: quantile(99) }
    }

    /// Rests until the store answers again, and what was deferred is in it.
    pub(crate) async fn recovered(&self) {
        self.state.send_replace(State::Resting);
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let health = self.feedback().health().await;
            if health.store && health.deferred == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "the store does not recover: {health:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.state.send_replace(State::Sending);
    }

    /// Stops, and looks whether everything that was confirmed is reported.
    pub(crate) async fn all_is_reported(self, world: &World) -> BTreeMap<String, usize> {
        self.state.send_replace(State::Stopped);
        self.sender.await.expect("no panic in it");
        let (begun, confirms) = {
            let results = lock(&self.results);
            (results.begun, results.confirms.clone())
        };
        // Every send came to its end, and so did its confirm.
        assert_eq!(confirms.len(), begun);
        let mut answers = BTreeMap::new();
        for (id, confirmation) in &confirms {
            // Unknown: the record was deferred, and the confirm waits for it.
            // Already: the store tried again what had taken place.
            let taken = matches!(
                confirmation,
                Confirmation::Queued
                    | Confirmation::AlreadyConfirmed
                    | Confirmation::Deferred
                    | Confirmation::Unknown
            );
            assert!(taken, "{id}: {confirmation:?}");
            *answers.entry(format!("{confirmation:?}")).or_default() += 1;
        }
        let ids: Vec<String> = confirms.into_iter().map(|(id, _)| id).collect();
        world.all_reported(&ids, Duration::from_secs(60)).await;
        world.nothing_else_reported();
        answers
    }
}

async fn send_steadily(
    application: Application,
    results: Arc<Mutex<Results>>,
    name: String,
    mut state: watch::Receiver<State>,
) {
    let mut ticks = tokio::time::interval(PACE);
    let mut users = tokio::task::JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if *state.borrow() == State::Resting {
            let _ = state.wait_for(|state| *state != State::Resting).await;
            ticks.reset();
        }
        if *state.borrow() == State::Stopped {
            break;
        }
        while let Some(ended) = users.try_join_next() {
            ended.expect("no panic in it");
        }
        lock(&results).begun += 1;
        let bare = (application.clone(), results.clone());
        users.spawn(async move {
            let (application, results) = bare;
            assert_eq!(application.send_bare(&format!("bare-{number}{NEVER}")).await, 201);
            lock(&results).bare_sends += 1;
        });
        let (application, results, name) = (application.clone(), results.clone(), name.clone());
        users.spawn(async move {
            let id = format!("{name}-{number}");
            let begun = Instant::now();
            assert_eq!(application.send(&id).await, 201);
            lock(&results).sends.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..200))).await;
            let confirmation = application.feedback.confirm(id.as_str()).await;
            lock(&results).confirms.push((id, confirmation));
        });
    }
    while let Some(ended) = users.join_next().await {
        ended.expect("no panic in it");
    }
}

impl Phase {
    /// The sends went on: of those that would have ended without the layer, half
    /// at the very least have ended. (Both are late where the machine is busy.)
    pub(crate) fn went_on(self, fault: &str, before: Self) {
        println!("{fault}: {self}; before: {before}");
        assert!(self.bare_sends >= ENOUGH, "{fault}: too little was seen");
        assert!(self.sends >= self.bare_sends / 2, "{fault}: sends wait for the store");
    }
}
