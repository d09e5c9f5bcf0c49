//! The outbox on PostgreSQL beside a job queue that does the same job: apalis, a program of
//! its own in `benches/job_queue`.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tower_message_feedback::{Credentials, MessageFeedback, SentMessage, store::PostgresStore};

use crate::{
    loopback::{Pace, Twilio, all},
    requests::AC,
    servers::Postgres,
    table::{Spread, spread},
    turns::in_turns,
};

const JOBS: usize = 10_000;
const CONCURRENCY: usize = 64;
const PUSHERS: usize = 16;
const TURNS: usize = 5;

/// In a second.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Figures {
    pushed_per_second: f64,
    drained_per_second: f64,
}

/// What this crate does for what the queue does: taking jobs one by one, and doing them.
pub(crate) struct Share {
    pub(crate) taken: Spread,
    pub(crate) done: Spread,
}

/// `None` if the queue's program cannot be built.
pub(crate) async fn share() -> Option<Share> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/job_queue");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("job_queue");
    let built = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(project)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return None;
    }
    let queue = target.join("release/job_queue");
    let server = Postgres::options().synced().on_disk().set("shared_buffers", "1GB").start();
    let twilio = Twilio::start(Pace::After(Duration::ZERO)).await;
    let mut schemas = 0..;
    let figures = in_turns(TURNS, async |is_ours| match schemas.next() {
        Some(number) if is_ours => this_crate(&server, &twilio, number).await,
        _ => the_queue(&queue, &server, &twilio).await,
    })
    .await;
    let of = |figure: fn(&Figures) -> f64| {
        spread(figures.iter().map(|[queue, ours]| figure(ours) / figure(queue)).collect())
    };
    let (taken, done) =
        (of(|figures| figures.pushed_per_second), of(|figures| figures.drained_per_second));
    Some(Share { taken, done })
}

async fn this_crate(server: &Postgres, twilio: &Twilio, number: usize) -> Figures {
    let store = PostgresStore::builder()
        .url(server.url())
        .schema(format!("turn_{number}"))
        .max_connections(PUSHERS)
        .build()
        .expect("a store");
    store.migrate().await.expect("tables");
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
        .allow_origin(twilio.url())
        .correlation_key("a correlation key of a benchmark")
        .max_in_flight(CONCURRENCY)
        .store_timeout(Duration::from_secs(30))
        .store(store)
        .build()
        .expect("a handle");
    feedback.pause_delivery();
    let base_url = twilio.base_url();
    let sent = move |number: usize| {
        let sid = format!("SM{number:032x}").parse().expect("a SID");
        SentMessage::new(AC.parse().expect("a SID"), sid).base_url(base_url.clone())
    };
    pushers(&feedback, move |feedback, number| {
        let sent = sent(number);
        async move {
            let _ = feedback.record(number.to_string(), sent).await;
        }
    })
    .await;
    let began = Instant::now();
    pushers(&feedback, |feedback, number| async move {
        assert!(feedback.confirm(number.to_string()).await.is_confirmed());
    })
    .await;
    let pushed_per_second = JOBS as f64 / began.elapsed().as_secs_f64();
    let posts = twilio.posts();
    let began = Instant::now();
    feedback.resume_delivery();
    twilio.has_posts(posts + JOBS).await;
    let _ = feedback.flush().await;
    let drained_per_second = JOBS as f64 / began.elapsed().as_secs_f64();
    feedback.shutdown(Duration::from_secs(10)).await;
    Figures { pushed_per_second, drained_per_second }
}

/// Does `work` for each number, as many at once as the queue has pushers.
async fn pushers<Fut: Future<Output = ()> + Send>(
    feedback: &MessageFeedback,
    work: impl Fn(MessageFeedback, usize) -> Fut + Clone + Send + 'static,
) {
    all((0..PUSHERS).map(|pusher| {
        let (feedback, work) = (feedback.clone(), work.clone());
        async move {
            for number in (pusher..JOBS).step_by(PUSHERS) {
                work(feedback.clone(), number).await;
            }
        }
    }))
    .await;
}

async fn the_queue(program: &Path, server: &Postgres, twilio: &Twilio) -> Figures {
    let database = server.fresh_database();
    let mut command = tokio::process::Command::new(program);
    command
        .args(["--database-url", &database.url(), "--post-to", &twilio.url()])
        .args(["--jobs", &JOBS.to_string(), "--concurrency", &CONCURRENCY.to_string()])
        .args(["--pushers", &PUSHERS.to_string()]);
    let output = command.output().await.expect("the queue runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the queue's figures")
}
