//! Four processes on one store: one sends, another confirms, any delivers, and
//! one of them is killed.

use std::{env, time::Duration};

use tokio::{sync::mpsc, task::JoinSet};
use tower_message_feedback::Confirmation;

use crate::{
    application::{self, Application},
    children::{Child, hear, say, setting},
    servers::{Postgres, RedisCluster},
    stores::Spec,
    world::World,
};

/// A step in which the parent hears of progress.
const STEP: usize = 100;
/// What a process does at once.
const AT_ONCE: usize = 32;

/// 2,000 by default; `TMF_MESSAGES=100000` is the long mode.
fn messages() -> usize {
    env::var("TMF_MESSAGES").map_or(2000, |count| count.parse().expect("a number of messages"))
}

/// One of the processes. They all deliver.
pub(crate) fn member() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let base_url = setting("BASE_URL");
        let store = Spec::of_parent().open().await;
        let application = Application::new(&base_url, application::builder(&base_url, store));
        say("ready");
        // Each order is the number up to which to send, or to confirm.
        let mut orders = orders();
        let mut done = 0;
        while let Some(order) = orders.recv().await {
            let (what, up_to) = order.split_once(' ').expect("an order and a number");
            let up_to: usize = up_to.parse().expect("a number");
            while done < up_to {
                let step = done..up_to.min(done + STEP);
                let mut tasks = JoinSet::new();
                for number in step.clone() {
                    if tasks.len() >= AT_ONCE {
                        tasks.join_next().await.expect("a task").expect("no panic in it");
                    }
                    let (application, id) = (application.clone(), format!("m{number}"));
                    let sends = what == "send";
                    tasks.spawn(async move {
                        if sends {
                            assert_eq!(application.send(&id).await, 201);
                        } else {
                            match application.feedback.confirm(id.as_str()).await {
                                Confirmation::Queued => {}
                                other => say(&format!("otherwise {id} {other:?}")),
                            }
                        }
                    });
                }
                while let Some(ended) = tasks.join_next().await {
                    ended.expect("no panic in it");
                }
                done = step.end;
                say(&format!("{what} {done}"));
            }
        }
        let stats = application.feedback.stats();
        let left = application.feedback.shutdown(Duration::from_secs(30)).await;
        say(&format!(
            "{} deferred, {} delivered, {} leases lost, {left:?}",
            stats.sends.record_deferred, stats.delivery.delivered, stats.delivery.leases_lost
        ));
    });
}

/// What the parent says, line by line.
pub(crate) fn orders() -> mpsc::UnboundedReceiver<String> {
    let (give, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Some(order) = hear() {
            let _ = give.send(order);
        }
    });
    orders
}

async fn each_is_reported(spec: Spec) {
    let world = World::new().await;
    let total = messages();
    let start = || world.birth("member", &spec).start();
    // The first makes the schema; that many may is the stores' own test.
    let mut sender = start();
    sender.heard("ready").await;
    let (mut confirmer, mut idler, mut victim) = (start(), start(), start());
    for process in [&mut confirmer, &mut idler, &mut victim] {
        process.heard("ready").await;
    }
    sender.tell(&format!("send {total}"));
    let mut victim = Some(victim);
    for up_to in (STEP..=total).step_by(STEP) {
        sender.heard(&format!("send {up_to}")).await;
        confirmer.tell(&format!("confirm {up_to}"));
        if up_to > total / 2
            && let Some(victim) = victim.take()
        {
            // With what it has in flight: its leases run out.
            victim.kill();
        }
    }
    confirmer.heard(&format!("confirm {total}")).await;
    let ids: Vec<String> = (0..total).map(|number| format!("m{number}")).collect();
    world.all_reported(&ids, Duration::from_secs(120)).await;
    world.nothing_else_reported();
    let [sent, confirmed, idled] = [sender, confirmer, idler].map(Child::end);
    let last_words = |said: &[String]| said.last().expect("its last words").clone();
    // Some records may have been late, and then their confirms were early.
    let otherwise: Vec<_> = confirmed.iter().filter(|line| line.starts_with("otherwise")).collect();
    let late: usize =
        last_words(&sent).split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    assert!(otherwise.len() <= late, "{late} records were late: {otherwise:?}");
    println!(
        "{total} messages, each reported, {} twice, {} confirmed early; {:?}",
        world.duplicates(),
        otherwise.len(),
        [&sent, &confirmed, &idled].map(|said| last_words(said))
    );
}

#[tokio::test]
async fn four_processes_share_a_postgres() {
    let server = Postgres::start();
    each_is_reported(Spec::Postgres { url: server.url() }).await;
}

#[tokio::test]
async fn four_processes_share_a_redis_cluster() {
    let cluster = RedisCluster::start();
    each_is_reported(Spec::RedisCluster { urls: cluster.urls() }).await;
}
