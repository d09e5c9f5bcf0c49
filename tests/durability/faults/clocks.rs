//! Two processes whose clocks are ten seconds apart, on one store.

use std::time::Duration;

use tower_message_feedback::{
    Confirmation,
    simulator::Answer,
    store::{LedgerStatus, sqlite::Synchronous},
};

use crate::{
    ahead::Ahead,
    application::{Application, builder},
    servers::{Place, Postgres, Redis, fresh_directory},
    stores::Spec,
    world::World,
};

const APART: Duration = Duration::from_secs(10);
const MESSAGES: usize = 60;

async fn agree(spec: Spec) {
    let world = World::new().await;
    let ahead = Ahead::by(APART);
    let here = async || builder(&world.base_url(), spec.open().await);
    let one = Application::new(&world.base_url(), here().await.clock(ahead.clock()));
    let other = Application::new(&world.base_url(), here().await);
    let processes = [&one, &other];
    // Some have to be tried again, at a time that one process says and another keeps.
    world.twilio.answer_feedback(Answer::status(503).times(10));
    let mut ids = Vec::new();
    for number in 0..MESSAGES {
        let id = format!("m{number}");
        assert_eq!(processes[number % 2].send(&id).await, 201);
        ids.push(id);
    }
    for (number, id) in ids.iter().enumerate() {
        // Half are confirmed where they were sent, half by the other process.
        let confirmed = processes[number / 2 % 2].feedback.confirm(id.as_str()).await;
        assert_eq!(confirmed, Confirmation::Queued, "{id}");
    }
    world.all_reported(&ids, Duration::from_secs(60)).await;
    assert!(one.feedback.flush().await.is_empty() && other.feedback.flush().await.is_empty());
    // No lease was taken for one that had run out.
    assert_eq!(world.duplicates(), 0);
    for process in processes {
        assert_eq!(process.feedback.stats().delivery.leases_lost, 0);
    }
    // A delivery is later than its confirm, whoever did which.
    for id in &ids {
        let entries = one.feedback.lookup(id.as_str()).await.expect("an answer");
        let LedgerStatus::Delivered { confirmed_at, delivered_at, .. } = entries[0].status else {
            panic!("{id}: {:?}", entries[0].status);
        };
        assert!(confirmed_at <= delivered_at, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_apart_agree_on_postgres() {
    let server = Postgres::start();
    agree(Spec::Postgres { url: server.url() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_apart_agree_on_redis() {
    let server = Redis::start();
    agree(Spec::Redis { url: server.url() }).await;
}

/// Processes of one machine, whose store goes by the machine's clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_apart_agree_on_sqlite() {
    let file = fresh_directory(Place::Ram, "clocks").join("feedback.db");
    agree(Spec::Sqlite { file, synchronous: Synchronous::Full }).await;
}
