//! The store under a handle: the application's own transactions, starting again,
//! and a new correlation key.

use std::sync::Arc;

use tower_message_feedback::{
    Confirmation, JoinSqlite, MessageFeedback, Recorded,
    store::{
        SqliteStore,
        sqlite::rusqlite::{Connection, TransactionBehavior::Immediate},
    },
};

use crate::{
    support::{Directory, seconds},
    world::{AC, CORRELATION_KEY, Site, World, credentials, guarded, settle_down},
};

const OLD: &[u8] = CORRELATION_KEY;
const NEW: &[u8] = b"another correlation key, as long";

struct Joined {
    world: World,
    join: JoinSqlite,
    connection: Connection,
    _directory: Directory,
}

async fn joined() -> Joined {
    let directory = Directory::new();
    let site = Site::new().await;
    SqliteStore::migrate(directory.file()).await.expect("tables");
    let store = SqliteStore::builder(directory.file()).clock(site.time.clock()).open().await;
    let store = Arc::new(store.expect("a store"));
    let builder = site
        .builder()
        .credentials(credentials())
        .correlation_key(OLD)
        .store_timeout(seconds(60))
        .store(store.clone());
    let world = site.world(builder);
    settle_down().await;
    let join = world.feedback.join_sqlite(store);
    let connection = Connection::open(directory.file()).expect("the file");
    connection.execute_batch("CREATE TABLE login (id TEXT)").expect("a table");
    Joined { world, join, connection, _directory: directory }
}

impl Joined {
    fn logins(&self) -> i64 {
        let sql = "SELECT count(*) FROM login";
        self.connection.query_row(sql, [], |row| row.get(0)).expect("a number")
    }
}

#[tokio::test]
async fn a_login_and_its_confirm_are_one_commit_and_the_dispatcher_is_woken_behind_it() {
    let mut joined = joined().await;
    let sid = joined.world.send("id").await;
    let transaction = joined.connection.transaction_with_behavior(Immediate).expect("begun");
    transaction.execute("INSERT INTO login VALUES ('user')", []).expect("a row");
    let confirmed = joined.join.confirm(&transaction, "id").expect("confirmed");
    assert_eq!(*confirmed, Confirmation::Queued);
    settle_down().await;
    assert!(joined.world.calls().is_empty(), "before the commit");
    transaction.commit().expect("committed");
    // Nobody has told the dispatcher, and the clock of its polls stands still.
    settle_down().await;
    assert!(joined.world.calls().is_empty(), "before it was told");
    assert_eq!(joined.world.feedback.stats().confirms.queued, 0);
    assert_eq!(confirmed.committed(), Confirmation::Queued);
    guarded(joined.world.twilio.wait_until(|twilio| twilio.confirmed() == [sid])).await;
    assert_eq!(joined.world.feedback.stats().confirms.queued, 1);
    assert_eq!(joined.logins(), 1);
}

#[tokio::test]
async fn a_rollback_undoes_the_confirm_with_the_login() {
    let mut joined = joined().await;
    let sid = joined.world.send("id").await;
    let transaction = joined.connection.transaction_with_behavior(Immediate).expect("begun");
    transaction.execute("INSERT INTO login VALUES ('user')", []).expect("a row");
    let confirmed = joined.join.confirm(&transaction, "id").expect("confirmed");
    assert_eq!(*confirmed, Confirmation::Queued);
    transaction.rollback().expect("rolled back");
    drop(confirmed);
    assert!(joined.world.flush().await.is_empty());
    assert_eq!((joined.world.reports(sid), joined.logins()), (0, 0));
    // The user may still do it.
    assert_eq!(joined.world.feedback.confirm("id").await, Confirmation::Queued);
    assert!(joined.world.flush().await.is_empty());
    assert_eq!(joined.world.reports(sid), 1);
}

#[tokio::test]
async fn a_record_of_the_transaction_is_there_after_its_commit_alone() {
    let mut joined = joined().await;
    let sid = joined.world.create(AC).await;
    let sent = joined.world.sent(AC, sid);
    let transaction = joined.connection.transaction_with_behavior(Immediate).expect("begun");
    let recorded = joined.join.record(&transaction, "id", sent.clone()).expect("recorded");
    assert_eq!(*recorded, Recorded::Recorded);
    transaction.rollback().expect("rolled back");
    assert_eq!(joined.world.feedback.lookup("id").await.expect("an answer"), []);

    // The user was faster than the commit.
    assert_eq!(joined.world.feedback.confirm("id").await, Confirmation::Unknown);
    let transaction = joined.connection.transaction_with_behavior(Immediate).expect("begun");
    let recorded = joined.join.record(&transaction, "id", sent).expect("recorded");
    transaction.commit().expect("committed");
    assert_eq!(recorded.committed(), Recorded::Recorded);
    guarded(joined.world.twilio.wait_until(|twilio| twilio.confirmed() == [sid])).await;
    assert_eq!(joined.world.feedback.stats().confirms.overtaken, 1);
}

#[tokio::test]
async fn what_cannot_be_joined_is_an_error_or_an_answer_and_never_deferred() {
    let joined = joined().await;
    joined.world.send("id").await;
    let error = joined.join.confirm(&joined.connection, "id").expect_err("no transaction");
    assert!(std::error::Error::source(&error).is_some());
    let sid = joined.world.create(AC).await;
    let sent = joined.world.sent(AC, sid);
    let invalid = joined.join.record(&joined.connection, "", sent).expect("an answer");
    assert_eq!(invalid.committed(), Recorded::InvalidId);
    let invalid = joined.join.confirm(&joined.connection, "").expect("an answer");
    assert_eq!(invalid.committed(), Confirmation::NoId);
    assert_eq!(joined.world.feedback.health().await.deferred, 0);
    assert_eq!(joined.world.feedback.stats().confirms.queued, 0);
}

/// The current key, and another that ids are looked up under.
type Keys<'a> = (&'a [u8], Option<&'a [u8]>);

/// A process with these keys.
async fn process(site: &Site, directory: &Directory, keys: Keys<'_>) -> MessageFeedback {
    let store = SqliteStore::builder(directory.file()).clock(site.time.clock()).open().await;
    let mut builder = site
        .builder()
        .credentials(credentials())
        .correlation_key(keys.0)
        .store_timeout(seconds(60))
        .store(store.expect("a store"));
    if let Some(previous) = keys.1 {
        builder = builder.previous_correlation_key(previous);
    }
    builder.build().expect("a handle")
}

#[tokio::test]
async fn the_correlation_key_changes_under_running_processes_and_nothing_pending_is_lost() {
    let directory = Directory::new();
    SqliteStore::migrate(directory.file()).await.expect("tables");
    let site = Site::new().await;
    // What two processes with these keys send, each of them can confirm.
    let steps: [[Keys<'_>; 2]; 3] = [
        [(OLD, None), (OLD, Some(NEW))],
        [(OLD, Some(NEW)), (NEW, Some(OLD))],
        [(NEW, Some(OLD)), (NEW, None)],
    ];
    let mut sent = Vec::new();
    for (step, keys) in steps.into_iter().enumerate() {
        let [one, another] =
            [process(&site, &directory, keys[0]).await, process(&site, &directory, keys[1]).await];
        for (name, from, to) in [("there", &one, &another), ("back", &another, &one)] {
            let id = format!("{step} {name}");
            let message = site.sent().await;
            assert_eq!(from.record(id.as_str(), message).await, Recorded::Recorded);
            // In the last step a process no longer looks under the old key.
            assert_eq!(to.confirm(id).await, Confirmation::Queued, "step {step}, {name}");
            sent.push(());
        }
        // What waits is confirmed in the next step.
        let waiting = format!("{step} waiting");
        let message = site.sent().await;
        assert_eq!(another.record(waiting, message).await, Recorded::Recorded);
        if let Some(before) = step.checked_sub(1) {
            let waiting = format!("{before} waiting");
            assert_eq!(one.confirm(waiting).await, Confirmation::Queued, "step {step}");
        }
        for process in [one, another] {
            guarded(process.shutdown(seconds(5))).await;
        }
    }
    assert_eq!(site.twilio.confirmed().len(), sent.len() + 2);
}
