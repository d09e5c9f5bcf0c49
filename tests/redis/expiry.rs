//! What the server itself drops, by its own clock.

use std::time::{Duration, Instant};

use tower_message_feedback::store::{FeedbackStore, RecordOutcome};

use crate::{
    servers::Redis,
    support::{confirm, open, queue, seconds, status, waiting},
};

#[tokio::test]
async fn what_is_over_is_gone_at_once_and_every_bucket_has_its_end() {
    let server = Redis::start();
    let store = open(&server).await;
    let outcomes = store.record(&[waiting(1, seconds(2)), waiting(2, seconds(600))]).await;
    assert_eq!(outcomes.expect("an answer"), [RecordOutcome::Inserted; 2]);
    // A generation ends soon after its messages, and its buckets a minute later.
    let mut ends = Vec::new();
    for key in server.cli(&["keys", "tmf:*:[ms]*:*"]).lines() {
        let left: i64 = server.cli(&["pttl", key]).trim().parse().expect("a number");
        assert!(left > 0 && left < 900_000, "{key} ends in {left} ms");
        ends.push(left);
    }
    assert_eq!(ends.len(), 4, "a bucket and a line of the index for each");
    let deadline = Instant::now() + seconds(60);
    while status(&store, 1).await.is_some() {
        assert!(Instant::now() < deadline, "it is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(status(&store, 2).await.is_some());
    assert_eq!(confirm(&store, 1).await, tower_message_feedback::store::ConfirmOutcome::Unknown);
    // It may come again, under the same id or another.
    let mut again = waiting(1, seconds(600));
    again.key = crate::support::key(77);
    assert_eq!(store.record(&[again]).await.expect("an answer"), [RecordOutcome::Inserted]);
}

#[tokio::test]
async fn the_outbox_has_no_end() {
    let server = Redis::start();
    let store = open(&server).await;
    queue(&store, 1).await;
    for name in server.cli(&["keys", "tmf:*:q"]).lines() {
        assert_eq!(server.cli(&["pttl", name]).trim(), "-1");
    }
    // The index lasts for as long as the entry may wait.
    let longest = server
        .cli(&["keys", "tmf:*:s*:*"])
        .lines()
        .map(|name| server.cli(&["pttl", name]).trim().parse::<i64>().expect("a number"))
        .max();
    assert!(longest > Some(2 * 24 * 3_600_000), "{longest:?}");
    assert_eq!(store.expire(100).await.expect("an answer"), 0);
    assert!(status(&store, 1).await.is_some());
}
