//! What is refused, and what is told, because feedback could be lost.

use std::time::Duration;

use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, Durability, FeedbackStore, RedisStore, SettleOutcome, SettledAs,
    Settlement, redis::Persistence,
};

use tracing_subscriber::filter::LevelFilter;

use crate::{
    log::Log,
    servers::Redis,
    support::{
        cause, confirm, lease, message, open, open_as, patient, queue, record, seconds, target,
    },
};

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    for policy in ["allkeys-lru", "volatile-ttl", "volatile-random"] {
        let server = Redis::options().max_memory("64mb", policy).start();
        let connected = patient(RedisStore::builder()).connect(server.url()).await;
        let error = connected.expect_err("refused").to_string();
        assert!(error.contains("noeviction") && error.contains(policy), "{error}");
    }
}

#[tokio::test]
async fn one_master_that_evicts_is_enough_to_refuse_the_cluster() {
    let cluster = crate::servers::RedisCluster::start();
    cluster.node(2).cli(&["config", "set", "maxmemory-policy", "allkeys-lfu"]);
    let connected = patient(RedisStore::builder()).connect_cluster(cluster.urls()).await;
    let error = connected.expect_err("refused").to_string();
    assert!(error.contains("allkeys-lfu"), "{error}");
}

#[tokio::test]
async fn persistence_is_told_as_far_as_it_is_proved() {
    let plain = Redis::options();
    let log = |appendfsync| Redis::options().append_only(appendfsync);
    // Managed servers forbid CONFIG.
    let forbidden =
        |options: crate::servers::RedisOptions| options.set("rename-command", "CONFIG \"\"");
    for (options, persistence) in [
        (plain, Persistence::Off),
        (log("no"), Persistence::System),
        (log("everysec"), Persistence::EverySecond),
        (log("always"), Persistence::Always),
        (forbidden(log("always")), Persistence::Unproven),
        (forbidden(Redis::options()), Persistence::Off),
    ] {
        let server = options.start();
        let store = open(&server).await;
        assert_eq!(store.persistence(), persistence);
        let synced = persistence == Persistence::Always;
        let durability = if synced { Durability::Synced } else { Durability::Process };
        assert_eq!(store.durability(), durability);
    }
}

#[tokio::test]
async fn what_a_crash_may_lose_is_told_in_the_log() {
    let log = |appendfsync| Redis::options().append_only(appendfsync);
    let lost = ["syncs after it has answered", "is unproven", "has no append-only file"];
    for (options, told) in [
        (log("always"), None),
        (log("everysec"), Some(lost[0])),
        (log("no"), Some(lost[0])),
        (log("always").set("rename-command", "CONFIG \"\""), Some(lost[1])),
        (Redis::options(), Some(lost[2])),
    ] {
        let server = options.start();
        let (log, _guard) = Log::of(LevelFilter::WARN);
        open(&server).await;
        let text = log.text();
        let found: Vec<_> = lost.into_iter().filter(|lost| text.contains(lost)).collect();
        assert_eq!(found, Vec::from_iter(told), "{text}");
    }
}

/// Redis keeps small hashes in less memory, and a setting says how small.
#[tokio::test]
async fn settings_under_which_a_message_takes_more_memory_are_told_in_the_log() {
    for (entries, value, told) in
        [(300, 64, None), (299, 64, Some("-entries")), (300, 63, Some("-value"))]
    {
        let options = Redis::options()
            .set("hash-max-ziplist-entries", entries)
            .set("hash-max-ziplist-value", value);
        let server = options.start();
        let (log, _guard) = Log::of(LevelFilter::WARN);
        open(&server).await;
        let text = log.text();
        let lines: Vec<_> = text.lines().filter(|line| line.contains("the memory")).collect();
        // Redis 7 has two names for each.
        assert_eq!(lines.is_empty(), told.is_none(), "{text}");
        assert!(lines.iter().all(|line| told.is_some_and(|told| line.contains(told))), "{text}");
    }
}

#[tokio::test]
async fn the_weakest_master_counts() {
    let server = crate::servers::RedisCluster::with(Redis::options().append_only("always"));
    let open = || patient(RedisStore::builder()).connect_cluster(server.urls());
    assert_eq!(open().await.expect("a connection").persistence(), Persistence::Always);
    server.node(0).cli(&["config", "set", "appendfsync", "everysec"]);
    assert_eq!(open().await.expect("a connection").persistence(), Persistence::EverySecond);
    server.node(1).cli(&["config", "set", "appendonly", "no"]);
    assert_eq!(open().await.expect("a connection").persistence(), Persistence::Off);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let server = Redis::shared();
    for builder in [
        RedisStore::builder().prefix(""),
        RedisStore::builder().prefix("a{b}"),
        RedisStore::builder().shards(0),
        RedisStore::builder().shards(12),
        RedisStore::builder().shards(512),
        RedisStore::builder().response_timeout(Duration::ZERO),
    ] {
        assert!(builder.connect(server.url()).await.is_err());
    }
    assert!(RedisStore::builder().connect("no address").await.is_err());
    assert!(RedisStore::builder().connect_cluster(Vec::<String>::new()).await.is_err());
}

#[tokio::test]
async fn where_memory_is_full_nothing_new_is_recorded_and_all_that_is_goes_on() {
    let server = Redis::options().max_memory("16mb", "noeviction").start();
    let store = open(&server).await;
    for n in 0..20 {
        record(&store, n).await;
    }
    server.cli(&["config", "set", "maxmemory", "1"]);
    let error = store.record(&[message(100)]).await.expect_err("memory is full");
    assert!(cause(&error).is_out_of_memory(), "{error:?}");
    assert!(cause(&error).to_string().contains("raise its maxmemory"));
    for n in 0..20 {
        assert_eq!(confirm(&store, n).await, ConfirmOutcome::Queued);
    }
    let entries = lease(&store, 100).await;
    assert_eq!(entries.len(), 20);
    let settlements: Vec<Settlement> = entries
        .iter()
        .map(|entry| Settlement::new(entry, Attempts::new(1, 0), SettledAs::Delivered))
        .collect();
    let outcomes = store.settle(&settlements).await.expect("an answer");
    assert_eq!(outcomes, [SettleOutcome::Settled; 20]);
}

#[tokio::test]
async fn a_confirm_waits_for_replicas_where_it_is_asked_to() {
    let server = Redis::start();
    let waiting = RedisStore::builder().wait_replicas(1, Duration::from_millis(200));
    let store = open_as(waiting, &server).await;
    record(&store, 1).await;
    // There is no replica: it took place, and is not answered as if it were safe.
    for _ in 0..2 {
        let error = store.confirm(&[target(1)]).await.expect_err("no replica");
        assert!(cause(&error).lacks_replicas(), "{error:?}");
    }
    assert_eq!(lease(&store, 10).await.len(), 1);
    let port = server.port().to_string();
    let replica = Redis::options().set("replicaof", format!("127.0.0.1 {port}")).start();
    let deadline = std::time::Instant::now() + seconds(60);
    while !replica.cli(&["info", "replication"]).contains("master_link_status:up") {
        assert!(std::time::Instant::now() < deadline, "the replica does not come up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    record(&store, 2).await;
    let mut patience = 100;
    let outcome = loop {
        match store.confirm(&[target(1), target(2)]).await {
            Ok(outcomes) => break outcomes,
            Err(error) => assert!(cause(&error).lacks_replicas() && patience > 0, "{error:?}"),
        }
        patience -= 1;
    };
    assert_eq!(outcome[0], ConfirmOutcome::AlreadyConfirmed);
    assert_ne!(outcome[1], ConfirmOutcome::Unknown);
    assert!(replica.cli(&["dbsize"]).trim().parse::<u64>().expect("a number") > 0);
}

#[tokio::test]
async fn errors_and_debug_name_no_password() {
    let server = Redis::options().password("MARKED").start();
    let store = open(&server).await;
    queue(&store, 1).await;
    assert!(!format!("{store:?}").contains("MARKED"));
    let wrong = server.url().replace("MARKED", "OTHERMARK");
    let error = patient(RedisStore::builder()).connect(wrong).await.expect_err("refused");
    assert!(!format!("{error:?} {error}").contains("MARK"), "{error:?}");
    assert!(!error.is_out_of_memory() && !error.to_string().contains("maxmemory"), "{error}");
    let builder = format!("{:?}", RedisStore::builder().prefix("app"));
    assert!(builder.contains("app"), "{builder}");
}
