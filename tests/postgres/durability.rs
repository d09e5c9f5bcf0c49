//! What a confirm's answer survives, whatever the session says.

use tower_message_feedback::store::{ConfirmOutcome, Durability, FeedbackStore, SettledAs};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    log::Log,
    servers::Postgres,
    support::{
        builder_on, by_id, confirm, connect, fresh, fresh_schema, lease, message, migrated, record,
        settle, synced_server,
    },
};

#[tokio::test]
async fn a_server_that_does_not_sync_is_not_taken_for_one_that_does() {
    let (log, _guard) = Log::of(LevelFilter::WARN);
    let store = migrated(builder_on(synced_server().url(), &fresh_schema())).await;
    store.check().await.expect("tables");
    assert_eq!(store.durability(), Durability::Synced);
    assert!(!log.text().contains("fsync"), "{}", log.text());
    // The shared server has fsync off.
    let store = fresh().await;
    store.check().await.expect("tables");
    assert_eq!(store.durability(), Durability::Process);
    assert!(log.text().contains("fsync or full_page_writes is off"), "{}", log.text());
}

/// A role whose commits are not synchronous, and a store of its own.
async fn careless(setting: &str) -> (tower_message_feedback::store::PostgresStore, String) {
    let schema = fresh_schema();
    let admin = connect(&synced_server().url()).await;
    admin
        .batch_execute(&format!(
            "CREATE ROLE {schema} SUPERUSER LOGIN;
             ALTER ROLE {schema} SET synchronous_commit = {setting}"
        ))
        .await
        .expect("a role");
    let url = synced_server().url().replace("postgres@", &format!("{schema}@"));
    (migrated(builder_on(url.clone(), &schema)).await, url)
}

#[tokio::test]
async fn a_confirm_is_synchronous_inside_a_careless_transaction() {
    for (setting, expected) in
        [("off", "on"), ("local", "on"), ("remote_write", "remote_write"), ("on", "on")]
    {
        let (store, url) = careless(setting).await;
        record(&store, 1..2).await;
        let mut client = connect(&url).await;
        let transaction = client.transaction().await.expect("a transaction");
        let shown = "SHOW synchronous_commit";
        let before: String = transaction.query_one(shown, &[]).await.expect("a row").get(0);
        assert_eq!(before, setting);
        store.record_in(&transaction, &[message(2)]).await.expect("an answer");
        store.confirm_in(&transaction, &[by_id(1)]).await.expect("an answer");
        let inside: String = transaction.query_one(shown, &[]).await.expect("a row").get(0);
        assert_eq!(inside, expected);
        transaction.commit().await.expect("a commit");
        // The session is left as it was.
        let after: String = client.query_one(shown, &[]).await.expect("a row").get(0);
        assert_eq!(after, setting);
    }
}

/// How much of the log is written but not synced.
async fn unsynced(client: &tokio_postgres::Client) -> i64 {
    let sql = "SELECT (pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn())::int8";
    client.query_one(sql, &[]).await.expect("a row").get(0)
}

/// Where the log was synced up to.
async fn synced_to(client: &tokio_postgres::Client) -> i64 {
    let sql = "SELECT (pg_current_wal_flush_lsn() - '0/0')::int8";
    client.query_one(sql, &[]).await.expect("a row").get(0)
}

/// Where it ends.
async fn written_to(client: &tokio_postgres::Client) -> i64 {
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8";
    client.query_one(sql, &[]).await.expect("a row").get(0)
}

#[tokio::test]
async fn a_record_and_a_confirm_are_on_disk_when_they_are_answered_and_a_lease_is_not_waited_for() {
    // A server of its own: nobody else's commit syncs the log.
    let server = Postgres::options()
        .synced()
        .set("wal_writer_delay", "10s")
        .set("synchronous_commit", "off")
        .set("autovacuum", "off")
        .start();
    let store = migrated(builder_on(server.url(), &fresh_schema())).await;
    let client = connect(&server.url()).await;
    // An asynchronous commit stays behind: the measure can tell.
    client.batch_execute("CREATE TABLE x (y int)").await.expect("a table");
    let before = written_to(&client).await;
    client.batch_execute("INSERT INTO x VALUES (1)").await.expect("a row");
    assert!(written_to(&client).await > before && unsynced(&client).await > 0);

    for n in 1..20 {
        let before = written_to(&client).await;
        record(&store, n..n + 1).await;
        assert!(synced_to(&client).await > before, "record {n}");
        let before = written_to(&client).await;
        assert_eq!(confirm(&store, n).await, ConfirmOutcome::Queued);
        assert!(synced_to(&client).await > before, "confirm {n}");
        let before = synced_to(&client).await;
        let entries = lease(&store, 10).await;
        assert_eq!(entries.len(), 1);
        settle(&store, &entries, SettledAs::Delivered).await;
        assert_eq!(synced_to(&client).await, before, "lease and settlement {n}");
    }
}

/// Resending and forgetting are promises, too.
#[tokio::test]
async fn a_dead_letter_that_is_queued_again_is_on_disk() {
    use tower_message_feedback::store::{Failure, FailureKind, ForgetTarget, ResendOutcome};
    let server = Postgres::options()
        .synced()
        .set("wal_writer_delay", "10s")
        .set("synchronous_commit", "off")
        .set("autovacuum", "off")
        .start();
    let store = migrated(builder_on(server.url(), &fresh_schema())).await;
    let client = connect(&server.url()).await;
    crate::support::queue(&store, 1..2).await;
    let dead = SettledAs::Dead(Failure::new(FailureKind::Rejected, None, None));
    settle(&store, &lease(&store, 1).await, dead).await;
    let before = written_to(&client).await;
    let sid = crate::support::sid(1);
    assert_eq!(store.resend(&[sid]).await.expect("an answer"), [ResendOutcome::Queued]);
    assert!(synced_to(&client).await > before);
    let before = written_to(&client).await;
    assert_eq!(store.forget(&[ForgetTarget::Message(sid)]).await.expect("an answer"), [1]);
    assert!(synced_to(&client).await > before);
}
