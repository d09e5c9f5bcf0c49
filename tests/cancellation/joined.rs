//! What is done in the application's own transaction, dropped at each await: the transaction
//! can be rolled back, and is as if it had never been.

use std::{sync::Arc, time::Duration};

use tower_message_feedback::{
    Confirmation, Recorded,
    store::{
        FeedbackStore, PostgresStore, SqliteStore,
        postgres::tokio_postgres::{self, NoTls},
    },
};

use crate::{
    cut::at_each_await,
    servers::Postgres,
    support::{CORRELATION_KEY, Site, credentials, guarded},
};

#[tokio::test]
async fn in_postgres() {
    let url = tokio::task::spawn_blocking(|| Postgres::shared().url()).await.expect("a server");
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("connected");
    tokio::spawn(connection);
    let builder = PostgresStore::builder().url(url).schema("cancelled_joined").max_connections(2);
    let builder = builder.timeout(Duration::from_secs(60));
    let store = Arc::new(builder.build().expect("a store"));
    store.migrate().await.expect("tables");
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials()).correlation_key(CORRELATION_KEY);
    let builder = builder.store(store.clone()).store_timeout(Duration::from_secs(60));
    let feedback = builder.build().expect("a handle");
    let join = feedback.join_postgres(store.clone());
    let client = tokio::sync::Mutex::new(&mut client);

    let recording = at_each_await(async |cut| {
        let mut client = client.lock().await;
        let sent = site.sent().await;
        let transaction = client.transaction().await.expect("begun");
        cut.drive(join.record(&transaction, "1", sent.clone())).await;
        transaction.rollback().await.expect("rolled back");
        assert_eq!(guarded(feedback.lookup("1")).await.expect("an answer"), []);
        // The same connection goes on.
        let transaction = client.transaction().await.expect("begun");
        let recorded = guarded(join.record(&transaction, "1", sent)).await.expect("an answer");
        transaction.commit().await.expect("committed");
        assert_eq!(recorded.committed(), Recorded::Recorded);
        assert_eq!(guarded(feedback.forget("1")).await.expect("an answer"), 1);
    })
    .await;
    let confirming = at_each_await(async |cut| {
        let mut client = client.lock().await;
        let sent = site.sent().await;
        assert_eq!(guarded(feedback.record("1", sent)).await, Recorded::Recorded);
        let transaction = client.transaction().await.expect("begun");
        cut.drive(join.confirm(&transaction, "1")).await;
        transaction.rollback().await.expect("rolled back");
        assert_eq!(guarded(feedback.flush()).await.outbox, Some(0));
        let transaction = client.transaction().await.expect("begun");
        let confirmed = guarded(join.confirm(&transaction, "1")).await.expect("an answer");
        transaction.commit().await.expect("committed");
        assert_eq!(confirmed.committed(), Confirmation::Queued);
        assert_eq!(guarded(feedback.flush()).await.outbox, Some(0));
        assert_eq!(guarded(feedback.forget("1")).await.expect("an answer"), 1);
    })
    .await;
    assert!(recording > 1 && confirming > 1);
    let reported = site.twilio.confirmed().len();
    assert!(reported >= confirming, "once for each: {reported}");
    assert_eq!(store.counts().await.expect("an answer").messages, 0);
}

/// Joined, SQLite has no futures: what is dropped is the transaction alone.
#[tokio::test]
async fn in_sqlite() {
    let directory = crate::servers::fresh_directory(crate::servers::Place::Ram, "sqlite");
    let builder = SqliteStore::builder(directory.join("feedback.db"));
    builder.migrate().await.expect("tables");
    let store = Arc::new(builder.clone().open().await.expect("a store"));
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials()).correlation_key(CORRELATION_KEY);
    let feedback = builder.store(store.clone()).build().expect("a handle");
    let join = feedback.join_sqlite(store.clone());
    let mut connection = tower_message_feedback::store::sqlite::rusqlite::Connection::open(
        directory.join("feedback.db"),
    )
    .expect("a connection");
    let sent = site.sent().await;
    let transaction = connection.transaction().expect("begun");
    drop(join.record(&transaction, "1", sent.clone()).expect("an answer"));
    drop(join.confirm(&transaction, "1").expect("an answer"));
    drop(transaction);
    assert_eq!(guarded(feedback.lookup("1")).await.expect("an answer"), []);
    let transaction = connection.transaction().expect("begun");
    let recorded = join.record(&transaction, "1", sent).expect("an answer");
    let confirmed = join.confirm(&transaction, "1").expect("an answer");
    transaction.commit().expect("committed");
    assert_eq!(recorded.committed(), Recorded::Recorded);
    assert_eq!(confirmed.committed(), Confirmation::Queued);
    assert_eq!(guarded(feedback.flush()).await.outbox, Some(0));
    assert_eq!(site.twilio.confirmed().len(), 1);
}
