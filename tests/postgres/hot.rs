//! What the server has to do for it.

use std::time::Instant;

use tower_message_feedback::store::{ConfirmOutcome, FeedbackStore, LeaseRequest, SettledAs};

use crate::{
    servers::Postgres,
    support::{
        LEASE, builder_on, by_id, confirm, connect, lease, migrated, queue, record, server, settle,
        until,
    },
};

const SCHEMA: &str = "feedback";

/// Updates, and those of them that touched no index.
async fn updates(client: &tokio_postgres::Client, table: &str) -> (i64, i64) {
    let sql = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables \
               WHERE schemaname = $1 AND relname = $2";
    let row = client.query_one(sql, &[&SCHEMA, &table]).await.expect("a row");
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn confirms_and_leases_are_hot_updates() {
    // A server of its own: whatever writes on this one, in whichever database,
    // keeps it from clearing away.
    let database = Postgres::options().set("autovacuum", "off").start();
    let store = migrated(builder_on(database.url(), SCHEMA)).await;
    for batch in 0..10 {
        record(&store, batch * 100..(batch + 1) * 100).await;
    }
    for batch in 0..50 {
        // One by one, as users act: what an update leaves behind is cleared away
        // by the next on its page.
        for n in batch * 20..(batch + 1) * 20 {
            assert_eq!(confirm(&store, n).await, ConfirmOutcome::Queued);
        }
        let entries = lease(&store, 20).await;
        assert_eq!(entries.len(), 20);
        settle(&store, &entries, SettledAs::Delivered).await;
    }
    // Sessions report what they did when they end.
    drop(store);
    let client = connect(&database.url()).await;
    for table in ["message", "outbox"] {
        until("the statistics are in", || async { updates(&client, table).await.0 == 1000 }).await;
        let (all, hot) = updates(&client, table).await;
        // A page that is full for a moment may cost one now and then.
        assert!(hot * 100 >= all * 99, "{table}: {hot} of {all} updates are HOT");
    }
}

/// A session that sits in a transaction keeps the server from clearing away
/// entries that are gone; a lease must not step over all of them each time.
#[tokio::test]
async fn leases_stay_quick_while_a_session_sits_in_a_transaction() {
    let database = server().fresh_database();
    let store = migrated(builder_on(database.url(), SCHEMA)).await;
    queue(&store, 0..1).await;
    settle(&store, &lease(&store, 1).await, SettledAs::Delivered).await;
    let mut sitting = connect(&database.url()).await;
    let sitting = sitting.build_transaction();
    let sitting = sitting
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .expect("a transaction");
    sitting.batch_execute("SELECT 1").await.expect("a snapshot");
    let client = connect(&database.url()).await;
    client
        .batch_execute(&format!(
            "INSERT INTO {SCHEMA}.outbox (id, confirmed_at, due_at, account, source, sid)
             SELECT -n, 0, 0, 1, 1, int8send(n) FROM generate_series(1, 150000) n;
             DELETE FROM {SCHEMA}.outbox WHERE id < 0"
        ))
        .await
        .expect("entries that are gone");
    queue(&store, 1..501).await;
    let request = LeaseRequest::new(4, LEASE);
    let mut took = Vec::new();
    let mut had = Vec::new();
    for _ in 0..125 {
        let begun = Instant::now();
        let answer = store.lease(&request).await.expect("an answer");
        took.push(begun.elapsed());
        assert_eq!(answer.entries.len(), 4);
        settle(&store, &answer.entries, SettledAs::Delivered).await;
        had.extend(answer.entries.into_iter().map(|entry| entry.sid));
    }
    let expected: Vec<_> = (1..501).map(crate::support::sid).collect();
    assert_eq!(had, expected, "in the order of their confirms, and each once");
    let first = took[0];
    took.sort();
    let median = took[took.len() / 2];
    assert!(median * 4 < first, "the first look took {first:?}, leases in the middle {median:?}");
    // An account that is new, and that this process has confirmed for itself.
    let message = crate::support::message_of(6, 2000);
    store.record(std::slice::from_ref(&message)).await.expect("an answer");
    assert_eq!(confirm(&store, 2000).await, ConfirmOutcome::Queued);
    let entries = lease(&store, 4).await;
    assert_eq!(entries.iter().map(|entry| entry.account).collect::<Vec<_>>(), [message.account]);
    settle(&store, &entries, SettledAs::Delivered).await;
    // Another process's account, which this one has not seen, is not forgotten.
    let other = builder_on(database.url(), SCHEMA).build().expect("a store");
    let message = crate::support::message_of(5, 1000);
    other.record(std::slice::from_ref(&message)).await.expect("an answer");
    other.confirm(&[by_id(1000)]).await.expect("an answer");
    until("the entry is leased", || async { !lease(&store, 4).await.is_empty() }).await;
    sitting.rollback().await.expect("an end");
}

/// From a hundred thousand on the server's estimate serves.
#[tokio::test]
async fn more_entries_than_are_counted_are_estimated() {
    let database = server().fresh_database();
    let store = migrated(builder_on(database.url(), SCHEMA)).await;
    queue(&store, 0..1).await;
    let client = connect(&database.url()).await;
    client
        .batch_execute(&format!(
            "INSERT INTO {SCHEMA}.outbox (id, confirmed_at, due_at, account, source, sid)
             SELECT -n, 0, 0, 1, 1, int8send(n) FROM generate_series(1, 120000) n;
             ANALYZE {SCHEMA}.outbox"
        ))
        .await
        .expect("entries");
    let counts = store.counts().await.expect("an answer");
    assert!((119_000..121_000).contains(&counts.outbox), "{}", counts.outbox);
    assert_eq!((counts.messages, counts.dead_letters), (1, 0));
}
