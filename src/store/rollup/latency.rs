use std::time::Duration;

/// How long conversions took, from the send to the confirm.
///
/// The first bucket ends at a second, each other at 1.41 times the end of the one before
/// it, the last one never: 41 buckets, up to eleven days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyHistogram([i64; BUCKETS]);

const BUCKETS: usize = 41;

/// When each bucket but the last ends, in milliseconds.
const ENDS: [u64; BUCKETS - 1] = {
    let mut ends = [0; BUCKETS - 1];
    let mut at = 0;
    while at < ends.len() {
        let whole = 1000_u64 << (at / 2);
        // The square root of two, to as many digits as a whole week needs.
        ends[at] = if at % 2 == 0 { whole } else { whole * 1_414_213_562 / 1_000_000_000 };
        at += 1;
    }
    ends
};

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl LatencyHistogram {
    /// The histogram of one conversion.
    #[must_use]
    pub fn of(latency: Duration) -> Self {
        let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let mut histogram = Self::default();
        histogram.0[ENDS.partition_point(|end| *end < millis)] = 1;
        histogram
    }

    /// How many conversions there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts all that `more` has.
    pub fn merge(&mut self, more: &Self) {
        for (count, more) in self.0.iter_mut().zip(more.0) {
            *count = count.saturating_add(more);
        }
    }

    /// How long a `quantile` of the conversions took at most, 0.5 the median: as far into
    /// its bucket as its place among those in there. `None` if there are none; of the last
    /// bucket, its beginning.
    ///
    /// # Panics
    ///
    /// If `quantile` is not from 0 to 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        assert!((0.0..=1.0).contains(&quantile), "a quantile is from 0 to 1");
        let rank = quantile * self.count() as f64;
        let mut below = 0.0;
        let (bucket, count) = self.0.iter().enumerate().find(|(_, count)| {
            let reached = **count > 0 && below + **count as f64 >= rank;
            if !reached {
                below += (**count).max(0) as f64;
            }
            reached
        })?;
        let start = if bucket == 0 { 0 } else { ENDS[bucket - 1] } as f64;
        let end = ENDS.get(bucket).map_or(start, |end| *end as f64);
        let share = ((rank - below) / *count as f64).clamp(0.0, 1.0);
        Some(Duration::from_secs_f64((start + (end - start) * share) / 1000.0))
    }

    /// The end of each bucket, `None` for the last, and how many are in it.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Duration>, i64)> {
        let ends = ENDS.iter().map(|end| Some(Duration::from_millis(*end))).chain([None]);
        ends.zip(self.0)
    }

    /// The buckets that are not empty, by their numbers.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u8, i64)> {
        (0_u8..).zip(self.0).filter(|(_, count)| *count != 0)
    }
}

impl FromIterator<(u8, i64)> for LatencyHistogram {
    fn from_iter<I: IntoIterator<Item = (u8, i64)>>(buckets: I) -> Self {
        let mut histogram = Self::default();
        for (bucket, count) in buckets {
            let bucket = usize::from(bucket).min(BUCKETS - 1);
            histogram.0[bucket] = histogram.0[bucket].saturating_add(count);
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_no_median_and_the_last_bucket_has_no_end() {
        assert_eq!(LatencyHistogram::default().quantile(0.5), None);
        let long = LatencyHistogram::of(Duration::from_secs(100 * 24 * 60 * 60));
        let last = Duration::from_millis(ENDS[BUCKETS - 2]);
        assert_eq!(long.quantile(1.0), Some(last));
        assert!(last > Duration::from_secs(8 * 24 * 60 * 60));
        assert_eq!(long.iter().last(), Some((None, 1)));
    }

    #[test]
    fn a_quantile_is_as_far_into_its_bucket_as_its_place_among_those_in_there() {
        let buckets = LatencyHistogram::from_iter([(0, 4), (2, 4)]);
        for (quantile, millis) in
            [(0.0, 0), (0.125, 250), (0.25, 500), (0.5, 1000), (0.75, 1707), (1.0, 2000)]
        {
            let told = buckets.quantile(quantile).unwrap();
            assert_eq!((told.as_secs_f64() * 1000.0).round() as u64, millis, "{quantile}");
        }
    }

    #[test]
    fn a_bucket_that_only_a_later_version_knows_is_the_last() {
        let buckets: LatencyHistogram = [(40, 1), (41, 2), (u8::MAX, 4)].into_iter().collect();
        assert_eq!(buckets.iter().last(), Some((None, 7)));
    }

    proptest! {
        #[test]
        fn a_quantile_is_in_the_bucket_of_the_true_one(
            mut millis in prop::collection::vec(1_u64..100_000_000, 1..50), quantile in 0.01_f64..1.0,
        ) {
            let mut histogram = LatencyHistogram::default();
            for millis in &millis {
                histogram.merge(&LatencyHistogram::of(Duration::from_millis(*millis)));
            }
            prop_assert_eq!(histogram.count(), i64::try_from(millis.len()).unwrap());
            millis.sort_unstable();
            let rank = (quantile * millis.len() as f64).ceil() as usize;
            let truth = millis[rank.max(1) - 1] as f64 / 1000.0;
            let told = histogram.quantile(quantile).unwrap().as_secs_f64();
            prop_assert!(told <= truth.max(1.0) * 1.4143 && told >= truth / 1.4143 - 1.0, "{} {}", told, truth);
        }
    }
}
