//! Another connection holds the file's lock.

use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tower_message_feedback::store::{
    ConfirmOutcome, FeedbackStore, LedgerStatus, RecordOutcome, SqliteStore,
    sqlite::rusqlite::{Connection, ErrorCode, ffi},
};

use crate::support::{Fixture, by_id, message, ok, sqlite_error, text};

const SHORT: Duration = Duration::from_millis(200);

fn lock(fixture: &Fixture) -> Connection {
    let connection = fixture.connection();
    connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    connection
}

fn unlock(connection: &Connection) {
    connection.execute_batch("ROLLBACK").expect("the end");
}

async fn impatient() -> Fixture {
    Fixture::with(|builder| builder.busy_timeout(SHORT)).await
}

#[tokio::test]
async fn a_lock_that_stays_is_an_error_that_says_so_and_the_store_works_again() {
    let fixture = impatient().await;
    fixture.record(1).await;
    let other = lock(&fixture);
    for _ in 0..2 {
        let begun = Instant::now();
        let error = fixture.store.confirm(&[by_id(1)]).await.expect_err("locked");
        assert!(begun.elapsed() >= SHORT, "it gave up early");
        assert!(sqlite_error(&error).is_locked());
        assert!(!error.is_timeout());
        assert!(text(&error).contains("another connection held the file's lock for 200ms"));
        let code = sqlite_error(&error).source().and_then(|code| code.downcast_ref::<ffi::Error>());
        assert_eq!(code.map(|code| code.code), Some(ErrorCode::DatabaseBusy));
    }
    unlock(&other);
    assert_eq!(fixture.confirm(1).await, ConfirmOutcome::Queued);
    fixture.is_sound();
}

#[tokio::test]
async fn a_lock_that_goes_in_time_is_waited_for() {
    let fixture = Fixture::new().await;
    fixture.record(1).await;
    let other = lock(&fixture);
    let confirm = async {
        let outcome = fixture.confirm(1).await;
        (outcome, Instant::now())
    };
    let release = async {
        tokio::time::sleep(SHORT).await;
        let released = Instant::now();
        unlock(&other);
        released
    };
    let ((outcome, answered), released) = tokio::join!(confirm, release);
    assert_eq!(outcome, ConfirmOutcome::Queued);
    assert!(answered > released);
}

#[tokio::test]
async fn look_ups_wait_for_nobody_who_writes() {
    let fixture = impatient().await;
    fixture.queue(1).await;
    let other = lock(&fixture);
    other.execute("DELETE FROM tmf_message", []).expect("a change that is not committed");
    assert!(matches!(fixture.status(1).await, Some(LedgerStatus::Queued { .. })));
    assert_eq!(fixture.sizes().await, (1, 1, 0));
    unlock(&other);
}

#[tokio::test]
async fn those_who_wait_for_one_lock_wait_together() {
    let fixture = impatient().await;
    let other = lock(&fixture);
    let begun = Instant::now();
    let asked = (0..50).map(|n| {
        let store = &fixture.store;
        async move { store.record(&[message(n)]).await }
    });
    for answer in join_all(asked).await {
        assert!(sqlite_error(&answer.expect_err("locked")).is_locked());
    }
    // One by one it would be 50 times as long.
    assert!(begun.elapsed() < SHORT * 20, "{:?}", begun.elapsed());
    unlock(&other);
    assert_eq!(fixture.sizes().await, (0, 0, 0));
    assert_eq!(ok(fixture.store.record(&[message(1)])).await, [RecordOutcome::Inserted]);
}

#[tokio::test]
async fn what_is_asked_meanwhile_is_one_commit() {
    let fixture = Fixture::new().await;
    let log = || {
        let path = fixture.directory.path().join("feedback.db-wal");
        fs::metadata(path).expect("the log").len()
    };
    let other = lock(&fixture);
    let before = log();
    let messages: Vec<_> = (0..50).map(|n| [message(n)]).collect();
    let asked = join_all(messages.iter().map(|message| fixture.store.record(message)));
    let (answers, ()) = tokio::join!(asked, async { unlock(&other) });
    for answer in answers {
        assert_eq!(answer.expect("an answer"), [RecordOutcome::Inserted]);
    }
    // Each commit adds at least one page to the log.
    let pages = (log() - before) / 4096;
    assert!(pages < 50, "{pages} pages");
    fixture.is_sound();
}

#[tokio::test]
async fn a_file_that_is_locked_when_it_is_migrated_is_an_error_that_says_so() {
    let fixture = impatient().await;
    let other = lock(&fixture);
    let error = fixture.builder.migrate().await.expect_err("locked");
    assert!(sqlite_error(&error).is_locked());
    // Opening writes nothing.
    fixture.builder.clone().open().await.expect("a store");
    unlock(&other);
    fixture.builder.migrate().await.expect("nothing to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_rests_leaves_room_for_others() {
    let busy = Fixture::new().await;
    let file = busy.directory.file();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let store = std::sync::Arc::new(busy.store);
    let load: Vec<_> = (0..32)
        .map(|task| {
            let (store, stopped) = (store.clone(), stopped.clone());
            tokio::spawn(async move {
                let mut n = task;
                while !*stopped.borrow() {
                    ok(store.record(&[message(n)])).await;
                    n += 32;
                }
            })
        })
        .collect();
    // Another store object, and an application's own connection with the wait
    // that SQLite has.
    let other = SqliteStore::open(&file).await.expect("a store");
    let connection = Connection::open(&file).expect("a connection");
    connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    connection.execute_batch("CREATE TABLE user (id INTEGER PRIMARY KEY)").expect("a turn");
    for n in 0..20 {
        assert_eq!(ok(other.record(&[message(1_000_000 + n)])).await, [RecordOutcome::Inserted]);
        connection.execute("INSERT INTO user DEFAULT VALUES", []).expect("a turn");
    }
    stop.send(true).expect("tasks");
    for task in load {
        task.await.expect("no panic");
    }
}
