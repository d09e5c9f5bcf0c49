use std::collections::{BTreeMap, HashMap};

use crate::{
    AccountSid, Timestamp,
    store::{Counts, Resolution, Rollup, RollupBatch, RollupOutcome, Segment},
};

/// Segments of periods, some 200 bytes each: more than a fortnight of hours and a year of
/// days have, of messages to every country.
const MAX: usize = 250_000;

/// The counters of the report, bounded.
#[derive(Debug, Default)]
pub(super) struct Rollups {
    periods: BTreeMap<(Resolution, Timestamp), Period>,
    /// Segments of periods in all.
    held: usize,
    writers: HashMap<i64, (i64, Timestamp)>,
}

#[derive(Debug)]
struct Period {
    counts: HashMap<(AccountSid, Segment), Counts>,
    keep_until: Timestamp,
}

impl Rollups {
    pub(super) fn add(&mut self, batch: &RollupBatch) -> RollupOutcome {
        let (sequence, keep_until) =
            self.writers.entry(batch.writer).or_insert((i64::MIN, batch.keep_until));
        if *sequence >= batch.sequence {
            return RollupOutcome::Repeated;
        }
        *sequence = batch.sequence;
        *keep_until = batch.keep_until.max(*keep_until);
        for rollup in &batch.rollups {
            self.add_one(rollup);
        }
        while self.held > MAX {
            let Some((_, oldest)) = self.periods.pop_first() else { break };
            self.held -= oldest.counts.len();
        }
        RollupOutcome::Added
    }

    fn add_one(&mut self, rollup: &Rollup) {
        let period = self
            .periods
            .entry((rollup.resolution, rollup.start))
            .or_insert_with(|| Period { counts: HashMap::new(), keep_until: rollup.keep_until });
        period.keep_until = rollup.keep_until.max(period.keep_until);
        let before = period.counts.len();
        let of = (rollup.account, rollup.segment.clone());
        period.counts.entry(of).or_default().merge(&rollup.counts);
        self.held += period.counts.len() - before;
    }

    pub(super) fn read(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Rollup> {
        if from >= to {
            return Vec::new();
        }
        let periods = self.periods.range((resolution, from)..(resolution, to));
        let rollups = periods.flat_map(|(&(resolution, start), period)| {
            period.counts.iter().map(move |((account, segment), counts)| Rollup {
                resolution,
                start,
                account: *account,
                segment: segment.clone(),
                counts: counts.clone(),
                keep_until: period.keep_until,
            })
        });
        rollups.collect()
    }

    /// Drops up to `limit` periods, and writers, whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp, limit: usize) {
        let over = self.periods.iter().filter(|(_, period)| period.keep_until <= now);
        let over: Vec<_> = over.map(|(period, _)| *period).take(limit).collect();
        for period in over {
            if let Some(gone) = self.periods.remove(&period) {
                self.held -= gone.counts.len();
            }
        }
        self.writers.retain(|_, (_, keep_until)| *keep_until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Metric;

    #[test]
    fn they_are_bounded_and_the_oldest_hours_go_first() {
        let mut rollups = Rollups::default();
        let at = Timestamp::from_millis;
        let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let mut counts = Counts::default();
        counts.add(Metric::Attempted, 1);
        let of = |resolution, start, segment: String| {
            let segment = Segment::from(segment.as_str());
            Rollup::new(resolution, at(start), account, segment, counts.clone(), at(i64::MAX))
        };
        let many = i64::try_from(MAX / 10).unwrap();
        for hour in 0..11 {
            let mut some = vec![of(Resolution::Day, 0, "a".to_owned())];
            some.extend((0..many).map(|n| of(Resolution::Hour, hour, n.to_string())));
            rollups.add(&RollupBatch::new(1, hour, some, at(i64::MAX)));
        }
        let count = |resolution, from| rollups.read(resolution, at(from), at(i64::MAX)).len();
        assert_eq!(count(Resolution::Hour, 0), MAX / 10 * 9, "the first two hours are gone");
        assert_eq!(count(Resolution::Hour, 2), MAX / 10 * 9);
        let day = rollups.read(Resolution::Day, at(0), at(1));
        assert_eq!(day[0].counts.get(Metric::Attempted), 11);
        assert_eq!(rollups.held, MAX / 10 * 9 + 1);
    }

    #[test]
    fn those_whose_time_is_over_count_no_more() {
        let mut rollups = Rollups::default();
        let at = Timestamp::from_millis;
        let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let of = |start| {
            let (hour, segment) = (Resolution::Hour, Segment::default());
            Rollup::new(hour, at(start), account, segment, Counts::default(), at(start + 10))
        };
        rollups.add(&RollupBatch::new(1, 1, vec![of(0), of(1), of(2)], at(10)));
        rollups.expire(at(11), 100);
        assert_eq!((rollups.held, rollups.periods.len(), rollups.writers.len()), (1, 1, 0));
    }
}
