//! Times at the ends of their ranges, and times that go back.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use tower_message_feedback::{
    Confirmation, ManualClock, Recorded, RetryPolicy, Timestamp,
    simulator::Answer,
    store::{FeedbackStore, LedgerStatus, MemoryStore, SqliteStore},
};

use crate::support::{
    AC, CORRELATION_KEY, START, Site, World, credentials, guarded, in_process, seconds,
};

const DAY: Duration = seconds(24 * 60 * 60);

/// Goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tmf-extremes-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory for the test");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Stores that compute with times, each with its own clock: in memory, and in SQL.
async fn stores(
    now: Timestamp,
    directory: &Directory,
) -> [(ManualClock, Arc<dyn FeedbackStore>); 2] {
    let times = [ManualClock::new(now), ManualClock::new(now)];
    let memory = MemoryStore::builder()
        .clock(times[0].clock())
        .ledger_retention(Duration::MAX)
        .dead_letter_retention(Duration::MAX)
        .build();
    let file = directory.0.join("feedback.db");
    SqliteStore::migrate(&file).await.expect("a schema");
    let sqlite = SqliteStore::builder(file).clock(times[1].clock()).open().await.expect("a store");
    let [first, second] = times;
    [(first, Arc::new(memory)), (second, Arc::new(sqlite))]
}

/// A handle at such a time, with a Twilio that needs no socket.
async fn worlds(now: Timestamp, longest: Duration) -> (Vec<World>, Directory) {
    let directory = Directory::new();
    let mut worlds = Vec::new();
    for (time, store) in stores(now, &directory).await {
        let site = Site { time, ..Site::new().await };
        let policy = RetryPolicy::default()
            .base(longest.min(seconds(1)))
            .max(longest)
            .max_retry_after(longest)
            .not_found_for(longest)
            .give_up_after(longest);
        let builder = site
            .builder()
            .credentials(credentials())
            .transport(in_process(&site.twilio))
            .correlation_key(CORRELATION_KEY)
            .store(store)
            .store_timeout(longest)
            .retention(longest)
            .retry_policy(policy)
            .call_timeout(longest)
            .wait_for_record(10, longest)
            .receipt_bounds(1024, longest)
            .report_retention(longest, longest);
        worlds.push(site.world(builder));
    }
    (worlds, directory)
}

/// A message is recorded, confirmed, reported and known.
async fn goes_all_the_way(world: &World, id: &str) {
    assert_eq!(
        guarded(world.feedback.confirm(format!("{id} of nobody"))).await,
        Confirmation::Unknown
    );
    let sid = world.act(id).await;
    let left = world.flush().await;
    assert_eq!(left.outbox, Some(0));
    assert_eq!(world.reports(sid), 1);
    assert!(matches!(world.status(sid).await, LedgerStatus::Delivered { .. }));
}

#[tokio::test]
async fn bounds_without_end_are_bounds() {
    let (worlds, _directory) = worlds(START, Duration::MAX).await;
    for world in worlds {
        goes_all_the_way(&world, "first").await;
        // Long enough for every periodic task.
        world.advance(seconds(3600)).await;
        goes_all_the_way(&world, "second").await;
        world.twilio.answer_feedback(Answer::status(404));
        let retried = world.act("not found").await;
        world.flush().await;
        assert_eq!(world.attempts(retried).await, Some(1));
        let left = guarded(world.feedback.shutdown(seconds(1))).await;
        assert_eq!(left.outbox, Some(1));
    }
}

#[tokio::test]
async fn a_clock_may_show_any_time() {
    let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX) - DAY);
    let far = Timestamp::from_millis(253_402_300_799_999);
    for now in [first, Timestamp::from_millis(-1), Timestamp::from_millis(0), far, last] {
        let site = Site { time: ManualClock::new(now), ..Site::new().await };
        let builder = site.builder().credentials(credentials()).transport(in_process(&site.twilio));
        let world = site.world(builder);
        let sid = world.create(AC).await;
        let recorded = world.feedback.record("id", world.sent(AC, sid)).await;
        assert_eq!(recorded, Recorded::Recorded, "{now:?}");
        assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued, "{now:?}");
        assert_eq!(world.flush().await.outbox, Some(0), "{now:?}");
        assert_eq!(world.reports(sid), 1, "{now:?}");
    }
}

#[tokio::test]
async fn a_message_may_have_been_sent_at_any_time() {
    let long = Duration::from_secs(1 << 40);
    let times = [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH - long,
        SystemTime::UNIX_EPOCH + long,
        SystemTime::from(START) + DAY,
    ];
    let (worlds, _directory) = worlds(START, DAY).await;
    for world in worlds {
        for (n, time) in times.into_iter().enumerate() {
            let sid = world.create(AC).await;
            let id = format!("sent at time {n}");
            let sent = world.sent(AC, sid).sent_at(time);
            assert_eq!(world.feedback.record(id.as_str(), sent).await, Recorded::Recorded);
            assert_eq!(world.feedback.confirm(id).await, Confirmation::Queued);
            world.flush().await;
            assert_eq!(world.reports(sid), 1, "{time:?}");
        }
    }
}

/// A step of the clock moves what waits: nothing is lost by it, and nothing said twice.
#[tokio::test]
async fn a_clock_that_goes_back_a_day_loses_nothing() {
    let (worlds, _directory) = worlds(START, DAY).await;
    for world in worlds {
        world.twilio.answer_feedback(Answer::status(404));
        let retried = world.act("waits for its retry").await;
        world.flush().await;
        assert_eq!(world.attempts(retried).await, Some(1));
        let pending = world.send("nobody has acted on it").await;
        world.time.step_back(DAY);
        let before = world.act("the day before").await;
        world.flush().await;
        assert_eq!(world.reports(before), 1);
        assert_eq!(world.feedback.confirm("nobody has acted on it").await, Confirmation::Queued);
        world.flush().await;
        assert_eq!(world.reports(pending), 1);
        let left = world.advance(DAY + seconds(2_000)).await;
        assert_eq!(left.outbox, Some(0));
        assert_eq!(world.reports(retried), 1);
    }
}

/// The last minute of 2016 had 61 seconds.
#[tokio::test]
async fn a_leap_second_is_a_time() {
    let before = Timestamp::from_millis(1_483_228_790_000);
    let (worlds, _directory) = worlds(before, DAY).await;
    for world in worlds {
        let date = "Sat, 31 Dec 2016 23:59:60 GMT";
        world.twilio.answer_feedback(Answer::status(503).with_header("retry-after", date));
        let sid = world.act("id").await;
        assert_eq!(world.flush().await.outbox, Some(1));
        assert_eq!(world.calls().len(), 1);
        assert_eq!(world.advance(seconds(8)).await.outbox, Some(1));
        assert_eq!(world.advance(seconds(3)).await.outbox, Some(0));
        assert_eq!(world.reports(sid), 1);
    }
}
