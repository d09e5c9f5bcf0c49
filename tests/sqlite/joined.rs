//! Recording and confirming in the application's own transactions.

use std::time::Duration;

use tower_message_feedback::store::{
    ConfirmOutcome, ConfirmTarget, FeedbackStore, LedgerStatus, RecordOutcome, StoreError,
    sqlite::{
        Synchronous,
        rusqlite::{Connection, TransactionBehavior::Immediate},
    },
};

use crate::support::{
    Directory, Fixture, START, by_id, message, ok, seconds, sid, sqlite_error, text,
};

/// The application's connection, with a table of its own.
fn application(fixture: &Fixture) -> Connection {
    let connection = fixture.connection();
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, verified INTEGER)")
        .expect("a table");
    connection
}

fn users(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM user", [], |row| row.get(0)).expect("a count")
}

fn refused<T>(answer: Result<T, StoreError>) -> StoreError {
    answer.map(drop).expect_err("a refusal")
}

#[tokio::test]
async fn what_is_recorded_and_confirmed_comes_with_the_commit() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    transaction.execute("INSERT INTO user VALUES (7, 1)", []).expect("a user");
    let recorded = fixture.store.record_in(&transaction, &[message(1), message(2), message(1)]);
    assert_eq!(
        recorded.expect("a record"),
        [RecordOutcome::Inserted, RecordOutcome::Inserted, RecordOutcome::AlreadyPresent]
    );
    let confirmed = fixture.store.confirm_in(&transaction, &[by_id(1), by_id(3), by_id(1)]);
    assert_eq!(
        confirmed.expect("a confirm"),
        [ConfirmOutcome::Queued, ConfirmOutcome::Unknown, ConfirmOutcome::AlreadyConfirmed]
    );
    // Nobody sees it before.
    assert_eq!(fixture.sizes().await, (0, 0, 0));
    transaction.commit().expect("a commit");
    assert_eq!(fixture.sizes().await, (2, 1, 0));
    let queued = LedgerStatus::queued(START, Default::default());
    assert_eq!(fixture.status(1).await, Some(queued));
    assert_eq!(fixture.lease(10).await[0].sid, sid(1));
    assert_eq!(users(&connection), 1);
    fixture.is_sound();
}

#[tokio::test]
async fn a_rollback_undoes_all_of_it() {
    let fixture = Fixture::new().await;
    fixture.record(1).await;
    let mut connection = application(&fixture);
    let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    fixture.store.record_in(&transaction, &[message(2)]).expect("a record");
    fixture.store.confirm_in(&transaction, &[by_id(1), by_id(2)]).expect("a confirm");
    transaction.rollback().expect("a rollback");
    assert_eq!(fixture.sizes().await, (1, 0, 0));
    assert_eq!(fixture.status(1).await, Some(LedgerStatus::Pending));
    assert_eq!(fixture.confirm(1).await, ConfirmOutcome::Queued);
    assert_eq!(fixture.confirm(2).await, ConfirmOutcome::Unknown);
    fixture.is_sound();
}

#[tokio::test]
async fn an_error_leaves_the_transaction_usable_and_undoes_its_own_call() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    connection
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON tmf_message WHEN NEW.expires_at = 0
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .expect("a trigger");
    let mut bad = message(3);
    bad.expires_at = tower_message_feedback::Timestamp::from_millis(0);
    let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    transaction.execute("INSERT INTO user VALUES (1, 1)", []).expect("a user");
    fixture.store.record_in(&transaction, &[message(1)]).expect("a record");
    refused(fixture.store.record_in(&transaction, &[message(2), bad.clone()]));
    refused(fixture.store.confirm_in(&transaction, &[by_id(1), ConfirmTarget::Message(bad)]));
    transaction.execute("INSERT INTO user VALUES (2, 1)", []).expect("another user");
    let again = fixture.store.confirm_in(&transaction, &[by_id(1)]).expect("a confirm");
    assert_eq!(again, [ConfirmOutcome::Queued]);
    transaction.commit().expect("a commit");
    assert_eq!(users(&connection), 2);
    assert_eq!(fixture.sizes().await, (1, 1, 0));
    assert_eq!(fixture.status(2).await, None);
    fixture.is_sound();
}

#[tokio::test]
async fn an_error_says_that_the_whole_transaction_is_rolled_back() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    connection
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON tmf_message
             BEGIN SELECT RAISE(ROLLBACK, 'refused'); END",
        )
        .expect("a trigger");
    let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    transaction.execute("INSERT INTO user VALUES (1, 1)", []).expect("a user");
    let error = refused(fixture.store.record_in(&transaction, &[message(1)]));
    assert!(text(&error).contains("rolled back the whole transaction"), "{}", text(&error));
    assert!(transaction.is_autocommit());
    drop(transaction);
    assert_eq!(users(&connection), 0);
    fixture.is_sound();
}

#[tokio::test]
async fn a_connection_that_may_not_write_is_told_so() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    connection.execute_batch("PRAGMA query_only = ON").expect("a setting");
    let transaction = connection.transaction().expect("a transaction");
    let error = refused(fixture.store.record_in(&transaction, &[message(1)]));
    assert!(text(&error).contains("is read-only"), "{}", text(&error));
}

#[tokio::test]
async fn the_applications_own_savepoints_go_on_around_it() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    let mut transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    fixture.store.record_in(&transaction, &[message(1)]).expect("a record");
    let savepoint = transaction.savepoint_with_name("tmf").expect("a savepoint");
    fixture.store.confirm_in(&savepoint, &[by_id(1)]).expect("a confirm");
    drop(savepoint);
    transaction.commit().expect("a commit");
    assert_eq!(fixture.sizes().await, (1, 0, 0));
    fixture.is_sound();
}

#[tokio::test]
async fn a_connection_without_a_transaction_is_refused() {
    let fixture = Fixture::new().await;
    let connection = application(&fixture);
    for error in [
        refused(fixture.store.record_in(&connection, &[message(1)])),
        refused(fixture.store.confirm_in(&connection, &[by_id(1)])),
    ] {
        assert!(text(&error).contains("no open transaction"), "{}", text(&error));
    }
    assert_eq!(fixture.sizes().await, (0, 0, 0));
}

#[tokio::test]
async fn another_file_is_refused_whatever_is_attached() {
    let fixture = Fixture::new().await;
    let other = Fixture::new().await;
    let elsewhere = Directory::new();
    let file = fixture.directory.file();
    for path in [other.directory.file(), elsewhere.file(), ":memory:".into(), "".into()] {
        let mut connection = Connection::open(path).expect("a connection");
        connection
            .execute("ATTACH ?1 AS feedback", [file.to_str().expect("a path")])
            .expect("attached");
        let transaction = connection.transaction().expect("a transaction");
        let error = refused(fixture.store.confirm_in(&transaction, &[by_id(1)]));
        assert!(text(&error).contains("not the store's file"), "{}", text(&error));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_the_same_by_whichever_name() {
    let fixture = Fixture::new().await;
    let link = fixture.directory.path().join("link.db");
    std::os::unix::fs::symlink(fixture.directory.file(), &link).expect("a link");
    let mut connection = Connection::open(link).expect("a connection");
    let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    fixture.store.record_in(&transaction, &[message(1)]).expect("a record");
    transaction.commit().expect("a commit");
    assert_eq!(fixture.sizes().await, (1, 0, 0));
}

#[tokio::test]
async fn a_connection_that_syncs_less_than_the_store_promises_is_refused() {
    for (promised, level, is_refused) in [
        (Synchronous::Full, "OFF", true),
        (Synchronous::Full, "NORMAL", true),
        (Synchronous::Full, "FULL", false),
        (Synchronous::Full, "EXTRA", false),
        (Synchronous::Normal, "OFF", true),
        (Synchronous::Normal, "NORMAL", false),
    ] {
        let fixture = Fixture::with(|builder| builder.synchronous(promised)).await;
        let mut connection = fixture.connection();
        connection.execute_batch(&format!("PRAGMA synchronous = {level}")).expect("a setting");
        let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
        let answer = fixture.store.record_in(&transaction, &[message(1)]);
        assert_eq!(answer.is_err(), is_refused, "{promised:?} with {level}");
        if is_refused {
            assert!(text(&refused(answer)).contains("PRAGMA synchronous did not take"));
        }
    }
}

#[tokio::test]
async fn a_transaction_that_has_read_what_has_changed_since_is_told_to_begin_otherwise() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    let transaction = connection.transaction().expect("a deferred transaction");
    assert_eq!(transaction.query_row("SELECT count(*) FROM user", [], |row| row.get(0)), Ok(0));
    fixture.record(1).await;
    let error = refused(fixture.store.record_in(&transaction, &[message(2)]));
    assert!(text(&error).contains("BEGIN IMMEDIATE"), "{}", text(&error));
    assert!(!sqlite_error(&error).is_locked());
    transaction.rollback().expect("a rollback");
    assert_eq!(fixture.sizes().await, (1, 0, 0));
}

#[tokio::test]
async fn a_deferred_transaction_that_begins_with_the_call_will_do() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    let transaction = connection.transaction().expect("a deferred transaction");
    fixture.store.record_in(&transaction, &[message(1)]).expect("a record");
    transaction.commit().expect("a commit");
    assert_eq!(fixture.sizes().await, (1, 0, 0));
}

#[tokio::test]
async fn a_lock_that_stays_is_an_error_of_the_applications_own_timeout() {
    let fixture = Fixture::new().await;
    let mut connection = application(&fixture);
    connection.busy_timeout(Duration::from_millis(50)).expect("a timeout");
    let other = fixture.connection();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let transaction = connection.transaction().expect("a deferred transaction");
    let error = refused(fixture.store.record_in(&transaction, &[message(1)]));
    assert!(sqlite_error(&error).is_locked(), "{}", text(&error));
    other.execute_batch("ROLLBACK").expect("the end");
    // The transaction has not begun to read: it may go on.
    fixture.store.record_in(&transaction, &[message(1)]).expect("a record");
    transaction.commit().expect("a commit");
    assert_eq!(fixture.sizes().await, (1, 0, 0));
}

#[tokio::test]
async fn the_bounds_hold_inside_a_transaction_too() {
    let fixture = Fixture::with(|builder| builder.max_messages(3).max_outbox(2)).await;
    for n in 1..=3 {
        let mut message = message(n);
        message.expires_at = START + seconds(100 + n);
        ok(fixture.store.record(&[message])).await;
    }
    let mut connection = application(&fixture);
    let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
    let confirmed = fixture.store.confirm_in(&transaction, &[by_id(1), by_id(2), by_id(3)]);
    use ConfirmOutcome::{Full, Queued};
    assert_eq!(confirmed.expect("a confirm"), [Queued, Queued, Full]);
    let recorded = fixture.store.record_in(&transaction, &[message(4), message(5)]);
    assert_eq!(recorded.expect("a record"), [RecordOutcome::Inserted; 2]);
    transaction.commit().expect("a commit");
    let mut known = Vec::new();
    for n in 1..=5 {
        known.extend(fixture.status(n).await.map(|_| n));
    }
    assert_eq!(known, [1, 2, 5]);
    assert_eq!(ok(fixture.store.counts()).await.evicted, 2);
    fixture.is_sound();
}

#[tokio::test]
async fn a_confirm_that_is_held_open_and_one_that_overlaps_it_queue_once() {
    for commits in [true, false] {
        let fixture = Fixture::new().await;
        fixture.record(1).await;
        let mut connection = application(&fixture);
        let transaction = connection.transaction_with_behavior(Immediate).expect("a transaction");
        let held = fixture.store.confirm_in(&transaction, &[by_id(1)]).expect("a confirm");
        assert_eq!(held, [ConfirmOutcome::Queued]);
        let overlaps = fixture.confirm(1);
        let ends = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if commits { transaction.commit() } else { transaction.rollback() }
        };
        let (outcome, end) = tokio::join!(overlaps, ends);
        end.expect("the end");
        let expected =
            if commits { ConfirmOutcome::AlreadyConfirmed } else { ConfirmOutcome::Queued };
        assert_eq!(outcome, expected);
        assert_eq!(fixture.sizes().await, (1, 1, 0));
        assert_eq!(fixture.lease(10).await.len(), 1);
    }
}
