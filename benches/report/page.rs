//! The page of a year of messages to 213 countries, kept by the hour and by the day.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{Router, body::Body};
use http::Request;
use tower::ServiceExt;
use tower_message_feedback::{
    AccountSid, Channel, Timestamp,
    simulator::Simulator,
    store::{
        Counts, Dimensions, FeedbackStore, LatencyHistogram, MemoryStore, Metric, PostgresStore,
        RedisStore, Resolution, Rollup, RollupBatch, Segment, SqliteStore,
    },
};

use crate::{
    median,
    servers::{Place, Postgres, Redis, fresh_directory},
    traffic::{self, AC, Number},
};

const HOURS: u32 = 365 * 24;

/// The counters of one hour or day of every country.
fn rollups(resolution: Resolution, at: Timestamp, numbers: &[Number]) -> Vec<Rollup> {
    let account: AccountSid = AC.parse().expect("a SID");
    let start = resolution.start(at);
    let of = |number: &Number| {
        let mut counts = Counts::default();
        counts.add(Metric::Attempted, 11);
        counts.add(Metric::StatusOk, 10);
        counts.add(Metric::Conversions, 8);
        for seconds in [3, 5, 8, 13, 21, 34, 55, 89] {
            counts.add_latency(&LatencyHistogram::of(Duration::from_secs(seconds)));
        }
        let mut dimensions = Dimensions::default();
        dimensions.country = number.country.parse().ok();
        dimensions.channel = Some(Channel::Sms);
        let segment = Segment::new(Some("login"), dimensions);
        let until = start + Duration::from_secs(500 * 24 * 3600);
        Rollup::new(resolution, start, account, segment, counts, until)
    };
    numbers.iter().map(of).collect()
}

async fn fill(store: &dyn FeedbackStore, hours: u32) {
    let numbers = traffic::numbers(213);
    let now = Timestamp::from(SystemTime::now());
    let mut sequence = 0;
    let mut batch: Vec<Rollup> = Vec::new();
    for hour in 0..HOURS {
        let at = now - Duration::from_secs(u64::from(hour) * 3600);
        if hour < hours {
            batch.extend(rollups(Resolution::Hour, at, &numbers));
        }
        if hour % 24 == 0 {
            batch.extend(rollups(Resolution::Day, at, &numbers));
        }
        if batch.len() > 2_000 || hour + 1 == HOURS {
            sequence += 1;
            let some = std::mem::take(&mut batch);
            let until = now + Duration::from_secs(3600);
            let batch = RollupBatch::new(1, sequence, some, until);
            store.add_rollups(&batch).await.expect("an answer");
        }
    }
}

async fn of_store(name: &str, store: Arc<dyn FeedbackStore>, hours: u32) {
    let began = Instant::now();
    fill(&*store, hours).await;
    println!(
        "{name}: {hours} hours and 365 days, written in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    let builder = traffic::builder(&Simulator::new()).store(store);
    let feedback = builder.store_timeout(Duration::from_secs(60)).build().expect("a handle");
    let app: Router = feedback.report_router();
    for query in ["range=365d", "range=90d", "range=24h", "range=365d&country=DE"] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..5 {
            let request =
                Request::get(format!("/?{query}")).body(Body::empty()).expect("a request");
            let began = Instant::now();
            let response = app.clone().oneshot(request).await.expect("infallible");
            assert_eq!(response.status(), 200);
            let page =
                axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a page");
            times.push(began.elapsed().as_secs_f64() * 1e3);
            bytes = page.len();
        }
        println!("  {query:<22} {:>7.0} ms {:>8} bytes", median(times), bytes);
    }
    let _ = feedback.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn measure() {
    // In memory hours are bounded: a fortnight of them is what it keeps anyway.
    of_store("memory", Arc::new(MemoryStore::new()), 14 * 24).await;
    let file = fresh_directory(Place::Ram, "report").join("feedback.db");
    SqliteStore::migrate(&file).await.expect("tables");
    of_store("SQLite", Arc::new(SqliteStore::open(&file).await.expect("a store")), HOURS).await;
    let builder = PostgresStore::builder().url(Postgres::shared().url());
    let store = builder.timeout(Duration::from_secs(60)).build().expect("a store");
    store.migrate().await.expect("tables");
    of_store("PostgreSQL", Arc::new(store), HOURS).await;
    let builder = RedisStore::builder().response_timeout(Duration::from_secs(60));
    let store = builder.connect(Redis::shared().fresh_database()).await.expect("a store");
    store.migrate().await.expect("the data is created");
    of_store("Redis", Arc::new(store), HOURS).await;
}
