//! PostgreSQL: its folder, and its log, where it logs all that it is told.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tower_message_feedback::store::{PostgresStore, postgres::tokio_postgres::NoTls};

use crate::{
    direct::Trouble,
    encodings::as_uuid,
    files,
    markers::{JOINED_ID, RECORDED_ID, STORE_PASSWORD},
    run::{all_types_were_shown, at_rest, everything, holds, site},
    said::{nobody_told, noted, noted_error},
    search::Search,
    servers::Postgres,
    support::{AC, seconds},
};

/// Its connections are killed, and its tables not found for a while.
struct Gone<'a>(&'a Postgres);

impl Trouble for Gone<'_> {
    async fn begin(&self) {
        self.0.sql("postgres", "ALTER SCHEMA feedback RENAME TO away");
        self.0.sql("postgres", KILL);
    }

    async fn end(&self) {
        self.0.sql("postgres", "ALTER SCHEMA away RENAME TO feedback");
    }
}

const KILL: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";

/// A server that logs statements with what they are given, and errors with theirs.
fn talkative() -> Postgres {
    Postgres::options()
        .set("log_statement", "all")
        .set("log_min_duration_statement", 0)
        .set("log_parameter_max_length", -1)
        .set("log_parameter_max_length_on_error", -1)
        .set("log_error_verbosity", "verbose")
        .set("log_connections", "on")
        .set("log_min_messages", "debug1")
        .start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgres() {
    let mut server = talkative();
    // What a new cluster has is not written again.
    let begun = SystemTime::now();
    // It asks for none, and is told one.
    let url = server.url().replace("postgres@", &format!("postgres:{STORE_PASSWORD}@"));
    let site = site().await;
    let builder = PostgresStore::builder().url(&url).schema("feedback").clock(site.time.clock());
    let builder = noted(builder.max_connections(4).timeout(seconds(30)));
    let store = Arc::new(noted(builder.build().expect("a store")));
    store.migrate().await.expect("tables");
    let (app, entry) = everything(site, store.clone(), &Gone(&server)).await;

    let join = noted(app.world.feedback.join_postgres(store.clone()));
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a client");
    tokio::spawn(connection);
    let transaction = client.transaction().await.expect("a transaction");
    let sent = app.message(AC).await;
    let recorded = noted(join.record(&transaction, JOINED_ID, sent).await.expect("an answer"));
    let confirmed = noted(join.confirm(&transaction, JOINED_ID).await.expect("an answer"));
    transaction.commit().await.expect("a commit");
    noted((noted(recorded).committed(), noted(confirmed).committed()));

    // Its log quotes the row that a constraint forbids.
    server.sql(
        "postgres",
        "ALTER TABLE feedback.message ADD CONSTRAINT nothing CHECK (sent_at < 0) NOT VALID",
    );
    let transaction = client.transaction().await.expect("a transaction");
    let sent = app.message(AC).await;
    let error = join.record(&transaction, RECORDED_ID, sent).await.expect_err("the constraint");
    noted_error(error);
    drop(transaction);
    nobody_told();

    all_types_were_shown(&["Postgres", "postgres"], &[]);
    let log = server.log();
    assert!(log.contains("Failing row contains"), "{log}");
    let hash = as_uuid(entry.key.as_bytes());
    assert!(holds(log.as_bytes(), hash.as_bytes()), "what statements are given is logged");
    Search::for_markers().finds_nothing_in("the log of PostgreSQL", log.as_bytes());

    app.world.feedback.shutdown(Duration::from_secs(5)).await;
    drop((app, join, client, store));
    server.sql("postgres", "CHECKPOINT");
    let written = |server: &Postgres| files::written_since(begun, &server.data());
    at_rest("PostgreSQL's folder, at work", &written(&server), &entry);
    server.stop();
    at_rest("PostgreSQL's folder, at rest", &written(&server), &entry);
    Search::for_markers().finds_nothing_in("the log of PostgreSQL", server.log().as_bytes());
}
