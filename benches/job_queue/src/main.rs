//! The outbox's job done by a job queue, apalis with its PostgreSQL storage: jobs
//! that each POST the feedback of a message. The database has to be a fresh one.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use apalis::prelude::{
    BackendExt, BoxDynError, Data, EventListenerExt, ParallelizeExt, TaskSink, WorkerBuilder,
    WorkerBuilderExt,
};
use apalis_postgres::{Config, PgPool, PostgresStorage};
use http::{Request, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;

#[derive(Deserialize, Serialize)]
struct Feedback {
    sid: String,
    account: String,
}

fn feedback(number: usize) -> Feedback {
    Feedback { sid: format!("SM{number:032x}"), account: format!("AC{:032x}", number % 10) }
}

struct Http {
    client: Client<HttpConnector, Full<&'static [u8]>>,
    post_to: String,
    sent: AtomicUsize,
}

async fn send(feedback: Feedback, http: Data<Arc<Http>>) -> Result<(), BoxDynError> {
    let request = Request::post(format!("{}/{}/Feedback.json", http.post_to, feedback.sid))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(&b"Outcome=confirmed"[..]))?;
    let response = http.client.request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    if !status.is_success() {
        return Err(status.to_string().into());
    }
    http.sent.fetch_add(1, Relaxed);
    Ok(())
}

/// Pushes `batch` jobs with a call, and returns how many a second.
async fn push(
    storage: &PostgresStorage<Feedback>,
    jobs: usize,
    pushers: usize,
    batch: usize,
) -> Result<f64, BoxDynError> {
    let started = Instant::now();
    let pushers = (0..pushers).map(|pusher| {
        let mut storage = storage.clone();
        tokio::spawn(async move {
            for start in (pusher * batch..jobs).step_by(pushers * batch) {
                if batch == 1 {
                    storage.push(feedback(start)).await?;
                } else {
                    let numbers = start..jobs.min(start + batch);
                    storage.push_bulk(numbers.map(feedback).collect()).await?;
                }
            }
            Ok::<_, BoxDynError>(())
        })
    });
    for pusher in pushers.collect::<Vec<_>>() {
        pusher.await??;
    }
    Ok(jobs as f64 / started.elapsed().as_secs_f64())
}

/// Runs a worker until apalis has all jobs as done, and returns how many a second.
async fn drain(
    pool: &PgPool,
    storage: PostgresStorage<Feedback>,
    jobs: usize,
    concurrency: usize,
    post_to: String,
) -> Result<f64, BoxDynError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let http = Arc::new(Http { client, post_to, sent: AtomicUsize::new(0) });
    let started = Instant::now();
    let worker = WorkerBuilder::new("worker")
        // For the queue's end; while there are jobs, a fetch follows the other without a
        // pause. LISTEN (`with_pubsub`) is no faster with jobs that are there already.
        .backend(storage.poll_with_interval(Duration::from_millis(50)))
        .data(http.clone())
        .concurrency(concurrency)
        // Else all handlers run in the worker's one task.
        .parallelize(tokio::spawn)
        .on_event(|worker, event| {
            if let Some(error) = event.as_error() {
                eprintln!("a job failed: {error}");
                _ = worker.stop();
            }
        })
        .build(send);
    let worker = tokio::spawn(worker.run());
    let mut all_sent = None;
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if worker.is_finished() {
            worker.await??;
            return Err("the worker ended before its work".into());
        } else if http.sent.load(Relaxed) < jobs {
            continue;
        }
        let all_sent = all_sent.get_or_insert_with(Instant::now).elapsed();
        let done = "SELECT count(*) FROM apalis.jobs WHERE status = 'Done'";
        if sqlx::query_scalar::<_, i64>(done).fetch_one(pool).await? == jobs as i64 {
            worker.abort();
            return Ok(jobs as f64 / started.elapsed().as_secs_f64());
        } else if all_sent > Duration::from_secs(60) {
            return Err("a minute after the last POST, not all jobs are done".into());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let text = |name: &str| {
        let value = arguments.iter().skip_while(|argument| *argument != name).nth(1);
        value.cloned().ok_or_else(|| format!("{name} is missing"))
    };
    let number = |name: &str| match text(name)?.parse::<u32>() {
        Ok(0) | Err(_) => Err(format!("{name} takes a number, from 1")),
        Ok(number) => Ok(number),
    };
    let (jobs, concurrency) = (number("--jobs")? as usize, number("--concurrency")? as usize);
    let (pushers, post_to) = (number("--pushers")?, text("--post-to")?);
    let pool = PgPoolOptions::new()
        .max_connections(pushers + 4)
        // Else each transaction begins with a round trip more.
        .test_before_acquire(false)
        .connect(&text("--database-url")?)
        .await?;
    PostgresStorage::setup(&pool).await?;
    let job = "SELECT id FROM apalis.jobs LIMIT 1";
    if sqlx::query(job).fetch_optional(&pool).await?.is_some() {
        return Err("there are jobs in the database, which has to be a fresh one".into());
    }
    let config = Config::default()
        .queue("feedback")
        // By default 10. A fetch scans the whole table (its LIMIT is a parameter, and
        // PostgreSQL plans for a tenth of the rows), and a worker acknowledges between
        // fetches: so few large ones. With more than this it is no faster.
        .batch_size(32 * concurrency)
        // The fetch has made the jobs this worker's already; with this each is updated
        // once more, when its handler starts.
        .lock_tasks(false);
    let storage = PostgresStorage::new(&pool).with_config(config);
    let pushed = push(&storage, jobs, pushers as usize, 1).await?;
    // Not when autovacuum comes by.
    sqlx::query("VACUUM ANALYZE apalis.jobs").execute(&pool).await?;
    let drained = drain(&pool, storage.clone(), jobs, concurrency, post_to).await?;
    let in_batches = push(&storage, jobs, pushers as usize, 1000).await?;
    let lock = include_str!("../Cargo.lock");
    let version = lock.split_once("name = \"apalis-postgres\"\nversion = \"");
    let version = version.and_then(|(_, version)| version.split('"').next()).unwrap_or("unknown");
    println!(
        "{{\"queue\":\"apalis-postgres\",\"version\":\"{version}\",\"jobs\":{jobs},\
         \"pushed_per_second\":{pushed:.1},\"pushed_in_batches_per_second\":{in_batches:.1},\
         \"drained_per_second\":{drained:.1}}}"
    );
    Ok(())
}
