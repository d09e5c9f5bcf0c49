//! The tables of the version before, with its rows in them and its processes
//! still at work.

use std::{sync::Arc, time::Duration};

use tower_message_feedback::{
    CorrelationKey, ManualClock,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, Failure, FailureKind, FeedbackStore, LeaseRequest,
        LeaseToken, LedgerStatus, RecordOutcome, ResendOutcome, Resends, SettleOutcome, SettledAs,
        Settlement, SqliteStore, SqliteStoreBuilder,
        sqlite::rusqlite::{Connection, params},
    },
};

use crate::support::{
    Directory, LEASE, START, account, contains, message, ok, seconds, sid, sqlite_error, status,
    text,
};

const V1: &str = include_str!("v1.sql");

fn version(connection: &Connection) -> (i64, i64) {
    let sql = "SELECT version, compatible_from FROM tmf_store";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a version")
}

/// A file as version 1 left it.
fn version_1() -> (Directory, Connection, SqliteStoreBuilder, ManualClock) {
    let directory = Directory::new();
    let connection = Connection::open(directory.file()).expect("a file");
    connection.execute_batch(V1).expect("version 1");
    let time = ManualClock::new(START + seconds(10));
    let builder = SqliteStore::builder(directory.file()).clock(time.clock());
    (directory, connection, builder, time)
}

fn by_key(n: u8) -> ConfirmTarget {
    let keys = CorrelationKey::from_bytes([n; 16]).into();
    ConfirmTarget::Id { keys, resends: Resends::Newest }
}

#[tokio::test]
async fn an_older_file_is_refused_until_it_is_migrated() {
    let (_directory, connection, builder, _) = version_1();
    let error = builder.clone().open().await.expect_err("an old file");
    assert!(sqlite_error(&error).needs_migration());
    assert!(text(&error).contains("version 1") && text(&error).contains("run `migrate`"));
    builder.migrate().await.expect("a migration");
    assert_eq!(version(&connection), (4, 1));
    builder.open().await.expect("a store");
}

#[tokio::test]
async fn what_the_version_before_wrote_is_read() {
    let (_directory, _connection, builder, time) = version_1();
    builder.migrate().await.expect("a migration");
    let store = builder.open().await.expect("a store");

    let at = |n| START + seconds(n);
    assert_eq!(status(&store, 1).await, Some(LedgerStatus::Pending));
    let delivered = LedgerStatus::delivered(at(1), at(2), Attempts::new(1, 0));
    assert_eq!(status(&store, 2).await, Some(delivered));
    let failure = Failure::new(FailureKind::NotFound, Some(404), Some(20404));
    let dead = LedgerStatus::dead(at(1), at(3), Attempts::new(4, 3), failure);
    assert_eq!(status(&store, 3).await, Some(dead));
    assert_eq!(status(&store, 4).await, Some(LedgerStatus::queued(at(1), Attempts::new(2, 1))));
    let counts = ok(store.counts()).await;
    assert_eq!((counts.messages, counts.outbox, counts.dead_letters), (4, 1, 1));
    let letters = ok(store.dead_letters(None, 10)).await;
    assert_eq!(letters.iter().map(|letter| letter.sid).collect::<Vec<_>>(), [sid(3)]);

    // The lease of the version before holds, and no token comes twice.
    let lease = LeaseRequest::new(10, LEASE);
    assert!(ok(store.lease(&lease)).await.entries.is_empty());
    time.advance(seconds(20));
    let entry = ok(store.lease(&lease)).await.entries.remove(0);
    assert_eq!(
        (entry.sid, entry.account, entry.attempts),
        (sid(4), account(0), Attempts::new(2, 1))
    );
    assert_eq!(entry.token, LeaseToken::new(8));

    assert_eq!(ok(store.confirm(&[by_key(1)])).await, [ConfirmOutcome::Queued]);
    assert_eq!(ok(store.confirm(&[by_key(2)])).await, [ConfirmOutcome::AlreadyConfirmed]);
    assert_eq!(ok(store.resend(&[sid(3)])).await, [ResendOutcome::Queued]);
    let settled = Settlement::new(&entry, entry.attempts, SettledAs::Delivered);
    assert_eq!(ok(store.settle(&[settled])).await, [SettleOutcome::Settled]);
}

/// The statements with which version 1 records, confirms, leases and settles.
mod statements_of_version_1 {
    use super::*;

    pub(super) fn record(connection: &Connection, n: u8) {
        let mut sid = [0; 17];
        sid[16] = n;
        let at = START.as_millis();
        connection
            .execute(
                "INSERT INTO tmf_message (key, sid, account, base_url, sent_at, expires_at) \
                 VALUES (?1, ?2, 1, 1, ?3, ?4)",
                params![[n; 16], sid, at, at + 3_600_000],
            )
            .expect("a record");
        connection.execute("UPDATE tmf_store SET messages = messages + 1", []).expect("a count");
    }

    pub(super) fn confirm(connection: &Connection, n: u8) {
        let id: i64 = connection
            .query_row(
                "SELECT id FROM tmf_message WHERE key = ?1 AND state = 0 \
                 ORDER BY sent_at DESC, id DESC LIMIT 1",
                params![[n; 16]],
                |row| row.get(0),
            )
            .expect("a message");
        let at = START.as_millis();
        connection
            .execute(
                "INSERT INTO tmf_outbox (message, account, due_at, confirmed_at, queued_at) \
                 VALUES (?1, 1, ?2, ?2, ?2)",
                [id, at],
            )
            .expect("an entry");
        connection.execute("UPDATE tmf_message SET state = 3 WHERE id = ?1", [id]).expect("a mark");
        connection.execute("UPDATE tmf_store SET outbox = outbox + 1", []).expect("a count");
    }

    pub(super) fn deliver(connection: &Connection) -> usize {
        let at = START.as_millis();
        let leased: Vec<(i64, i64)> = connection
            .prepare("SELECT id, message FROM tmf_outbox WHERE account = 1 AND due_at <= ?1")
            .expect("a statement")
            .query_map([at + 60_000], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("a query")
            .collect::<Result<_, _>>()
            .expect("entries");
        for (entry, message) in &leased {
            connection.execute("DELETE FROM tmf_outbox WHERE id = ?1", [entry]).expect("an end");
            connection
                .execute(
                    "INSERT INTO tmf_settled (message, confirmed_at, settled_at, attempts, \
                     not_found, failure, status, code) VALUES (?1, ?2, ?2, 1, 0, NULL, NULL, NULL)",
                    [*message, at],
                )
                .expect("an end");
            connection
                .execute(
                    "UPDATE tmf_message SET state = 1, expires_at = ?2 WHERE id = ?1",
                    [*message, at + 3_600_000],
                )
                .expect("a mark");
            connection.execute("UPDATE tmf_store SET outbox = outbox - 1", []).expect("a count");
        }
        leased.len()
    }
}

#[tokio::test]
async fn a_process_of_the_version_before_works_on_beside_the_new_one() {
    let (_directory, old, builder, _) = version_1();
    builder.migrate().await.expect("a migration");
    let store = builder.open().await.expect("a store");

    // Either confirms what the other has recorded, and delivers what it confirmed.
    statements_of_version_1::record(&old, 11);
    assert_eq!(ok(store.confirm(&[by_key(11)])).await, [ConfirmOutcome::Queued]);
    let mut labelled = message(12);
    (labelled.key, labelled.account) = (CorrelationKey::from_bytes([12; 16]), account(0));
    labelled.segment = "login".into();
    assert_eq!(ok(store.record(&[labelled])).await, [RecordOutcome::Inserted]);
    statements_of_version_1::confirm(&old, 12);
    // Message 4 was queued from the start.
    assert_eq!(statements_of_version_1::deliver(&old), 3);
    for n in [11, 12] {
        assert!(matches!(status(&store, n).await, Some(LedgerStatus::Delivered { .. })), "{n}");
    }
    let entry = ok(store.by_sid(&[sid(12)])).await.remove(0).expect("message 12");
    assert_eq!(entry.label(), Some("login"));
    statements_of_version_1::record(&old, 13);
    statements_of_version_1::confirm(&old, 13);
    let leased = ok(store.lease(&LeaseRequest::new(10, LEASE))).await.entries;
    assert_eq!(leased.iter().map(|entry| entry.sid).collect::<Vec<_>>(), [sid(13)]);
    let counts = ok(store.counts()).await;
    assert_eq!((counts.messages, counts.outbox, counts.dead_letters), (7, 1, 1));
}

#[tokio::test]
async fn a_version_that_is_too_new_is_refused_and_one_that_is_compatible_is_not() {
    let (_directory, connection, builder, _) = version_1();
    builder.migrate().await.expect("a migration");
    connection
        .execute("UPDATE tmf_store SET version = 9, compatible_from = 4", [])
        .expect("a later version that still can");
    builder.migrate().await.expect("nothing to do");
    let store = builder.clone().open().await.expect("a store");
    assert_eq!(version(&connection), (9, 4));

    connection
        .execute("UPDATE tmf_store SET compatible_from = 5", [])
        .expect("a later version that cannot");
    for error in [
        builder.clone().open().await.map(drop).expect_err("too new to open"),
        builder.migrate().await.expect_err("too new to migrate"),
        // A process that was there before notices, too.
        store.confirm(&[by_key(1)]).await.map(drop).expect_err("too new to write"),
        store.counts().await.map(drop).expect_err("too new to read"),
    ] {
        assert!(!sqlite_error(&error).needs_migration());
        assert!(text(&error).contains("upgrade the crate"), "{}", text(&error));
    }
    assert_eq!(version(&connection), (9, 5));
    // If the later version takes that back, the store goes on.
    connection.execute("UPDATE tmf_store SET compatible_from = 2", []).expect("taken back");
    assert_eq!(ok(store.confirm(&[by_key(1)])).await, [ConfirmOutcome::Queued]);
}

async fn migrate_at_once(builder: &SqliteStoreBuilder, many: usize) {
    let barrier = Arc::new(tokio::sync::Barrier::new(many));
    let tasks: Vec<_> = (0..many)
        .map(|_| {
            let (builder, barrier) = (builder.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                builder.migrate().await?;
                builder.open().await
            })
        })
        .collect();
    for task in tasks {
        if let Err(error) = task.await.expect("no panic") {
            panic!("{}", text(&error));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_start_at_once_make_the_tables_once() {
    for _ in 0..5 {
        let directory = Directory::new();
        let builder = SqliteStore::builder(directory.file()).busy_timeout(Duration::from_secs(60));
        migrate_at_once(&builder, 12).await;
        let connection = Connection::open(directory.file()).expect("a connection");
        assert_eq!(version(&connection), (4, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_start_at_once_upgrade_the_tables_once() {
    for _ in 0..5 {
        let (_directory, connection, builder, _) = version_1();
        migrate_at_once(&builder.busy_timeout(Duration::from_secs(60)), 12).await;
        assert_eq!(version(&connection), (4, 1));
    }
}

#[tokio::test]
async fn a_migrated_file_has_the_tables_of_a_new_one() {
    let (_old, upgraded, builder, _) = version_1();
    builder.migrate().await.expect("a migration");
    let directory = Directory::new();
    SqliteStore::migrate(directory.file()).await.expect("tables");
    let new = Connection::open(directory.file()).expect("a connection");
    let tables = |connection: &Connection| -> Vec<(String, Option<String>)> {
        connection
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .expect("a statement")
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("a query")
            .collect::<Result<_, _>>()
            .expect("tables")
    };
    assert_eq!(tables(&upgraded), tables(&new));
    assert!(contains(V1.as_bytes(), b"tmf_settled"), "the fixture is what it says");
}
