//! Scripts that a server has not, and commands that are sent twice.

use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, ConfirmTarget, FeedbackStore, LedgerStatus, RecordOutcome,
    SettleOutcome, SettledAs, Settlement,
};

use crate::{
    servers::Redis,
    support::{
        cluster, confirm, lease, message, open, patient, queue, record, sid, status, target,
    },
};

#[tokio::test]
async fn scripts_that_were_flushed_are_sent_again_in_single_calls_and_batches() {
    let server = Redis::start();
    let store = open(&server).await;
    queue(&store, 1).await;
    server.cli(&["script", "flush"]);
    queue(&store, 2).await;
    server.cli(&["script", "flush"]);
    let batch: Vec<_> = (10..200).map(message).collect();
    let outcomes = store.record(&batch).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == RecordOutcome::Inserted));
    server.cli(&["script", "flush"]);
    let targets: Vec<ConfirmTarget> = (10..200).map(target).collect();
    let outcomes = store.confirm(&targets).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == ConfirmOutcome::Queued));
    server.cli(&["script", "flush"]);
    let entries = lease(&store, 1000).await;
    assert_eq!(entries.len(), 192);
    server.cli(&["script", "flush"]);
    let settlements: Vec<Settlement> = entries
        .iter()
        .map(|entry| Settlement::new(entry, Attempts::new(1, 0), SettledAs::Delivered))
        .collect();
    let outcomes = store.settle(&settlements).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == SettleOutcome::Settled));
    for operation in 0..3 {
        server.cli(&["script", "flush"]);
        match operation {
            0 => drop(store.lookup(&[]).await.expect("an answer")),
            1 => assert_eq!(store.expire(10).await.expect("an answer"), 0),
            _ => assert_eq!(store.counts().await.expect("an answer").outbox, 0),
        }
    }
}

#[tokio::test]
async fn each_node_of_a_cluster_gets_the_scripts_it_has_not() {
    let builder = patient(tower_message_feedback::store::RedisStore::builder());
    let builder = builder.prefix(Redis::fresh_prefix());
    let store = builder.connect_cluster(cluster().urls()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    let batch: Vec<_> = (0..100).map(message).collect();
    store.record(&batch).await.expect("an answer");
    cluster().node(1).cli(&["script", "flush"]);
    let targets: Vec<ConfirmTarget> = (0..100).map(target).collect();
    let outcomes = store.confirm(&targets).await.expect("an answer");
    assert!(outcomes.iter().all(|outcome| *outcome == ConfirmOutcome::Queued));
}

#[tokio::test]
async fn a_server_that_was_restarted_gets_the_scripts_again() {
    let mut server = Redis::options().append_only("always").start();
    let store = open(&server).await;
    queue(&store, 1).await;
    record(&store, 2).await;
    server.restart();
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::AlreadyConfirmed);
    assert_eq!(confirm(&store, 2).await, ConfirmOutcome::Queued);
    assert_eq!(lease(&store, 10).await.len(), 2);
}

#[tokio::test]
async fn what_is_sent_twice_happens_once() {
    let server = Redis::start();
    let store = open(&server).await;
    record(&store, 1).await;
    let again = store.record(&[message(1)]).await.expect("an answer");
    assert_eq!(again, [RecordOutcome::AlreadyPresent]);
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::Queued);
    assert_eq!(confirm(&store, 1).await, ConfirmOutcome::AlreadyConfirmed);
    let entries = lease(&store, 10).await;
    assert_eq!(entries.len(), 1);
    assert!(lease(&store, 10).await.is_empty());
    let settlement = Settlement::new(&entries[0], Attempts::new(1, 0), SettledAs::Delivered);
    let outcomes = [
        store.settle(std::slice::from_ref(&settlement)).await.expect("an answer")[0],
        store.settle(&[settlement]).await.expect("an answer")[0],
    ];
    assert_eq!(outcomes, [SettleOutcome::Settled, SettleOutcome::LeaseLost]);
    assert!(matches!(status(&store, 1).await, Some(LedgerStatus::Delivered { .. })));
    assert_eq!(store.by_sid(&[sid(1), sid(2)]).await.expect("an answer")[1], None);
}
