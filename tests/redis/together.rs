//! Many tasks, and several store objects, on the same data.

use std::{collections::BTreeSet, sync::Arc};

use tower_message_feedback::store::{
    Attempts, ConfirmOutcome, FeedbackStore, ForgetTarget, SettleOutcome, SettledAs, Settlement,
};

use crate::{
    servers::Redis,
    support::{confirm, key, lease, message, open, sid, target},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_objects_deliver_everything_once_between_them() {
    const MESSAGES: u64 = 600;
    let server = Redis::start();
    let stores = [Arc::new(open(&server).await), Arc::new(open(&server).await)];
    let all: Vec<_> = (0..MESSAGES).map(message).collect();
    stores[0].record(&all).await.expect("an answer");
    let mut tasks = Vec::new();
    for at in 0..8 {
        let store = stores[at % 2].clone();
        tasks.push(tokio::spawn(async move {
            let mut queued = 0;
            // Everybody confirms everything, each from another end.
            for n in 0..MESSAGES {
                let n = (n * 7 + at as u64 * 83) % MESSAGES;
                queued += usize::from(confirm(&store, n).await == ConfirmOutcome::Queued);
            }
            queued
        }));
    }
    let mut queued = 0;
    for task in tasks {
        queued += task.await.expect("no panic");
    }
    assert_eq!(queued as u64, MESSAGES);
    let mut tasks = Vec::new();
    for at in 0..6 {
        let store = stores[at % 2].clone();
        tasks.push(tokio::spawn(async move {
            let mut delivered = Vec::new();
            loop {
                let entries = lease(&store, 40).await;
                if entries.is_empty() {
                    return delivered;
                }
                let settlements: Vec<Settlement> = entries
                    .iter()
                    .map(|entry| Settlement::new(entry, Attempts::new(1, 0), SettledAs::Delivered))
                    .collect();
                let outcomes = store.settle(&settlements).await.expect("an answer");
                assert!(outcomes.iter().all(|outcome| *outcome == SettleOutcome::Settled));
                delivered.extend(entries.into_iter().map(|entry| entry.sid));
            }
        }));
    }
    let mut delivered = Vec::new();
    for task in tasks {
        delivered.extend(task.await.expect("no panic"));
    }
    assert_eq!(delivered.len() as u64, MESSAGES);
    assert_eq!(delivered.iter().collect::<BTreeSet<_>>().len() as u64, MESSAGES);
    assert_eq!(stores[1].counts().await.expect("an answer").outbox, 0);
}

#[tokio::test]
async fn a_confirm_is_seen_by_the_next_lease_of_any_object() {
    let server = Redis::start();
    let (one, other) = (open(&server).await, open(&server).await);
    one.record(&[message(1), message(2)]).await.expect("an answer");
    for (confirming, leasing, n) in [(&one, &other, 1), (&other, &one, 2)] {
        assert!(lease(leasing, 10).await.is_empty());
        confirming.confirm(&[target(n)]).await.expect("an answer");
        assert_eq!(lease(leasing, 10).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_while_it_is_forgotten_is_found_by_its_sid() {
    const ROUNDS: u64 = 1_500;
    let server = Redis::start();
    let store = Arc::new(open(&server).await);
    let mut kept = 0;
    for n in 0..ROUNDS {
        let again = message(n);
        store.record(std::slice::from_ref(&again)).await.expect("an answer");
        let forgetting = store.clone();
        let forgetting = tokio::spawn(async move {
            forgetting.forget(&[ForgetTarget::Message(sid(n))]).await.expect("an answer")
        });
        store.record(&[again]).await.expect("an answer");
        forgetting.await.expect("no panic");
        let by_id = store.lookup(&[key(n).into()]).await.expect("an answer").remove(0);
        let by_sid = store.by_sid(&[sid(n)]).await.expect("an answer").remove(0);
        assert_eq!(by_id.len(), usize::from(by_sid.is_some()), "round {n}");
        kept += by_id.len();
    }
    assert!(kept > 0, "the two never met");
}
