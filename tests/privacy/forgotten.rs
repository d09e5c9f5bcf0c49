//! What is forgotten is in no file of a store: at once where the store's own files are ours,
//! and after what the guide says where they are a server's.

use std::{collections::BTreeSet, time::SystemTime};

use tower_message_feedback::{
    BaseUrl, CorrelationKey, CorrelationKeys, MessageSid,
    store::{
        Attempts, ConfirmTarget, Failure, FailureKind, FeedbackStore, ForgetTarget, LeaseRequest,
        PostgresStore, RedisStore, Resends, SettledAs, Settlement, TrackedMessage,
    },
};

use crate::{
    encodings::as_uuid,
    files,
    search::Search,
    servers::{Postgres, Redis},
    support::{AC, account, seconds},
};

const MANY: u64 = 24;
const HEX: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// Sixteen bytes that look like no others.
fn bytes(n: u64) -> [u8; 16] {
    let word = |n: u64| (n ^ (n >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word(n + 1).to_le_bytes());
    bytes[8..].copy_from_slice(&word(word(n + 1)).to_le_bytes());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| HEX[usize::from(nibble)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn keys(n: u64) -> CorrelationKeys {
    CorrelationKey::from_bytes(bytes(n)).into()
}

fn sid(n: u64) -> MessageSid {
    format!("SM{}", hex(&bytes(n + 1_000_000))).parse().expect("a SID")
}

/// Messages in every state; answers the name of each form that may be at rest.
async fn filled(store: &impl FeedbackStore) -> Search {
    let now = SystemTime::now().into();
    let message = |n| {
        let (key, until) = (keys(n).current, now + seconds(3600));
        TrackedMessage::new(key, sid(n), account(AC), BaseUrl::default(), now, until)
    };
    store.record(&(0..MANY).map(message).collect::<Vec<_>>()).await.expect("an answer");
    let confirmed = (0..16).map(|n| ConfirmTarget::Id { keys: keys(n), resends: Resends::All });
    store.confirm(&confirmed.collect::<Vec<_>>()).await.expect("an answer");
    let leased = store.lease(&LeaseRequest::new(12, seconds(3600))).await.expect("an answer");
    let dead = Failure::new(FailureKind::Rejected, Some(400), None);
    let ends = [SettledAs::Delivered, SettledAs::Dead(dead), SettledAs::Retry(seconds(900))];
    let settled: Vec<_> = leased
        .entries
        .iter()
        .zip(ends.iter().cycle())
        .map(|(entry, end)| Settlement::new(entry, Attempts::new(1, 0), *end))
        .collect();
    assert_eq!(settled.len(), 12);
    store.settle(&settled).await.expect("an answer");
    search()
}

fn search() -> Search {
    Search::new((0..MANY).flat_map(|n| {
        let (key, sid) = (bytes(n), bytes(n + 1_000_000));
        let name: &'static str = if is_forgotten(n) { "forgotten" } else { "kept" };
        [
            // Of a key Redis keeps the end by itself.
            (name, format!("key {n}"), key[4..].to_vec()),
            (name, format!("key {n} in hex"), hex(&key).into_bytes()),
            (name, format!("key {n} as UUID"), as_uuid(&key).into_bytes()),
            (name, format!("SID {n}"), sid.to_vec()),
            (name, format!("SID {n} in hex"), hex(&sid).into_bytes()),
            (name, format!("SID {n} in upper hex"), hex(&sid).to_uppercase().into_bytes()),
        ]
    }))
}

fn is_forgotten(n: u64) -> bool {
    n % 4 != 0
}

async fn forget(store: &impl FeedbackStore) {
    for n in (0..MANY).filter(|n| is_forgotten(*n)) {
        let target = match n % 2 {
            0 => ForgetTarget::Id(keys(n)),
            _ => ForgetTarget::Message(sid(n)),
        };
        assert_eq!(store.forget(&[target]).await.expect("an answer"), [1], "{n}");
    }
}

/// How many of the forgotten, and of the kept, are there in any form.
fn counted(search: &Search, bytes: &[u8]) -> (usize, usize) {
    let found = search.all_in(bytes);
    let of = |wanted| {
        let of_it = found.iter().filter(|(name, _)| *name == wanted);
        let numbers: BTreeSet<_> = of_it.filter_map(|(_, form)| form.split(' ').nth(1)).collect();
        numbers.len()
    };
    (of("forgotten"), of("kept"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_after_its_tables_are_written_anew() {
    let server = Postgres::options().set("wal_recycle", "off").start();
    let begun = SystemTime::now();
    let builder = PostgresStore::builder().url(server.url()).schema("feedback");
    let store = builder.timeout(seconds(30)).build().expect("a store");
    store.migrate().await.expect("tables");
    let search = filled(&store).await;
    let sql = |sql: &str| server.sql("postgres", sql);
    // Its statistics are samples of what was there.
    sql("ANALYZE");
    forget(&store).await;
    sql("CHECKPOINT");
    let (forgotten, kept) = counted(&search, &files::written_since(begun, &server.data()));
    assert!(forgotten > 0, "the guide says that traces are left");
    assert_eq!(kept, 6);

    // As the guide has it.
    let tables = sql("SELECT tablename FROM pg_tables WHERE schemaname = 'feedback'");
    for table in tables.lines() {
        sql(&format!("VACUUM (FULL, ANALYZE) feedback.{table}"));
    }
    sql("VACUUM FULL pg_catalog.pg_statistic");
    sql("SELECT pg_switch_wal()");
    sql("CHECKPOINT");
    let bytes = files::written_since(begun, &server.data());
    assert_eq!(counted(&search, &bytes), (0, 6), "{:?}", search.all_in(&bytes));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_after_its_log_and_its_snapshot_are_written_anew() {
    let server = Redis::options().append_only("everysec").set("rdbcompression", "no").start();
    let store = RedisStore::builder().response_timeout(seconds(30));
    let store = store.connect(server.url()).await.expect("a store");
    store.migrate().await.expect("the data");
    let search = filled(&store).await;
    server.cli(&["save"]);
    forget(&store).await;
    // The log has it until it is rewritten, and a snapshot until the next one.
    let (forgotten, kept) = counted(&search, &files::of(&server.data()));
    assert!(forgotten > 0, "the guide says that traces are left");
    assert_eq!(kept, 6);

    server.cli(&["save"]);
    server.cli(&["bgrewriteaof"]);
    let is_done = || {
        let info = server.cli(&["info", "persistence"]);
        let has = |wanted: &str| info.lines().any(|line| line.trim() == wanted);
        has("aof_rewrite_in_progress:0") && has("aof_rewrite_scheduled:0")
    };
    let begun = std::time::Instant::now();
    // The old log is unlinked by another thread.
    while !is_done() || counted(&search, &files::of(&server.data())) != (0, 6) {
        let found = search.all_in(&files::of(&server.data()));
        assert!(begun.elapsed() < seconds(20), "{found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
