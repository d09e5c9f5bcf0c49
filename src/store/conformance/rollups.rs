//! The counters of the report.

use super::{
    erased::Tested,
    fixture::{Fixture, answer, seconds},
    messages::account,
    tasks::{TASKS, together},
    verdict::CaseResult,
};
use crate::{
    Timestamp,
    store::{
        Counts, FeedbackStore, Metric, Resolution, Rollup, RollupBatch, RollupOutcome, Segment,
    },
};
use Resolution::{Day, Hour};
use RollupOutcome::{Added, Repeated};

/// As many attempts, and some more beside.
fn counts(attempted: i64) -> Counts {
    Counts::from_codes([(0, attempted), (2, -1), (9, i64::from(i32::MAX)), (48, 1)])
}

impl Fixture {
    /// The hour of the start, or one as many hours later.
    fn hour(&self, hours: i64) -> Timestamp {
        let start = Hour.start(self.start).as_millis();
        Timestamp::from_millis(start + hours * 3_600_000)
    }

    /// Counters of that hour, of account 0, that are of use for a while.
    fn rollup(&self, hours: i64, segment: &str, attempted: i64) -> Rollup {
        let keep_until = self.time.now() + seconds(100);
        let segment = Segment::from_stored(segment);
        Rollup::new(Hour, self.hour(hours), account(0), segment, counts(attempted), keep_until)
    }

    async fn add(&self, writer: i64, sequence: i64, rollups: &[Rollup]) -> RollupOutcome {
        let keep_until = self.time.now() + seconds(50);
        let batch = RollupBatch::new(writer, sequence, rollups.to_vec(), keep_until);
        answer("add_rollups", self.store.add_rollups(&batch)).await
    }

    async fn rolled_up(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Rollup> {
        let mut rollups = answer("rollups", self.store.rollups(resolution, from, to)).await;
        rollups.sort_by_key(|rollup| (rollup.start, rollup.account, rollup.segment.clone()));
        // A store may keep them for longer, and need not say how long.
        rollups.iter_mut().for_each(|rollup| rollup.keep_until = self.start);
        rollups
    }

    /// Every hour and segment with its attempts.
    async fn attempts(&self) -> Vec<(i64, String, i64)> {
        let rollups = self.rolled_up(Hour, self.hour(-1000), self.hour(1000)).await;
        let attempts = rollups.into_iter().map(|rollup| {
            let hours = (rollup.start.as_millis() - self.hour(0).as_millis()) / 3_600_000;
            let attempted = rollup.counts.get(Metric::Attempted);
            (hours, rollup.segment.as_str().to_owned(), attempted)
        });
        attempts.collect()
    }
}

pub(super) async fn what_was_added_is_read_as_it_was(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let day = Day.start(f.start);
    assert!(f.rolled_up(Hour, f.hour(-1000), f.hour(1000)).await.is_empty());
    let long = "\u{1f511}".repeat(240);
    let segments = ["", "a", "b\u{1f}DE\u{1f}sms\u{1f}\u{1f}", "'\"\\{},:;\r\n\t%", &long];
    let mut expected: Vec<Rollup> = segments.iter().map(|text| f.rollup(0, text, 3)).collect();
    let of_another = Rollup { account: account(1), ..f.rollup(0, "a", 4) };
    let daily = Rollup { resolution: Day, start: day, ..f.rollup(0, "a", 5) };
    expected.push(of_another);
    let all: Vec<Rollup> = expected.iter().cloned().chain([daily.clone()]).collect();
    assert_eq!(f.add(1, 1, &all).await, Added);
    expected.sort_by_key(|rollup| (rollup.account, rollup.segment.clone()));
    expected.iter_mut().for_each(|rollup| rollup.keep_until = f.start);
    assert_eq!(f.rolled_up(Hour, f.hour(0), f.hour(1)).await, expected);
    let days = f.rolled_up(Day, day, day + seconds(1)).await;
    assert_eq!(days, [Rollup { keep_until: f.start, ..daily }]);
    // Counters are no messages.
    f.sizes(0, 0, 0).await;
    Ok(())
}

pub(super) async fn what_is_added_adds_up(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.add(1, 1, &[f.rollup(0, "a", 1), f.rollup(1, "a", 10)]).await;
    f.add(1, 2, &[f.rollup(0, "a", 100), f.rollup(0, "b", 1000)]).await;
    f.add(1, 5, &[f.rollup(0, "a", -1)]).await;
    let expected = [(0, "a", 100), (0, "b", 1000), (1, "a", 10)];
    assert_eq!(f.attempts().await, expected.map(|(hour, of, n)| (hour, of.to_owned(), n)));
    let rollups = f.rolled_up(Hour, f.hour(0), f.hour(1)).await;
    let thrice = [(0, 100), (2, -3), (9, 3 * i64::from(i32::MAX)), (48, 3)];
    assert_eq!(rollups[0].counts.codes(), thrice);
    Ok(())
}

pub(super) async fn a_batch_is_added_once(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let (first, second) = ([f.rollup(0, "a", 1)], [f.rollup(0, "a", 10), f.rollup(0, "b", 1)]);
    assert_eq!(f.add(1, 1, &first).await, Added);
    assert_eq!(f.add(1, 1, &first).await, Repeated);
    assert_eq!(f.add(1, 2, &second).await, Added);
    assert_eq!(f.add(1, 2, &second).await, Repeated);
    assert_eq!(f.add(1, 1, &first).await, Repeated);
    assert_eq!(f.attempts().await[0].2, 11);
    // Another writer counts by itself.
    assert_eq!(f.add(i64::MIN, 1, &first).await, Added);
    assert_eq!(f.add(i64::MAX, 2, &first).await, Added);
    assert_eq!(f.add(i64::MIN, 1, &first).await, Repeated);
    assert_eq!(f.attempts().await, [(0, "a".to_owned(), 13), (0, "b".to_owned(), 1)]);
    assert_eq!(f.add(1, 3, &[]).await, Added);
    assert_eq!(f.add(1, 3, &first).await, Repeated);
    Ok(())
}

pub(super) async fn a_range_begins_with_its_first_and_ends_before_its_last(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    let hours: Vec<Rollup> = (-100..100).map(|hour| f.rollup(hour, "a", hour + 1000)).collect();
    f.add(1, 1, &hours).await;
    for (from, to) in [(0, 1), (-3, 2), (0, 0), (1, 0), (-1000, 1000), (99, 200)] {
        let read = f.rolled_up(Hour, f.hour(from), f.hour(to)).await;
        let expected: Vec<i64> = (from.max(-100)..to.min(100)).map(|hour| hour + 1000).collect();
        let attempts = read.iter().map(|rollup| rollup.counts.get(Metric::Attempted));
        assert_eq!(attempts.collect::<Vec<_>>(), expected, "from {from} to {to}");
    }
    let between = f.hour(0) + seconds(1);
    assert_eq!(f.rolled_up(Hour, between, f.hour(1)).await.len(), 0);
    assert_eq!(f.rolled_up(Hour, f.hour(0), between).await.len(), 1);
    assert!(f.rolled_up(Day, f.hour(-1000), f.hour(1000)).await.is_empty());
    Ok(())
}

pub(super) async fn counters_are_kept_until_their_time(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.add(1, 1, &[f.rollup(0, "a", 1), f.rollup(1, "b", 1)]).await;
    f.advance(seconds(50));
    f.add(2, 1, &[f.rollup(1, "b", 1)]).await;
    // Added for a shorter time, they are kept for the longer one.
    f.add(2, 2, &[Rollup { keep_until: f.time.now(), ..f.rollup(0, "a", 1) }]).await;
    f.advance(seconds(49));
    f.expire(100).await;
    let both = [(0, "a".to_owned(), 2), (1, "b".to_owned(), 2)];
    assert_eq!(f.attempts().await, both);
    // So is who has added which of them.
    assert_eq!(f.add(2, 2, &[f.rollup(0, "a", 1)]).await, Repeated);
    assert_eq!(f.attempts().await, both);
    f.advance(seconds(50));
    f.expire(100).await;
    assert_eq!(f.attempts().await.last(), both.last());
    f.advance(seconds(1));
    f.expire(100).await;
    if f.capabilities().exact_expiry {
        assert_eq!(f.attempts().await, []);
        assert_eq!(f.counts().await.expired, 0, "counters are no messages");
    }
    Ok(())
}

pub(super) async fn what_one_counts_the_other_reads(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    assert_eq!(a.add(1, 1, &[a.rollup(0, "a", 1)]).await, Added);
    assert_eq!(b.add(1, 1, &[b.rollup(0, "a", 1)]).await, Repeated);
    assert_eq!(b.add(2, 1, &[b.rollup(0, "a", 2)]).await, Added);
    assert_eq!(a.attempts().await, [(0, "a".to_owned(), 3)]);
    assert_eq!(b.attempts().await, a.attempts().await);
    Ok(())
}

pub(super) async fn what_many_add_at_once_adds_up(subject: &Tested) -> CaseResult {
    const BATCHES: i64 = 10;
    let f = Fixture::new(subject).await;
    let tasks = i64::try_from(TASKS).unwrap_or(0);
    together(&f, |f: Fixture, task| async move {
        let writer = i64::try_from(task).unwrap_or(0);
        for sequence in 0..BATCHES {
            // In no order, and half of the batches twice.
            let mut rollups: Vec<Rollup> =
                (0..20).map(|hour| f.rollup(hour % 4, &format!("{}", hour / 4), 1)).collect();
            if task % 2 == 0 {
                rollups.reverse();
            }
            assert_eq!(f.add(writer, sequence, &rollups).await, Added);
            if sequence % 2 == 0 {
                assert_eq!(f.add(writer, sequence, &rollups).await, Repeated);
            }
        }
    })
    .await;
    let attempts = f.attempts().await;
    assert_eq!(attempts.len(), 20);
    assert!(attempts.iter().all(|(_, _, n)| *n == tasks * BATCHES), "{attempts:?}");
    Ok(())
}
