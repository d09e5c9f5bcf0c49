//! Many at once, and what is in the way of one another.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    sync::Arc,
    time::Duration,
};

use tower_message_feedback::store::{
    ConfirmOutcome, ConfirmTarget, FeedbackStore, ForgetTarget, PostgresStore, RecordOutcome,
    SettledAs, postgres::PostgresError,
};

use crate::support::{
    builder, builder_on, by_id, confirm, connect, fresh, fresh_schema, lease, message, migrated,
    queue, record, said, server, settle, sid, status, until,
};

/// Batches that name the same messages in opposite orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_cross_each_other_do_not_deadlock() {
    let database = server().fresh_database();
    let store = Arc::new(migrated(builder_on(database.url(), "feedback")).await);
    let mut tasks = Vec::new();
    for turn in 0..16_u64 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut queued = 0;
            for round in 0..5_u64 {
                let mut numbers: Vec<u64> = (round * 50..(round + 1) * 50).collect();
                if turn % 2 == 0 {
                    numbers.reverse();
                }
                let messages: Vec<_> = numbers.iter().map(|n| message(*n)).collect();
                store.record(&messages).await.expect("an answer");
                let targets: Vec<_> = match turn % 4 {
                    0 | 1 => numbers.iter().map(|n| by_id(*n)).collect(),
                    _ => messages.into_iter().map(ConfirmTarget::Message).collect(),
                };
                let outcomes = store.confirm(&targets).await.expect("an answer");
                queued += outcomes.iter().filter(|o| **o == ConfirmOutcome::Queued).count();
                assert!(outcomes.iter().all(|outcome| {
                    matches!(outcome, ConfirmOutcome::Queued | ConfirmOutcome::AlreadyConfirmed)
                }));
            }
            queued
        }));
    }
    let mut queued = 0;
    for task in tasks {
        queued += task.await.expect("a task");
    }
    assert_eq!(queued, 250, "each was queued once");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.sql(deadlocks).trim(), "0", "and nobody had to be sacrificed for it");
}

/// Two processes, one outbox: each entry is had once, by either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_two_store_objects_never_meet() {
    let store = Arc::new(fresh().await);
    let other = Arc::new(builder(store.schema()).build().expect("a store"));
    queue(&store, 0..1000).await;
    let mut tasks = Vec::new();
    for n in 0..6 {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move {
            let mut had = Vec::new();
            loop {
                let entries = lease(&store, 17).await;
                if entries.is_empty() {
                    let counts = store.counts().await.expect("an answer");
                    if counts.outbox == 0 {
                        return had;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                settle(&store, &entries, SettledAs::Delivered).await;
                had.extend(entries.into_iter().map(|entry| entry.sid));
            }
        }));
    }
    let mut had: HashMap<_, usize> = HashMap::new();
    for task in tasks {
        for sid in task.await.expect("a task") {
            *had.entry(sid).or_default() += 1;
        }
    }
    assert_eq!(had.len(), 1000);
    assert!(had.values().all(|times| *times == 1));
}

/// A lease passes over what another holds locked, instead of waiting for it.
#[tokio::test]
async fn a_lease_and_expiry_pass_over_what_is_locked() {
    let store = fresh().await;
    queue(&store, 0..3).await;
    let mut gone = message(8);
    gone.expires_at = gone.sent_at - Duration::from_secs(10);
    let mut also_gone = message(9);
    also_gone.expires_at = gone.expires_at;
    store.record(&[gone, also_gone]).await.expect("an answer");
    let mut client = connect(&server().url()).await;
    let transaction = client.transaction().await.expect("a transaction");
    let lock = |table: &str, n: u64| {
        let schema = store.schema();
        format!("SELECT 1 FROM {schema}.{table} WHERE sid = '\\x00{n:032x}' FOR UPDATE")
    };
    transaction.batch_execute(&lock("outbox", 0)).await.expect("a lock");
    transaction.batch_execute(&lock("message", 8)).await.expect("a lock");
    let entries = lease(&store, 10).await;
    assert_eq!(entries.iter().map(|entry| entry.sid).collect::<Vec<_>>(), [sid(1), sid(2)]);
    assert_eq!(store.expire(10).await.expect("an answer"), 1);
    assert!(status(&store, 9).await.is_none() && status(&store, 8).await.is_some());
    transaction.rollback().await.expect("a rollback");
    assert_eq!(lease(&store, 10).await.len(), 1);
    assert_eq!(store.expire(10).await.expect("an answer"), 1);
}

/// A settlement that was under way when its message was forgotten: forgetting waits for
/// it, and removes what it wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_settled_while_it_is_forgotten_leaves_nothing_behind() {
    let store = Arc::new(fresh().await);
    let schema = store.schema().to_owned();
    queue(&store, 0..2).await;
    let mut client = connect(&server().url()).await;
    let backend: i32 =
        client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a number").get(0);
    let transaction = client.transaction().await.expect("a transaction");
    for (n, table, times) in [(0, "dead_letter", "died_at"), (1, "delivered", "delivered_at")] {
        let failure = if table == "dead_letter" { ("failure,", "1,") } else { ("", "") };
        let settle = format!(
            "WITH gone AS (
                DELETE FROM {schema}.outbox WHERE sid = '\\x00{n:032x}' RETURNING id, sid
            )
            INSERT INTO {schema}.{table}
                ({times}, {} keep_until, attempts, not_found, id, sid)
            SELECT 0, {} 9000000000000000, 1, 0, id, sid FROM gone",
            failure.0, failure.1,
        );
        transaction.batch_execute(&settle).await.expect("settled");
    }
    let forgetting = tokio::spawn({
        let store = store.clone();
        async move { store.forget(&[0, 1].map(|n| ForgetTarget::Message(sid(n)))).await }
    });
    let observer = connect(&server().url()).await;
    until("forgetting waits", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
        observer.query_one(waiting, &[&backend]).await.expect("a number").get::<_, i64>(0) == 1
    })
    .await;
    transaction.commit().await.expect("a commit");
    assert_eq!(forgetting.await.expect("a task").expect("an answer"), [1, 1]);
    assert_eq!(store.counts().await.expect("an answer").dead_letters, 0);
    let left = format!("SELECT count(*) FROM {schema}.delivered");
    assert_eq!(observer.query_one(&left, &[]).await.expect("a number").get::<_, i64>(0), 0);
}

/// A role whose transactions are serializable: statements are refused, and are
/// repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_higher_isolation_level_changes_no_answer() {
    for prepared in [true, false] {
        let schema = fresh_schema();
        let admin = connect(&server().url()).await;
        admin
            .batch_execute(&format!(
                "CREATE ROLE {schema} SUPERUSER LOGIN;
                 ALTER ROLE {schema} SET default_transaction_isolation = 'repeatable read'"
            ))
            .await
            .expect("a role");
        let url = server().url().replace("postgres@", &format!("{schema}@"));
        let builder = builder_on(url, &schema).prepared_statements(prepared);
        let store = Arc::new(migrated(builder).await);
        record(&store, 0..20).await;
        let mut tasks = Vec::new();
        for _ in 0..6 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let mut queued = 0;
                for n in 0..20 {
                    queued += u64::from(confirm(&store, n).await == ConfirmOutcome::Queued);
                    let outcomes = store.record(&[message(100 + n)]).await.expect("an answer");
                    assert_ne!(outcomes, [RecordOutcome::OtherId]);
                }
                queued
            }));
        }
        let mut queued = 0;
        for task in tasks {
            queued += task.await.expect("a task");
        }
        assert_eq!(queued, 20);
        let entries = lease(&store, 100).await;
        assert_eq!(entries.iter().map(|entry| entry.sid).collect::<HashSet<_>>().len(), 20);
    }
}

/// What is given up while it waits takes its connection with it: the next
/// operation does not stand in line behind it.
#[tokio::test]
async fn what_is_given_up_leaves_no_wedged_connection_in_the_pool() {
    let schema = fresh_schema();
    let builder = builder(&schema).max_connections(1).timeout(Duration::from_secs(5));
    let store: PostgresStore = migrated(builder).await;
    record(&store, 0..2).await;
    let mut client = connect(&server().url()).await;
    let transaction = client.transaction().await.expect("a transaction");
    let lock = format!("SELECT 1 FROM {schema}.message WHERE sid = '\\x00{:032x}' FOR UPDATE", 0);
    transaction.batch_execute(&lock).await.expect("a lock");

    let dropped = tokio::time::timeout(Duration::from_millis(500), confirm(&store, 0)).await;
    assert!(dropped.is_err(), "it waits for the lock");
    assert_eq!(store.pool().status().size, 0);
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::Queued);
    // One that has answered is there for the next.
    assert_eq!(store.pool().status().available, 1);
    let error = store.confirm(&[by_id(0)]).await.expect_err("the lock is held");
    // By the store's own bound, or by the server's, which is the shorter one.
    assert!(error.is_timeout() || said(&error).contains("55P03"), "{}", said(&error));
    assert!(status(&store, 1).await.is_some());
    transaction.rollback().await.expect("a rollback");
    // The server has given up what nobody waits for.
    until("the confirm passes", || async { store.confirm(&[by_id(0)]).await.is_ok() }).await;
}

/// A connection whose session forgot its statements, as after `DISCARD ALL`.
#[tokio::test]
async fn statements_that_the_session_has_lost_are_prepared_again() {
    let schema = fresh_schema();
    let store = migrated(builder(&schema).max_connections(1)).await;
    queue(&store, 0..1).await;
    let connection = store.pool().get().await.expect("a connection");
    connection.batch_execute("DEALLOCATE ALL").await.expect("an answer");
    drop(connection);
    record(&store, 1..2).await;
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::Queued);
    // And after its backend is gone.
    let connection = store.pool().get().await.expect("a connection");
    let pid: i32 =
        connection.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row").get(0);
    drop(connection);
    let admin = connect(&server().url()).await;
    admin.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.expect("an answer");
    record(&store, 2..3).await;
}

/// A server that refuses the first records of a message, by a trigger that counts them.
#[tokio::test]
async fn what_another_transaction_was_in_the_way_of_is_repeated_and_nothing_else() {
    let store = fresh().await;
    let schema = store.schema().to_owned();
    let client = connect(&server().url()).await;
    client.batch_execute(&format!("CREATE SEQUENCE {schema}.tries")).await.expect("a sequence");
    let always = 100;
    for (n, (code, refusals, tries)) in (0..).zip([
        // Refused for what it is.
        ("23514", 1, 1),
        // A serialization failure, and a deadlock.
        ("40001", 2, 3),
        ("40P01", 2, 3),
        ("40001", always, 9),
        // A statement that is not what it was when it was prepared.
        ("26000", 2, 3),
        ("42P05", 1, 2),
        ("0A000", 1, 2),
        ("0A000", always, 3),
        // A server that goes away.
        ("57P01", 1, 2),
        ("57P01", always, 3),
    ]) {
        client
            .batch_execute(&format!(
                "CREATE OR REPLACE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN
                    IF nextval('{schema}.tries') <= {refusals} THEN
                        RAISE EXCEPTION 'refused' USING ERRCODE = '{code}';
                    END IF;
                    RETURN NEW;
                 END $$;
                 CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON {schema}.message
                    FOR EACH ROW EXECUTE FUNCTION {schema}.refuse();
                 ALTER SEQUENCE {schema}.tries RESTART"
            ))
            .await
            .expect("a trigger");
        let answer = store.record(&[message(n)]).await;
        let sql = format!("SELECT last_value FROM {schema}.tries");
        let tried: i64 = client.query_one(&sql, &[]).await.expect("a number").get(0);
        assert_eq!(tried, tries, "{code}, {refusals} times");
        if refusals < tries {
            assert_eq!(answer.expect("an answer"), [RecordOutcome::Inserted]);
        } else {
            let error = answer.expect_err("refused");
            let source = error.source().and_then(|source| source.downcast_ref::<PostgresError>());
            let source = source.expect("the server's error");
            assert_eq!(source.sqlstate(), Some(code));
            assert_eq!(source.to_string(), format!("refused (SQLSTATE {code})"));
        }
    }
}
