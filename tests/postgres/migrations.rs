//! How tables are made and upgraded.

use std::error::Error;

use tower_message_feedback::store::{
    ConfirmOutcome, FeedbackStore, LedgerStatus, PostgresStore, SettledAs, postgres::tokio_postgres,
};

use crate::support::{
    builder, confirm, connect, fresh_schema, is_queued, lease, message, migrated, queue, said,
    server, settle, sid, status,
};

async fn version(schema: &str) -> String {
    let sql = format!("SELECT max(version) FROM {schema}.migration");
    tokio::task::spawn_blocking(move || server().sql("postgres", &sql))
        .await
        .expect("an answer")
        .trim()
        .to_owned()
}

#[tokio::test]
async fn many_processes_may_migrate_at_once() {
    let schema = fresh_schema();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = builder(&schema).build().expect("a store");
            tokio::spawn(async move { store.migrate().await.expect("tables") })
        })
        .collect();
    let mut steps = Vec::new();
    for task in tasks {
        steps.push(task.await.expect("a task"));
    }
    steps.sort_unstable();
    assert_eq!(steps, [0, 0, 0, 0, 0, 0, 0, 4], "one did all of it");
    assert_eq!(version(&schema).await, "4");
    queue(&builder(&schema).build().expect("a store"), 0..3).await;
}

#[tokio::test]
async fn without_tables_every_operation_says_what_to_do() {
    let store = builder(&fresh_schema()).build().expect("a store");
    for error in [
        store.check().await.expect_err("no tables"),
        store.record(&[message(1)]).await.expect_err("no tables"),
        store.counts().await.expect_err("no tables"),
    ] {
        assert!(said(&error).contains("call `PostgresStore::migrate`"), "{}", said(&error));
    }
    store.migrate().await.expect("tables");
    store.check().await.expect("tables");
}

/// The first version's tables with a message of each sort in them.
async fn of_version_1(schema: &str) {
    let client = connect(&server().url()).await;
    client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.expect("a schema");
    let first = PostgresStore::migrations(schema).expect("a name").swap_remove(0);
    client.batch_execute(&first).await.expect("tables");
    let packed = |n: u64| format!("'\\x00{n:032x}'::bytea");
    let (pending, queued, delivered, dead) = (packed(1), packed(2), packed(3), packed(4));
    let key = |n: u64| format!("'{n:016x}a5a5a5a5a5a5a5a5'::uuid");
    let (k1, k2, k3, k4) = (key(1), key(2), key(3), key(4));
    let soon = "(extract(epoch FROM now()) * 1000)::int8 + 3600000";
    client
        .batch_execute(&format!(
            "SET search_path = {schema};
             INSERT INTO account (sid) VALUES ('\\x{:032x}');
             INSERT INTO source (account, base_url, label)
                VALUES (1, 'https://api.twilio.com/2010-04-01', 'login');
             INSERT INTO message (id, sent_at, expires_at, confirmed_at, entry, source, key, sid)
                VALUES (nextval('message_id'), 1000, {soon}, NULL, NULL, 1, {k1}, {pending}),
                    (nextval('message_id'), 1000, {soon}, 2000, nextval('entry_id'), 1, {k2}, {queued}),
                    (nextval('message_id'), 1000, {soon}, 2000, nextval('entry_id'), 1, {k3}, {delivered}),
                    (nextval('message_id'), 1000, {soon}, 2000, nextval('entry_id'), 1, {k4}, {dead});
             INSERT INTO outbox (id, confirmed_at, due_at, account, source, attempts, sid)
                VALUES (1, 2000, 2000, 1, 1, 3, {queued});
             INSERT INTO delivered VALUES (2, 3000, {soon}, 1, 0, {delivered});
             INSERT INTO dead_letter VALUES (3, 3000, {soon}, 1, 0, 77, 400, 90001, {dead});",
            0
        ))
        .await
        .expect("rows");
}

#[tokio::test]
async fn the_rows_of_the_previous_version_are_read() {
    let schema = fresh_schema();
    of_version_1(&schema).await;
    let store = builder(&schema).build().expect("a store");
    let error = store.check().await.expect_err("an older version");
    assert!(said(&error).contains("are of version 1"), "{}", said(&error));
    assert_eq!(store.migrate().await.expect("an upgrade"), 3);
    assert_eq!(store.migrate().await.expect("nothing to do"), 0);

    assert_eq!(status(&store, 1).await, Some(LedgerStatus::Pending));
    assert!(is_queued(&store, 2).await);
    assert!(matches!(status(&store, 3).await, Some(LedgerStatus::Delivered { .. })));
    // A sort of failure that nobody has heard of is a failure all the same.
    assert!(matches!(status(&store, 4).await, Some(LedgerStatus::Dead { .. })));
    let entry = store.by_sid(&[sid(1)]).await.expect("an answer").remove(0).expect("known");
    assert_eq!(entry.label(), Some("login"));
    let entries = lease(&store, 10).await;
    assert_eq!(entries.iter().map(|entry| entry.sid).collect::<Vec<_>>(), [sid(2)]);
    assert_eq!(entries[0].attempts.total, 3);
    settle(&store, &entries, SettledAs::Delivered).await;
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::Queued);
    assert_eq!(confirm(&store, 3).await, ConfirmOutcome::AlreadyConfirmed);
    queue(&store, 10..20).await;
}

/// What a process of the previous version runs during an upgrade.
#[tokio::test]
async fn statements_of_the_previous_version_go_on_while_it_is_upgraded() {
    let schema = fresh_schema();
    of_version_1(&schema).await;
    let old = connect(&server().url()).await;
    old.batch_execute(&format!("SET search_path = {schema}")).await.expect("a setting");
    let confirm = old
        .prepare("UPDATE message SET confirmed_at = 1, entry = nextval('entry_id') WHERE sid = $1 RETURNING entry")
        .await
        .expect("a statement");
    let file = old
        .prepare("INSERT INTO outbox (id, account, source, sid, confirmed_at, due_at) VALUES ($1, 1, 1, $2, 1, 1)")
        .await
        .expect("a statement");
    let store = builder(&schema).build().expect("a store");
    store.migrate().await.expect("an upgrade");
    let packed = [&[0_u8; 16][..], &[1]].concat();
    let row = old.query_one(&confirm, &[&packed]).await.expect("a row");
    let entry: i64 = row.get("entry");
    old.execute(&file, &[&entry, &packed]).await.expect("a row");
    assert!(is_queued(&store, 1).await);
    assert_eq!(lease(&store, 10).await.len(), 2);
}

#[tokio::test]
async fn tables_of_a_later_version_serve_if_they_say_so() {
    let store = migrated(builder(&fresh_schema())).await;
    let schema = store.schema();
    let later = |from: i32| {
        format!(
            "INSERT INTO {schema}.migration (version, compatible_from) VALUES ({}, {from})",
            97 + from
        )
    };
    let client = connect(&server().url()).await;
    client.batch_execute(&later(4)).await.expect("a version");
    let other = builder(schema).build().expect("a store");
    assert_eq!(other.migrate().await.expect("nothing to do"), 0);
    queue(&other, 0..1).await;

    client.batch_execute(&later(5)).await.expect("a version");
    let other = builder(schema).build().expect("a store");
    for error in
        [other.check().await.expect_err("too new"), other.migrate().await.expect_err("too new")]
    {
        assert!(said(&error).contains("needs a later version"), "{}", said(&error));
    }
}

#[tokio::test]
async fn a_schema_that_is_there_needs_no_right_to_create_one() {
    let schema = fresh_schema();
    let admin = connect(&server().url()).await;
    admin
        .batch_execute(&format!(
            "CREATE ROLE {schema} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {schema}"
        ))
        .await
        .expect("a role");
    let mut config = server().config();
    config.user(&schema);
    let store = PostgresStore::builder().config(config).schema(&schema).build().expect("a store");
    assert_eq!(store.migrate().await.expect("tables"), 4);
    queue(&store, 0..1).await;
}

#[tokio::test]
async fn an_error_says_why_a_server_is_not_reached_and_not_how_it_was_to_be() {
    let url = "postgres://user:hunter2@127.0.0.1:1/none";
    let store = PostgresStore::builder().url(url).build().expect("a store");
    let error = store.check().await.expect_err("no server");
    assert!(said(&error).contains("refused") && !said(&error).contains("hunter2"));
    let mut config = tokio_postgres::Config::new();
    config.user("user").password("hunter2");
    let store = PostgresStore::builder().config(config).build().expect("a store");
    let error = store.check().await.expect_err("no host");
    let source = error.source().expect("the driver's error");
    assert_eq!(source.to_string(), "invalid configuration");
}

#[test]
fn a_builder_says_what_is_missing_and_repeats_no_secret() {
    let error = PostgresStore::builder().build().expect_err("no server");
    assert!(said(&error).contains("call `url`, `config` or `pool`"));
    let error = PostgresStore::builder()
        .url("postgres://user:hunter2@host:port/?x=hunter2")
        .build()
        .expect_err("no URL");
    assert!(!said(&error).contains("hunter2"));
    for name in ["", "a\"b", "a'b", "a b", "é", &"a".repeat(64)] {
        let built = PostgresStore::builder().url("postgres://localhost").schema(name).build();
        assert!(said(&built.expect_err("no name")).contains("schema's name"));
    }
    let builder = PostgresStore::builder().url("postgres://user:hunter2@host");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let store = builder.build().expect("a store");
    assert!(!format!("{store:?}").contains("hunter2"));
}

#[test]
fn a_connection_that_is_idle_is_kept_alive_unless_the_configuration_says_how() {
    let of = |url: &str| {
        let store = PostgresStore::builder().url(url).build().expect("a store");
        format!("{:?}", store.pool().manager())
    };
    let url = "postgres://somebody@127.0.0.1/postgres";
    assert!(of(url).contains("keepalives_idle: 30s"), "{}", of(url));
    let other = format!("{url}?keepalives_idle=77");
    assert!(of(&other).contains("keepalives_idle: 77s"), "{}", of(&other));
}
