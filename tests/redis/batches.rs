//! Batches, in their order and in scripts of a bounded length.

use tower_message_feedback::{
    CorrelationKeys,
    store::{ConfirmOutcome, ConfirmTarget, FeedbackStore, Resends},
};

use crate::{
    servers::Redis,
    support::{key, key_in_one_shard, open, record, target},
};

/// In a rotation an id is looked for under the current key and then under the
/// previous one; what comes behind it in the batch waits for both.
#[tokio::test]
async fn a_confirm_under_two_keys_has_its_turn_before_the_next_of_the_batch() {
    let server = Redis::start();
    let store = open(&server).await;
    for n in 0..20 {
        record(&store, n).await;
        let mut keys = CorrelationKeys::from(key(1000 + n));
        keys.previous = Some(key(n));
        let rotated = ConfirmTarget::Id { keys, resends: Resends::Newest };
        let outcomes = store.confirm(&[rotated, target(n)]).await.expect("an answer");
        assert_eq!(outcomes, [ConfirmOutcome::Queued, ConfirmOutcome::AlreadyConfirmed]);
    }
}

/// A script holds up whatever else its server has to do.
#[tokio::test]
async fn a_large_batch_of_one_shard_is_many_scripts() {
    let server = Redis::start();
    let store = open(&server).await;
    let ids: Vec<CorrelationKeys> = (0..600).map(|n| key_in_one_shard(n).into()).collect();
    // The server knows the script from here on.
    store.lookup(&ids[..1]).await.expect("an answer");
    server.cli(&["config", "resetstat"]);
    let found = store.lookup(&ids).await.expect("an answer");
    assert!(found.len() == ids.len() && found.iter().all(Vec::is_empty));
    let calls = server.cli(&["info", "commandstats"]);
    let calls = calls.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
    assert!(calls.is_some_and(|calls| calls.contains("calls=3,")), "{calls:?}");
}
