//! A steady load, and what became of it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle};
use tower_message_feedback::{Confirmation, MessageFeedback};

use crate::{application::Application, world::World};

/// One send so often, whether or not those before it have ended.
const PACE: Duration = Duration::from_millis(20);

/// An application under load: it sends links, and their users click soon after.
pub(crate) struct Load {
    application: Application,
    results: Arc<Mutex<Results>>,
    stop: watch::Sender<bool>,
    sender: JoinHandle<()>,
}

#[derive(Default)]
struct Results {
    /// When each send ended, and how long it took.
    sends: Vec<(Instant, Duration)>,
    confirms: Vec<(String, Confirmation)>,
    begun: usize,
}

/// What was seen of the sends that ended in a span of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    sends: usize,
    p50: Duration,
    p99: Duration,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sends, p50 {:?}, p99 {:?}", self.sends, self.p50, self.p99)
    }
}

fn lock(results: &Mutex<Results>) -> MutexGuard<'_, Results> {
    results.lock().expect("no panic in it")
}

impl Load {
    /// Begins at once; the ids begin with `name`.
    pub(crate) fn start(application: Application, name: &str) -> Self {
        let results = Arc::<Mutex<Results>>::default();
        let (stop, stopped) = watch::channel(false);
        let sender = tokio::spawn(send_steadily(
            application.clone(),
            results.clone(),
            name.to_owned(),
            stopped,
        ));
        Self { application, results, stop, sender }
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

    /// Watches for `time`.
    pub(crate) async fn watch(&self, time: Duration) -> Phase {
        self.watch_during(tokio::time::sleep(time)).await
    }

    /// Watches while `fault` lasts.
    pub(crate) async fn watch_during(&self, fault: impl Future<Output = ()>) -> Phase {
        let first = lock(&self.results).sends.len();
        fault.await;
        let mut took: Vec<Duration> =
            lock(&self.results).sends[first..].iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let quantile = |of: usize| took.get(took.len() * of / 100).copied().unwrap_or_default();
        Phase { sends: took.len(), p50: quantile(50), p99: quantile(99) }
    }

    /// Waits until the store answers again, and what was deferred is in it.
    pub(crate) async fn recovered(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let health = self.feedback().health().await;
            if health.store && health.deferred == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "it does not recover: {health:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops, and looks whether everything that was confirmed is reported.
    pub(crate) async fn all_is_reported(self, world: &World) -> BTreeMap<String, usize> {
        self.stop.send_replace(true);
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
            let taken = matches!(
                confirmation,
                Confirmation::Queued | Confirmation::Deferred | Confirmation::Unknown
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
    stopped: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(PACE);
    let mut users = tokio::task::JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if *stopped.borrow() {
            break;
        }
        while let Some(ended) = users.try_join_next() {
            ended.expect("no panic in it");
        }
        lock(&results).begun += 1;
        let (application, results, name) = (application.clone(), results.clone(), name.clone());
        users.spawn(async move {
            let id = format!("{name}-{number}");
            let begun = Instant::now();
            assert_eq!(application.send(&id).await, 201);
            lock(&results).sends.push((Instant::now(), begun.elapsed()));
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
    /// The sends went on: of those that would end without a fault, half at the
    /// very least have ended.
    pub(crate) fn went_on(self, fault: &str, before: Self, of: Duration, lasted: Duration) {
        println!("{fault}: {self} in {lasted:.1?} (before: {before} in {of:.1?})");
        let expected = before.sends as f64 * lasted.as_secs_f64() / of.as_secs_f64();
        assert!(
            self.sends as f64 >= expected / 2.0,
            "{fault}: {} sends ended where {expected:.0} would have",
            self.sends
        );
    }
}
