//! The figures of Twilio's guide, a thousandth of them, on every store.

use std::{sync::Arc, time::Duration};

use tower_message_feedback::{
    ManualClock, Timestamp,
    report::{Report, ReportQuery},
    simulator::Simulator,
    store::{FeedbackStore, MemoryStore, PostgresStore, RedisStore, Resolution, SqliteStore},
};

use crate::{
    servers::{Place, Postgres, Redis, fresh_directory},
    support::seconds,
    traffic::{Expected, Plan, Town},
};

const PLAN: Plan = Plan::of_the_guide(1000);
/// Rounds of messages, an hour apart.
const ROUNDS: u64 = 4;

/// Ahead of the servers' own clocks, which drop what is over.
fn start() -> Timestamp {
    let now = Timestamp::from(std::time::SystemTime::now()) + seconds(24 * 3600);
    Resolution::Day.start(now)
}

async fn report_of(store: Arc<dyn FeedbackStore>, time: ManualClock) -> (Expected, Report) {
    let twilio = Simulator::with_clock(time.clock());
    let set = |builder: tower_message_feedback::MessageFeedbackBuilder| {
        builder.store(store).clock(time.clock()).store_timeout(seconds(60))
    };
    let town = Town::with_callbacks(&twilio, PLAN, set).await;
    for round in 0..ROUNDS {
        let some = PLAN.attempted * round / ROUNDS..PLAN.attempted * (round + 1) / ROUNDS;
        town.send(some.clone()).await;
        time.advance(seconds(20));
        town.confirm(some).await;
        assert_eq!(town.feedback.flush().await.outbox, Some(0));
        time.advance(seconds(3580));
    }
    let confirmed = u64::try_from(twilio.confirmed().len());
    assert_eq!(confirmed, Ok(PLAN.conversions), "what Twilio has");
    let query = ReportQuery::last(Duration::from_secs(24 * 3600));
    (town.expected(), town.feedback.report(query).await.expect("a report"))
}

async fn numbers_are_those_that_were_sent(store: Arc<dyn FeedbackStore>, time: ManualClock) {
    let (expected, report) = report_of(store, time).await;
    assert_eq!(expected.total, (PLAN.attempted, PLAN.status_ok, PLAN.conversions));
    assert_eq!(expected.countries.len(), 213);
    assert_eq!(Expected::in_report(&report), expected);
    assert_eq!(report.countries.len(), 213);
    // As the page shows it.
    let rate = report.total.conversion_rate().expect("a rate");
    assert!((rate.value - 1.8 / 2.3).abs() < 1e-3 && !rate.is_small_sample);
    let median = report.total.latency.quantile(0.5).expect("a median");
    assert!((14..=23).contains(&median.as_secs()), "{median:?}");
    // Each hour has its round.
    let busy = report.over_time.iter().filter(|hour| hour.funnel.attempted > 0);
    assert_eq!(busy.count(), ROUNDS as usize);
    assert_eq!((report.total.resends, report.total.dead_letters), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory() {
    let time = ManualClock::new(start());
    let store = MemoryStore::builder().clock(time.clock()).build();
    numbers_are_those_that_were_sent(Arc::new(store), time).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_sqlite() {
    let time = ManualClock::new(start());
    let file = fresh_directory(Place::Ram, "report").join("feedback.db");
    let builder = SqliteStore::builder(&file).clock(time.clock());
    builder.migrate().await.expect("tables");
    numbers_are_those_that_were_sent(Arc::new(builder.open().await.expect("a store")), time).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgres() {
    let time = ManualClock::new(start());
    let builder = PostgresStore::builder().url(Postgres::shared().url()).clock(time.clock());
    let store = builder.schema("report").build().expect("a store");
    store.migrate().await.expect("tables");
    numbers_are_those_that_were_sent(Arc::new(store), time).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_redis() {
    let time = ManualClock::new(start());
    let builder = RedisStore::builder().clock(time.clock());
    let store = builder.connect(Redis::shared().fresh_database()).await.expect("a store");
    store.migrate().await.expect("the data is created");
    numbers_are_those_that_were_sent(Arc::new(store), time).await;
}
