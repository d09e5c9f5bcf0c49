//! What a pending message takes.

use tower_message_feedback::{
    MessageStatus,
    store::{FeedbackStore, RedisStore, StatusOutcome, StatusUpdate},
};

use crate::{
    servers::Redis,
    support::{message, open_as},
};

fn used(server: &Redis) -> u64 {
    let info = server.cli(&["info", "memory"]);
    let used = info.lines().find_map(|line| line.trim().strip_prefix("used_memory:"));
    used.expect("used_memory").parse().expect("a number")
}

/// Bytes a message, its index included, with `messages` of them.
async fn measure(messages: u64, expected: u64) -> f64 {
    let server = Redis::start();
    let store = open_as(RedisStore::builder().expected_messages(expected), &server).await;
    // Connections, scripts and buffers are there from the start.
    store.record(&[message(u64::MAX / 32)]).await.expect("an answer");
    let before = used(&server);
    for from in (0..messages).step_by(1000) {
        let batch: Vec<_> = (from..from + 1000).map(message).collect();
        store.record(&batch).await.expect("an answer");
    }
    let bytes = (used(&server) - before) as f64 / messages as f64;
    let counts = store.counts().await.expect("an answer");
    let estimate = counts.messages as f64 / messages as f64;
    assert!((0.8..1.2).contains(&estimate), "counted {} of {messages}", counts.messages);
    bytes
}

#[tokio::test]
async fn a_pending_message_takes_eighty_bytes_at_most_its_index_included() {
    // As many as expected, and ten times as many.
    for expected in [100_000, 10_000] {
        let bytes = measure(100_000, expected).await;
        println!("{bytes:.1} bytes a pending message, {expected} expected");
        assert!(bytes <= 80.0, "{bytes:.1} bytes a message, {expected} expected");
    }
}

#[tokio::test]
async fn its_status_takes_thirty_at_most() {
    const MESSAGES: u64 = 30_000;
    let server = Redis::start();
    let store = open_as(RedisStore::builder().expected_messages(MESSAGES), &server).await;
    let mut before = 0;
    for (status, is_measured) in [(MessageStatus::Sent, true), (MessageStatus::Delivered, false)] {
        for from in (0..MESSAGES).step_by(1000) {
            let batch: Vec<_> = (from..from + 1000).map(message).collect();
            store.record(&batch).await.expect("an answer");
        }
        if is_measured {
            before = used(&server);
        }
        for from in (0..MESSAGES).step_by(1000) {
            let updates = (from..from + 1000).map(message);
            let updates: Vec<_> =
                updates.map(|m| StatusUpdate::new(m.sid, m.account, status)).collect();
            let outcomes = store.update_status(&updates).await.expect("an answer");
            // One that shared its line of the index with another was lost once.
            assert!(
                outcomes.iter().all(|outcome| matches!(outcome, StatusOutcome::Updated { .. }))
            );
        }
    }
    let bytes = (used(&server) - before) as f64 / MESSAGES as f64;
    println!("{bytes:.1} bytes a status");
    assert!(bytes <= 30.0, "{bytes:.1} bytes a status");
}
