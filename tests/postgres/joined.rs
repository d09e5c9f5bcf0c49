//! Recording and confirming in the application's own transaction.

use tower_message_feedback::store::{
    ConfirmOutcome, ConfirmTarget, FeedbackStore, PostgresStore, RecordOutcome,
    postgres::tokio_postgres::Client,
};

use crate::support::{
    by_id, connect, fresh, is_queued, lease, message, message_of, record, said, server, status,
};

/// The application's own table, beside the store's.
async fn application(store: &PostgresStore) -> Client {
    let client = connect(&server().url()).await;
    client
        .batch_execute(&format!("CREATE TABLE {}.login (name text)", store.schema()))
        .await
        .expect("a table");
    client
}

async fn logins(store: &PostgresStore) -> i64 {
    let client = store.pool().get().await.expect("a connection");
    let sql = format!("SELECT count(*) FROM {}.login", store.schema());
    client.query_one(&sql, &[]).await.expect("a count").get(0)
}

fn insert(store: &PostgresStore) -> String {
    format!("INSERT INTO {}.login VALUES ('somebody')", store.schema())
}

#[tokio::test]
async fn what_commits_is_queued_along_with_the_applications_own_change() {
    let store = fresh().await;
    let mut client = application(&store).await;
    let transaction = client.transaction().await.expect("a transaction");
    transaction.batch_execute(&insert(&store)).await.expect("a row");
    let recorded = store.record_in(&transaction, &[message(1)]).await.expect("an answer");
    assert_eq!(recorded, [RecordOutcome::Inserted]);
    let confirmed = store.confirm_in(&transaction, &[by_id(1), by_id(2)]).await;
    assert_eq!(confirmed.expect("an answer"), [ConfirmOutcome::Queued, ConfirmOutcome::Unknown]);
    // Nobody sees it yet.
    assert_eq!((status(&store, 1).await, logins(&store).await), (None, 0));
    assert!(lease(&store, 10).await.is_empty());
    transaction.commit().await.expect("a commit");
    assert_eq!((is_queued(&store, 1).await, logins(&store).await), (true, 1));
    assert_eq!(lease(&store, 10).await.len(), 1);
}

#[tokio::test]
async fn what_is_rolled_back_never_was() {
    let store = fresh().await;
    let mut client = application(&store).await;
    record(&store, 1..2).await;
    let transaction = client.transaction().await.expect("a transaction");
    // An account that was never seen: its number must not outlive the rollback.
    let outcomes = store.record_in(&transaction, &[message_of(7, 2)]).await.expect("an answer");
    assert_eq!(outcomes, [RecordOutcome::Inserted]);
    let targets = [by_id(1), by_id(2), ConfirmTarget::Message(message_of(8, 3))];
    let outcomes = store.confirm_in(&transaction, &targets).await.expect("an answer");
    assert_eq!(outcomes, [ConfirmOutcome::Queued; 3]);
    transaction.rollback().await.expect("a rollback");
    assert!(!is_queued(&store, 1).await);
    assert_eq!((status(&store, 2).await, status(&store, 3).await), (None, None));
    let outcomes = store.record(&[message_of(7, 2)]).await.expect("an answer");
    assert_eq!(outcomes, [RecordOutcome::Inserted]);
    let outcomes = store.confirm(&targets).await.expect("an answer");
    assert_eq!(outcomes, [ConfirmOutcome::Queued; 3]);
    let entries = lease(&store, 10).await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries.iter().filter(|entry| entry.account == message_of(7, 0).account).count(), 1);
}

/// If the application's transactions hold every connection of a pool that they
/// share with the store, a new account's number is part of the transaction.
#[tokio::test]
async fn a_pool_without_a_free_connection_is_no_dead_end() {
    let schema = fresh().await.schema().to_owned();
    let store = crate::support::builder(&schema).max_connections(1).build().expect("a store");
    for commit in [false, true] {
        let mut client = store.pool().get().await.expect("a connection");
        let transaction = client.transaction().await.expect("a transaction");
        let outcomes = store.record_in(&transaction, &[message_of(9, 1)]).await.expect("an answer");
        assert_eq!(outcomes, [RecordOutcome::Inserted]);
        if commit {
            transaction.commit().await.expect("a commit");
        } else {
            transaction.rollback().await.expect("a rollback");
        }
    }
    let found = store.by_sid(&[crate::support::sid(1)]).await.expect("an answer").remove(0);
    assert_eq!(found.expect("known").account, message_of(9, 1).account);
}

/// As long as a connection is free, a new account's number is no part of a
/// transaction: whoever meets the account next need not wait for its end.
#[tokio::test]
async fn an_open_transaction_holds_up_nobody_elses_first_message_of_an_account() {
    let other = fresh().await;
    let builder = crate::support::builder(other.schema()).max_connections(1);
    let store = builder.build().expect("a store");
    // Its only connection is there, and free.
    record(&store, 0..1).await;
    let mut client = application(&store).await;
    let transaction = client.transaction().await.expect("a transaction");
    store.record_in(&transaction, &[message_of(9, 1)]).await.expect("an answer");
    let outcomes = other.record(&[message_of(9, 2)]).await.expect("an answer");
    assert_eq!(outcomes, [RecordOutcome::Inserted]);
    transaction.rollback().await.expect("a rollback");
}

#[tokio::test]
async fn an_error_leaves_the_transaction_as_it_was() {
    let store = fresh().await;
    let mut client = application(&store).await;
    record(&store, 1..2).await;
    let admin = connect(&server().url()).await;
    let outbox = format!("ALTER TABLE {}.outbox", store.schema());
    admin.batch_execute(&format!("{outbox} RENAME TO away")).await.expect("a change");
    let transaction = client.transaction().await.expect("a transaction");
    transaction.batch_execute(&insert(&store)).await.expect("a row");
    let error = store.confirm_in(&transaction, &[by_id(1)]).await.expect_err("no outbox");
    assert!(said(&error).contains("42P01"), "{}", said(&error));
    let away = format!("ALTER TABLE {}.away RENAME TO outbox", store.schema());
    // The failed statement holds no lock any more.
    admin.batch_execute(&away).await.expect("a change");
    let outcomes = store.confirm_in(&transaction, &[by_id(1)]).await.expect("an answer");
    assert_eq!(outcomes, [ConfirmOutcome::Queued]);
    transaction.commit().await.expect("a commit");
    assert_eq!((is_queued(&store, 1).await, logins(&store).await), (true, 1));
}

#[tokio::test]
async fn without_a_transaction_nothing_is_done() {
    let store = fresh().await;
    let client = application(&store).await;
    record(&store, 1..2).await;
    for error in [
        store.confirm_in(&client, &[by_id(1)]).await.expect_err("no transaction"),
        store.record_in(&client, &[message(2)]).await.expect_err("no transaction"),
    ] {
        assert!(said(&error).contains("no transaction is open"), "{}", said(&error));
    }
    assert!(!is_queued(&store, 1).await);
    assert_eq!(status(&store, 2).await, None);
    // A client in which the application has begun one itself will do.
    client.batch_execute("BEGIN").await.expect("a transaction");
    store.confirm_in(&client, &[by_id(1)]).await.expect("an answer");
    client.batch_execute("COMMIT").await.expect("a commit");
    assert!(is_queued(&store, 1).await);
    // One that has failed already will not.
    client.batch_execute("BEGIN; SELECT 1").await.expect("a transaction");
    client.batch_execute("SELECT 1/0").await.expect_err("an error");
    let error = store.confirm_in(&client, &[by_id(1)]).await.expect_err("it has failed");
    assert!(said(&error).contains("25P02"), "{}", said(&error));
}

#[tokio::test]
async fn transactions_of_both_crates_will_do_and_the_future_can_be_spawned() {
    let store = std::sync::Arc::new(fresh().await);
    record(&store, 1..3).await;
    let spawned = store.clone();
    tokio::spawn(async move {
        let mut client = spawned.pool().get().await.expect("a connection");
        let mut transaction = client.transaction().await.expect("a transaction");
        spawned.confirm_in(&transaction, &[by_id(1)]).await.expect("an answer");
        // In a savepoint of the application's.
        let inner = transaction.transaction().await.expect("a savepoint");
        spawned.confirm_in(&inner, &[by_id(2)]).await.expect("an answer");
        inner.rollback().await.expect("a rollback");
        transaction.commit().await.expect("a commit");
    })
    .await
    .expect("a task");
    assert_eq!((is_queued(&store, 1).await, is_queued(&store, 2).await), (true, false));
}

/// Above READ COMMITTED the server refuses what it cannot serialize; the
/// application's own retry of its transaction is the answer.
#[tokio::test]
async fn a_transaction_that_cannot_be_serialized_is_an_error_and_can_go_on() {
    let store = fresh().await;
    let client = application(&store).await;
    record(&store, 1..3).await;
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .await
        .expect("a transaction");
    assert_eq!(crate::support::confirm(&store, 1).await, ConfirmOutcome::Queued);
    let error = store.confirm_in(&client, &[by_id(1)]).await.expect_err("it came too late");
    assert!(said(&error).contains("40001"), "{}", said(&error));
    store.confirm_in(&client, &[by_id(2)]).await.expect("an answer");
    client.batch_execute("COMMIT").await.expect("a commit");
    assert!(is_queued(&store, 2).await);
    assert_eq!(lease(&store, 10).await.len(), 2);
}
