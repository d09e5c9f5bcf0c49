//! One report of many processes, and what the death of one costs it.

use std::time::{Duration, Instant};

use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_message_feedback::{
    MessageFeedback,
    report::{Report, ReportQuery},
};

use crate::{
    application,
    children::{Child, say, setting},
    processes::orders,
    servers::{Postgres, RedisCluster},
    stores::Spec,
    traffic::{Expected, Plan, Town, numbers},
    world::World,
};

const PLAN: Plan = Plan { attempted: 1150, status_ok: 1100, conversions: 900, countries: 213 };
const PROCESSES: u64 = 4;

/// One of the processes: sends and confirms the messages that it is told to.
pub(crate) fn reporter() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let base_url = setting("BASE_URL");
        let store = Spec::of_parent().open().await;
        let feedback = application::builder(&base_url, store).build().expect("a handle");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let town = Town::new(&client, &base_url, feedback, PLAN);
        say("ready");
        let mut orders = orders();
        while let Some(order) = orders.recv().await {
            let numbers: Vec<u64> =
                order.split(' ').map(|number| number.parse().expect("a number")).collect();
            let some = numbers[0]..numbers[1];
            town.send(some.clone()).await;
            town.confirm(some).await;
            say(&format!("done {order}"));
        }
        town.feedback.shutdown(Duration::from_secs(30)).await;
    });
}

async fn report(feedback: &MessageFeedback) -> Report {
    // Midnight may come while the test runs.
    let query = ReportQuery::last(Duration::from_secs(48 * 3600));
    feedback.report(query).await.expect("a report")
}

async fn four_make_one_report(spec: Spec) {
    let world = World::new().await;
    let start = || world.birth("reporter", &spec).start();
    let mut processes: Vec<Child> = Vec::new();
    for _ in 0..PROCESSES {
        let mut process = start();
        process.heard("ready").await;
        processes.push(process);
    }
    for (process, quarter) in processes.iter_mut().zip(0..) {
        let bound = |quarter| PLAN.attempted * quarter / PROCESSES;
        process.tell(&format!("{} {}", bound(quarter), bound(quarter + 1)));
    }
    for process in &mut processes {
        process.heard("done").await;
    }
    let all = usize::try_from(PLAN.conversions).expect("few");
    let delivered = world.twilio.wait_until(|twilio| twilio.confirmed().len() >= all);
    tokio::time::timeout(Duration::from_secs(60), delivered).await.expect("all is delivered");
    processes.into_iter().for_each(|process| drop(process.end()));
    let store = spec.open().await;
    let reader = application::builder(&world.base_url(), store).build().expect("a handle");
    assert_eq!(reader.flush().await.outbox, Some(0));
    let expected = Expected::of(&PLAN, &numbers(PLAN.countries));
    assert_eq!(Expected::in_report(&report(&reader).await), expected);
    assert_eq!(expected.total, (1150, 1100, 900));

    // One that counts and is killed.
    let mut victim = start();
    victim.heard("ready").await;
    victim.tell("0 100");
    victim.heard("done 0 100").await;
    // It brings its counts to the store by itself, and soon.
    let deadline = Instant::now() + Duration::from_secs(60);
    while report(&reader).await.total.attempted < 1250 {
        assert!(Instant::now() < deadline, "{:?}", report(&reader).await.total);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    victim.tell("100 200");
    victim.heard("done 100 200").await;
    victim.kill();
    let total = report(&reader).await.total;
    assert!((1250..=1350).contains(&total.attempted), "{total:?}");
}

// Twilio goes on while a thread waits for a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_make_one_report_in_postgres() {
    let server = Postgres::start();
    four_make_one_report(Spec::Postgres { url: server.url() }).await;
}

// Twilio goes on while a thread waits for a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_make_one_report_in_redis() {
    let cluster = RedisCluster::start();
    four_make_one_report(Spec::RedisCluster { urls: cluster.urls() }).await;
}
