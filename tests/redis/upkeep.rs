//! What expiry does and says.

use tower_message_feedback::{
    ManualClock, Timestamp,
    store::{
        Attempts, ConfirmTarget, Failure, FailureKind, FeedbackStore, RedisStore, SettleOutcome,
        SettledAs, Settlement, TrackedMessage,
    },
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    log::Log,
    servers::Redis,
    support::{key_in_one_shard, lease, message, open, open_as, queue, seconds},
};

const HOUR: u64 = 3600;

/// A store whose time stands still, and messages that are over an hour later.
async fn by_hand(server: &Redis) -> (RedisStore, ManualClock, impl Fn(u64) -> TrackedMessage) {
    let time = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    let builder = RedisStore::builder().clock(time.clock()).dead_letter_retention(seconds(HOUR));
    let store = open_as(builder, server).await;
    let now = time.now();
    let message = move |n| {
        let mut message = message(n);
        (message.sent_at, message.expires_at) = (now, now + seconds(HOUR));
        message
    };
    (store, time, message)
}

#[tokio::test]
async fn it_drops_as_many_as_it_is_told_at_most_and_says_how_many() {
    let server = Redis::start();
    let (store, time, message) = by_hand(&server).await;
    let targets: Vec<_> = (100..103).map(&message).map(ConfirmTarget::Message).collect();
    store.confirm(&targets).await.expect("an answer");
    let dead = SettledAs::Dead(Failure::new(FailureKind::Rejected, None, None));
    let settlements: Vec<_> = lease(&store, 10)
        .await
        .iter()
        .map(|entry| Settlement::new(entry, Attempts::new(1, 0), dead))
        .collect();
    let outcomes = store.settle(&settlements).await.expect("an answer");
    assert_eq!(outcomes, [SettleOutcome::Settled; 3]);
    store.record(&(0..40).map(&message).collect::<Vec<_>>()).await.expect("an answer");
    assert_eq!(store.expire(10).await.expect("an answer"), 0, "nothing is over");
    time.advance(seconds(24 * HOUR));
    let mut dropped = Vec::new();
    while dropped.last() != Some(&0) {
        dropped.push(store.expire(10).await.expect("an answer"));
    }
    assert_eq!(dropped, [10, 10, 10, 10, 3, 0]);
    assert_eq!(store.counts().await.expect("an answer").expired, 43);
}

#[tokio::test]
async fn a_shard_that_has_more_than_its_share_gets_what_the_others_leave() {
    let server = Redis::start();
    let (store, time, message) = by_hand(&server).await;
    let in_one_shard = |n| {
        let mut message = message(n);
        message.key = key_in_one_shard(n);
        message
    };
    store.record(&(0..40).map(in_one_shard).collect::<Vec<_>>()).await.expect("an answer");
    time.advance(seconds(24 * HOUR));
    assert_eq!(store.expire(32).await.expect("an answer"), 32);
    assert_eq!(store.expire(32).await.expect("an answer"), 8);
}

/// Lets ten minutes pass for what goes by this process's time.
async fn ten_minutes() {
    tokio::time::pause();
    tokio::time::advance(seconds(600)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn every_ten_minutes_lost_names_are_written_down_and_the_server_is_looked_at() {
    const NAMES: [&str; 2] = ["tmf:{accounts}:names", "tmf:{places}:names"];
    let server = Redis::start();
    let store = open(&server).await;
    queue(&store, 1).await;
    let before = NAMES.map(|name| server.cli(&["hlen", name]));
    for name in NAMES {
        server.cli(&["del", name, &name.replace("names", "numbers")]);
    }
    server.cli(&["config", "set", "maxmemory-policy", "allkeys-lru"]);
    let (log, _guard) = Log::of(LevelFilter::WARN);
    for passed in [false, true] {
        if passed {
            ten_minutes().await;
        }
        store.expire(10).await.expect("an answer");
        let names = NAMES.map(|name| server.cli(&["hlen", name]));
        assert_eq!(names == before, passed, "{names:?}");
        let told = log.text().contains("noeviction");
        assert_eq!(told, passed, "{}", log.text());
    }
    server.cli(&["config", "set", "maxmemory-policy", "noeviction"]);
    // Another process, which has met no name yet, can read what the first one queued.
    assert_eq!(lease(&open(&server).await, 10).await.len(), 1);
}
