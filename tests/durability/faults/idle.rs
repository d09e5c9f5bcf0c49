//! Sessions of the application that are left idle in a transaction while the
//! outbox drains.

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use tower_message_feedback::store::{
    PostgresStore,
    postgres::tokio_postgres::{self, NoTls},
    sqlite::{Synchronous, rusqlite::Connection},
};

use super::load::Load;
use crate::{
    application::{Application, builder},
    servers::{Place, Postgres, fresh_directory},
    stores::Spec,
    world::World,
};

/// A second by default; `TMF_IDLE_SECONDS=600` is the long mode.
fn idle_time() -> Duration {
    let seconds = env::var("TMF_IDLE_SECONDS");
    Duration::from_secs(seconds.map_or(1, |seconds| seconds.parse().expect("a number of seconds")))
}

/// Lets a load go on while something is idle, and looks at its first and last
/// moments: sends go on, and the outbox does not grow.
async fn drains_beside(what: &str, load: &Load) {
    load.is_warm().await;
    let first = load.watch().await;
    tokio::time::sleep(idle_time()).await;
    let last = load.watch().await;
    last.went_on(what, first);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let health = load.feedback().health().await;
        if health.outbox.is_some_and(|outbox| outbox < 20) {
            println!("{what}: {health:?}");
            return;
        }
        assert!(Instant::now() < deadline, "{what}: the outbox grows: {health:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn session(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a session");
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_drains_beside_idle_transactions() {
    let world = World::new().await;
    let server = Postgres::start();
    let store = PostgresStore::builder().url(server.url()).build().expect("a store");
    store.migrate().await.expect("a schema");
    let store = Arc::new(store);
    let application =
        Application::new(&world.base_url(), builder(&world.base_url(), store.clone()));

    // One has a snapshot and a number: nothing that dies from now on is cleared away.
    let reader = session(&server.url()).await;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()";
    reader.batch_execute(begin).await.expect("a transaction");
    // The other has confirmed, and does not commit.
    let mut writer = session(&server.url()).await;
    assert_eq!(application.send("joined").await, 201);
    let transaction = writer.transaction().await.expect("a transaction");
    let join = application.feedback.join_postgres(store);
    let confirmed = join.confirm(&transaction, "joined").await.expect("a confirm");
    assert!(confirmed.is_confirmed());

    let load = Load::start(application, "s");
    drains_beside("two idle transactions", &load).await;
    assert_eq!(world.missing(&["joined".to_owned()]), ["joined"]);
    transaction.commit().await.expect("a commit");
    let _ = confirmed.committed();
    world.all_reported(&["joined".to_owned()], Duration::from_secs(30)).await;
    let dead = "SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE n_dead_tup > 0";
    println!("dead rows: {}", server.sql("postgres", dead).replace('\n', ", "));
    load.all_is_reported(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_drains_beside_an_idle_reader() {
    let world = World::new().await;
    let file = fresh_directory(Place::Ram, "idle").join("feedback.db");
    let spec = Spec::Sqlite { file: file.clone(), synchronous: Synchronous::Full };
    let application =
        Application::new(&world.base_url(), builder(&world.base_url(), spec.open().await));
    let reader = Connection::open(&file).expect("the file");
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").expect("a snapshot");
    let load = Load::start(application, "s");
    drains_beside("an idle reader", &load).await;
    reader.execute_batch("COMMIT").expect("an end");
    load.all_is_reported(&world).await;
}
