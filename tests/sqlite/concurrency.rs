//! Many tasks, two store objects, callers that go away, a job that fails.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{FutureExt, future::join_all};
use tower_message_feedback::store::{
    ConfirmOutcome, FeedbackStore, LeaseRequest, RecordOutcome, SettleOutcome, SettledAs,
    Settlement, SqliteStore,
};

use crate::support::{Fixture, LEASE, account, by_id, confirm, contains, message, ok, sid, text};

/// The store objects of two processes, as far as SQLite can tell.
async fn two(fixture: &Fixture) -> [Arc<SqliteStore>; 2] {
    [Arc::new(fixture.again().await), Arc::new(fixture.again().await)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_many_tasks_of_two_stores_confirm_is_queued_once() {
    let fixture = Fixture::new().await;
    let messages: Vec<_> = (0..200).map(message).collect();
    ok(fixture.store.record(&messages)).await;
    let stores = two(&fixture).await;
    let tasks = (0..8_usize).map(|task| {
        let store = stores[task % 2].clone();
        tokio::spawn(async move { join_all((0..200).map(|n| confirm(&store, n))).await })
    });
    let mut queued = [0; 200];
    for task in join_all(tasks).await {
        for (n, outcome) in task.expect("no panic").into_iter().enumerate() {
            match outcome {
                ConfirmOutcome::Queued => queued[n] += 1,
                other => assert_eq!(other, ConfirmOutcome::AlreadyConfirmed),
            }
        }
    }
    assert_eq!(queued, [1; 200]);
    assert_eq!(fixture.sizes().await, (200, 200, 0));
    fixture.is_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_what_two_stores_lease_at_once_nothing_is_leased_twice() {
    let fixture = Fixture::new().await;
    let messages: Vec<_> = (0..300).map(message).collect();
    ok(fixture.store.record(&messages)).await;
    let targets: Vec<_> = (0..300).map(by_id).collect();
    ok(fixture.store.confirm(&targets)).await;
    let stores = two(&fixture).await;
    let tasks = (0..6_usize).map(|task| {
        let store = stores[task % 2].clone();
        tokio::spawn(async move {
            let mut delivered = Vec::new();
            loop {
                let entries = ok(store.lease(&LeaseRequest::new(7, LEASE))).await.entries;
                if entries.is_empty() {
                    return delivered;
                }
                let settled =
                    |entry| Settlement::new(entry, Default::default(), SettledAs::Delivered);
                let settlements: Vec<_> = entries.iter().map(settled).collect();
                let outcomes = ok(store.settle(&settlements)).await;
                assert!(outcomes.iter().all(|outcome| *outcome == SettleOutcome::Settled));
                delivered.extend(entries.into_iter().map(|entry| entry.sid));
            }
        })
    });
    let mut delivered = Vec::new();
    for task in join_all(tasks).await {
        delivered.extend(task.expect("no panic"));
    }
    assert_eq!(delivered.len(), 300);
    assert_eq!(delivered.iter().collect::<BTreeSet<_>>().len(), 300);
    assert_eq!(fixture.sizes().await, (300, 0, 0));
    fixture.is_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_bounds_hold_for_two_stores_together() {
    let fixture = Fixture::with(|builder| builder.max_messages(50).max_outbox(10)).await;
    let stores = two(&fixture).await;
    let tasks = (0..8).map(|task| {
        let store = stores[task as usize % 2].clone();
        tokio::spawn(async move {
            for n in (0..400).filter(|n| n % 8 == task) {
                let outcome = ok(store.record(&[message(n)])).await;
                assert_eq!(outcome, [RecordOutcome::Inserted]);
                ok(store.confirm(&[by_id(n)])).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("no panic");
    }
    assert_eq!(fixture.sizes().await, (50, 10, 0));
    let mut evicted = 0;
    for store in &stores {
        evicted += ok(store.counts()).await.evicted;
    }
    assert_eq!(evicted, 350);
    fixture.is_sound();
}

#[tokio::test]
async fn a_caller_that_goes_away_breaks_nothing() {
    let fixture = Fixture::new().await;
    // More than the queue holds: some are dropped before they are in it.
    let messages: Vec<_> = (0..3000).map(|n| [message(n)]).collect();
    let mut asked: Vec<_> = Vec::new();
    for message in &messages {
        let mut record = fixture.store.record(message);
        assert!((&mut record).now_or_never().is_none() || asked.is_empty());
        asked.push(record);
    }
    drop(asked);
    // Whatever was done of it was done as a whole.
    fixture.confirm(0).await;
    let (count, _, _) = fixture.sizes().await;
    for (n, message) in messages.iter().enumerate().step_by(100) {
        let known = fixture.status(n as u64).await.is_some();
        let again = ok(fixture.store.record(message)).await;
        let expected = if known { RecordOutcome::AlreadyPresent } else { RecordOutcome::Inserted };
        assert_eq!(again, [expected]);
    }
    assert!(count <= 3000);
    fixture.is_sound();
}

#[tokio::test]
async fn a_job_that_fails_is_undone_alone() {
    let fixture = Fixture::new().await;
    fixture.record(0).await;
    fixture
        .connection()
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON tmf_message WHEN NEW.sent_at < 0
             BEGIN SELECT RAISE(ABORT, 'no such time'); END",
        )
        .expect("a trigger");
    let mut bad = message(13);
    bad.sent_at = tower_message_feedback::Timestamp::from_millis(-1);
    bad.segment = "new with the failing job".into();
    let failing = [message(11), message(12), bad];
    // All in one transaction, or in two.
    let asked = (20..60).map(|n| {
        let (store, failing) = (&fixture.store, &failing);
        async move {
            if n == 40 {
                let error = store.record(failing).await.expect_err("a failing statement");
                assert!(text(&error).starts_with("the feedback store failed: SQLite failed"));
                assert!(!contains(text(&error).as_bytes(), b"no such time"));
                assert!(!contains(text(&error).as_bytes(), b"INSERT"));
            } else {
                assert_eq!(ok(store.record(&[message(n)])).await, [RecordOutcome::Inserted]);
            }
        }
    });
    join_all(asked).await;
    for n in 11..=13 {
        assert_eq!(fixture.status(n).await, None, "half a job was done");
    }
    for n in (20..60).filter(|n| *n != 40) {
        assert!(fixture.status(n).await.is_some());
    }
    assert_eq!(fixture.sizes().await, (40, 0, 0));
    // What the failed job had given a number gets another one.
    let mut labelled = message(70);
    labelled.segment = "new with the failing job".into();
    ok(fixture.store.record(&[labelled])).await;
    let entry = ok(fixture.store.by_sid(&[sid(70)])).await.remove(0).expect("message 70");
    assert_eq!(entry.label(), Some("new with the failing job"));
    fixture.is_sound();
}

#[tokio::test]
async fn a_job_that_undoes_its_neighbours_is_an_error_of_theirs() {
    let fixture = Fixture::new().await;
    let other = fixture.connection();
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON tmf_message WHEN NEW.sent_at < 0
             BEGIN SELECT RAISE(ROLLBACK, 'no such time'); END;
             BEGIN IMMEDIATE",
        )
        .expect("a trigger, and the lock");
    let mut messages: Vec<_> = (0..10).map(|n| [message(n)]).collect();
    messages[5][0].sent_at = tower_message_feedback::Timestamp::from_millis(-1);
    // They wait for the lock together, and share a transaction then.
    let asked = join_all(messages.iter().map(|message| fixture.store.record(message)));
    let unlocked = async { other.execute_batch("ROLLBACK").expect("the end") };
    let (answers, ()) = tokio::join!(asked, unlocked);
    // Those that came behind it have a transaction of their own.
    let is_recorded = |n: u64| n > 5;
    for (n, answer) in (0..).zip(answers) {
        assert_eq!(answer.is_ok(), is_recorded(n), "{n}");
        assert_eq!(fixture.status(n).await.is_some(), is_recorded(n), "{n}");
    }
    fixture.is_sound();
}

#[tokio::test]
async fn what_a_commit_that_failed_had_named_is_named_anew() {
    let fixture = Fixture::new().await;
    let connection = fixture.connection();
    // A constraint that is looked at by the commit alone.
    connection
        .execute_batch(
            "CREATE TABLE user (id INTEGER PRIMARY KEY);
             CREATE TABLE login (user INTEGER REFERENCES user DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER refuse AFTER INSERT ON tmf_message
             BEGIN INSERT INTO login VALUES (1); END",
        )
        .expect("a trigger");
    let mut labelled = message(1);
    labelled.segment = "new with the failing commit".into();
    fixture.store.record(&[labelled.clone()]).await.expect_err("a commit that fails");
    assert_eq!(fixture.status(1).await, None);
    connection.execute_batch("DROP TRIGGER refuse").expect("no trigger");
    assert_eq!(ok(fixture.store.record(&[labelled.clone()])).await, [RecordOutcome::Inserted]);
    let entry = ok(fixture.store.by_sid(&[sid(1)])).await.remove(0).expect("message 1");
    assert_eq!((entry.account, &entry.base_url), (labelled.account, &labelled.base_url));
    assert_eq!(entry.label(), Some("new with the failing commit"));
    fixture.is_sound();
}

/// Turns are no shares: what some do not need is there for the others.
#[tokio::test]
async fn an_account_gets_what_the_others_leave() {
    let fixture = Fixture::new().await;
    for n in [1, 2].into_iter().chain((0..10).map(|n| n * 3)) {
        fixture.queue(n).await;
    }
    let leased = fixture.lease(10).await;
    let of = |n| leased.iter().filter(|entry| entry.account == account(n)).count();
    assert_eq!([0, 1, 2].map(of), [8, 1, 1]);
    assert_eq!(fixture.lease(10).await.len(), 2);
}
