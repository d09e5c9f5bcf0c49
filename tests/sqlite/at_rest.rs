//! What can be read in the files: nothing of what is forgotten. (That no id and no secret
//! ever stands there is shown in `tests/privacy`.)

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use tower_message_feedback::{
    MessageSid,
    store::{
        ConfirmTarget, Failure, FailureKind, FeedbackStore, ForgetTarget, Resends, SettledAs,
        TrackedMessage,
    },
};

use crate::support::{Fixture, RETENTION, key, keys, message, ok, seconds};

const REJECTED: Failure = Failure::new(FailureKind::Rejected, Some(400), None);

/// A SID that looks like a real one.
fn random_sid(n: u64) -> MessageSid {
    let text: String = key(n + 1_000_000).as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("SM{text}").parse().expect("a SID")
}

fn with_random_sid(n: u64) -> TrackedMessage {
    let mut message = message(n);
    message.sid = random_sid(n);
    message
}

/// Of `numbers`, those whose key or SID is in a file.
fn at_rest(fixture: &Fixture, numbers: impl Iterator<Item = u64>) -> BTreeSet<u64> {
    let needles: HashMap<[u8; 16], u64> = numbers
        .flat_map(|n| [(*key(n).as_bytes(), n), (*key(n + 1_000_000).as_bytes(), n)])
        .collect();
    let bytes = fixture.directory.bytes();
    let found = bytes.windows(16).filter_map(|window| needles.get(window));
    found.copied().collect()
}

#[tokio::test]
async fn what_was_forgotten_is_in_no_file() {
    let fixture = Fixture::new().await;
    let messages: Vec<_> = (0..20).map(with_random_sid).collect();
    ok(fixture.store.record(&messages)).await;
    let confirmed = (0..12).map(|n| ConfirmTarget::Id { keys: keys(n), resends: Resends::All });
    ok(fixture.store.confirm(&confirmed.collect::<Vec<_>>())).await;
    for (n, entry) in fixture.lease(9).await.iter().enumerate() {
        let ends = [SettledAs::Delivered, SettledAs::Dead(REJECTED), SettledAs::Retry(seconds(9))];
        fixture.settle(entry, ends[n % 3]).await;
    }
    assert_eq!(at_rest(&fixture, 0..20), (0..20).collect());
    for n in (0..20).filter(|n| n % 5 != 0) {
        let target = match n % 2 {
            0 => ForgetTarget::Id(keys(n)),
            _ => ForgetTarget::Message(random_sid(n)),
        };
        assert_eq!(ok(fixture.store.forget(&[target])).await, [1]);
    }
    assert_eq!(at_rest(&fixture, 0..20), [0, 5, 10, 15].into());
    fixture.is_sound();
}

#[tokio::test]
async fn of_very_many_few_traces_are_left_and_a_vacuum_leaves_none() {
    let fixture = Fixture::new().await;
    let many = 6000;
    // Pages split and empty: a part of one that is not in use may keep what was
    // moved from it to another.
    for from in (0..many).step_by(500) {
        let messages: Vec<_> = (from..from + 500).map(with_random_sid).collect();
        ok(fixture.store.record(&messages)).await;
    }
    let gone = || (0..many).filter(|n| n % 3 != 2);
    let targets: Vec<_> = gone().map(|n| ForgetTarget::Id(keys(n))).collect();
    for batch in targets.chunks(100) {
        assert_eq!(ok(fixture.store.forget(batch)).await, vec![1; batch.len()]);
    }
    let left = at_rest(&fixture, gone()).len();
    assert!(left < targets.len() / 40, "{left} of {}", targets.len());
    fixture
        .connection()
        .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("a smaller file");
    assert!(at_rest(&fixture, gone()).is_empty());
    assert_eq!(at_rest(&fixture, 0..many).len(), 2000);
    fixture.is_sound();
}

#[tokio::test]
async fn what_is_over_is_overwritten_in_the_file() {
    let fixture = Fixture::new().await;
    ok(fixture.store.record(&(0..20).map(with_random_sid).collect::<Vec<_>>())).await;
    fixture.time.advance(RETENTION);
    assert_eq!(ok(fixture.store.expire(1000)).await, 20);
    // The log is emptied with the last connection, or by later commits.
    let emptied = "PRAGMA wal_checkpoint(TRUNCATE)";
    fixture.connection().execute_batch(emptied).expect("a checkpoint");
    assert!(at_rest(&fixture, 0..20).is_empty());
}

#[tokio::test]
async fn who_reads_does_not_keep_others_from_forgetting() {
    let patience = seconds(20);
    let fixture = Fixture::with(|builder| builder.busy_timeout(patience)).await;
    fixture.record(1).await;
    let reader = fixture.connection();
    reader.execute_batch("BEGIN; SELECT count(*) FROM tmf_message").expect("a look");
    let begun = Instant::now();
    assert_eq!(ok(fixture.store.forget(&[ForgetTarget::Id(keys(1))])).await, [1]);
    assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
    assert_eq!(fixture.status(1).await, None);
}
