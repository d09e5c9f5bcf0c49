//! Opening a file, and what it finds there.

use std::{
    fs,
    future::{Future, poll_fn},
    task::Poll,
    time::Instant,
};

use tower_message_feedback::store::{
    Durability, FeedbackStore, LedgerStatus, RecordOutcome, SettleOutcome, SettledAs, SqliteStore,
    sqlite::{ConnectionRole, Synchronous, rusqlite::Connection},
};

use crate::support::{
    Directory, Fixture, LEASE, START, message, ok, seconds, sid, sqlite_error, status, text,
};

#[tokio::test]
async fn every_connection_syncs_as_the_builder_says() {
    for (synchronous, level, durability) in
        [(Synchronous::Full, 2, Durability::Synced), (Synchronous::Normal, 1, Durability::Process)]
    {
        let fixture = Fixture::with(|builder| builder.synchronous(synchronous)).await;
        let settings = fixture.store.settings().await.expect("settings");
        let roles: Vec<_> = settings.iter().map(|connection| connection.role).collect();
        assert_eq!(roles, [ConnectionRole::Writer, ConnectionRole::Reader]);
        for connection in settings {
            assert_eq!(connection.journal_mode, "wal");
            assert_eq!(connection.synchronous, level);
            assert!(connection.fullfsync && connection.secure_delete);
            assert_eq!(connection.busy_timeout.as_millis(), 5000);
        }
        assert_eq!(fixture.store.durability(), durability);
        assert!(fixture.store.poll_interval().is_some());
    }
}

#[tokio::test]
async fn full_sync_is_the_default() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.store.durability(), Durability::Synced);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made_by_opening_it() {
    let directory = Directory::new();
    let error = SqliteStore::open(directory.file()).await.expect_err("no file");
    assert!(text(&error).contains("`migrate` creates the file"), "{}", text(&error));
    assert!(!directory.file().exists());
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_not_made_at_all() {
    let directory = Directory::new();
    let error = SqliteStore::migrate(directory.path().join("none/feedback.db")).await;
    let error = error.expect_err("no directory");
    assert!(text(&error).contains("directory does not exist"), "{}", text(&error));
}

#[tokio::test]
async fn a_file_without_the_tables_names_the_fix() {
    let directory = Directory::new();
    let connection = Connection::open(directory.file()).expect("a file");
    connection.execute_batch("CREATE TABLE user (id INTEGER PRIMARY KEY)").expect("a table");
    let error = SqliteStore::open(directory.file()).await.expect_err("no tables");
    assert!(sqlite_error(&error).needs_migration());
    assert!(text(&error).contains("run `migrate`"), "{}", text(&error));
    // A database of the application's own is as good as any.
    SqliteStore::migrate(directory.file()).await.expect("tables");
    let store = SqliteStore::open(directory.file()).await.expect("a store");
    assert_eq!(ok(store.record(&[message(1)])).await, [RecordOutcome::Inserted]);
    assert_eq!(connection.execute("INSERT INTO user VALUES (1)", []), Ok(1));
}

#[tokio::test]
async fn a_file_that_is_no_database_stays_as_it_is() {
    let directory = Directory::new();
    let content = "what somebody wrote".repeat(1000);
    fs::write(directory.file(), &content).expect("a file");
    // What no lock keeps from succeeding is not tried again.
    let patience = seconds(20);
    let builder = SqliteStore::builder(directory.file()).busy_timeout(patience);
    let begun = Instant::now();
    for error in [
        builder.migrate().await.expect_err("no database"),
        builder.open().await.expect_err("no database"),
    ] {
        assert!(text(&error).contains("no SQLite database"), "{}", text(&error));
    }
    assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
    assert_eq!(fs::read_to_string(directory.file()).expect("the file"), content);
}

#[tokio::test]
async fn a_damaged_file_is_closed_and_a_sound_one_in_its_place_is_used() {
    let fixture = Fixture::new().await;
    fixture.record(1).await;
    let file = fixture.directory.file();
    let backup = fixture.directory.path().join("backup.db");
    let connection = fixture.connection();
    connection.execute("VACUUM INTO ?1", [backup.to_str()]).expect("a backup");
    // The store reads again what it has read of the file before.
    connection
        .execute_batch("CREATE TABLE user (id INTEGER); PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("a change");
    drop(connection);
    let length = fs::read(&file).expect("the file").len();
    fs::write(&file, vec![0xff; length]).expect("the damage");
    for error in [
        fixture.store.record(&[message(2)]).await.expect_err("damaged"),
        fixture.store.by_sid(&[sid(1)]).await.expect_err("damaged"),
    ] {
        assert!(text(&error).contains("the file is damaged"), "{}", text(&error));
    }
    // The last connection takes its log with it.
    let until = Instant::now() + seconds(20);
    while fixture.directory.path().join("feedback.db-wal").exists() {
        assert!(Instant::now() < until, "the damaged file is still open");
        tokio::task::yield_now().await;
    }
    fs::rename(&backup, &file).expect("a sound file");
    fixture.record(2).await;
    assert_eq!(fixture.status(1).await, Some(LedgerStatus::Pending));
    fixture.is_sound();
}

#[tokio::test]
async fn what_was_answered_is_there_when_the_file_is_opened_again() {
    let Fixture { store, builder, time, directory } = Fixture::new().await;
    let fixture = Fixture { store, builder, time, directory };
    for n in 1..=3 {
        fixture.queue(n).await;
    }
    fixture.record(4).await;
    let leased = fixture.lease(3).await;
    assert_eq!(fixture.settle(&leased[0], SettledAs::Delivered).await, SettleOutcome::Settled);
    let before = (fixture.sizes().await, ok(fixture.store.by_sid(&[leased[0].sid])).await);

    let Fixture { store, builder, time, directory } = fixture;
    drop(store);
    let store = builder.clone().open().await.expect("a store");
    let fixture = Fixture { store, builder, time, directory };
    let after = (fixture.sizes().await, ok(fixture.store.by_sid(&[leased[0].sid])).await);
    assert_eq!(before, after);
    assert_eq!(fixture.status(4).await, Some(LedgerStatus::Pending));
    // The leases of the process before hold until they run out, and are its own.
    assert!(fixture.lease(10).await.is_empty());
    fixture.time.advance(LEASE);
    let again = fixture.lease(10).await;
    assert_eq!(again.len(), 2);
    for entry in &again {
        assert!(leased.iter().all(|earlier| earlier.token != entry.token), "a token came back");
    }
    assert_eq!(fixture.settle(&leased[1], SettledAs::Delivered).await, SettleOutcome::LeaseLost);
    fixture.is_sound();
}

#[tokio::test]
async fn debug_and_settings_show_no_message() {
    let fixture = Fixture::new().await;
    fixture.record(1).await;
    for shown in [format!("{:?}", fixture.store), format!("{:?}", fixture.builder)] {
        assert!(shown.contains("feedback.db") && !shown.contains("SM0000"), "{shown}");
    }
}

#[tokio::test]
async fn a_dropped_store_does_what_it_was_asked_before_it_closes_the_file() {
    let fixture = Fixture::new().await;
    let other = fixture.again().await;
    {
        let messages: Vec<_> = (0..500).map(message).collect();
        let mut asked = Box::pin(other.record(&messages));
        // Polled once: the job is in the queue.
        let polled = poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
        assert!(polled.is_pending());
    }
    drop(other);
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while status(&fixture.store, 499).await.is_none() {
        assert!(tokio::time::Instant::now() < until, "the job was dropped");
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.sizes().await, (500, 0, 0));
    assert_eq!(fixture.time.now(), START);
}
