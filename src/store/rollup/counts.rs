use super::LatencyHistogram;

/// What is counted.
///
/// The definitions are those of Twilio's OTP Conversion report, as far as it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
// The numbers are what stores keep. Those from `LATENCY` on are the histogram's.
#[repr(u8)]
pub enum Metric {
    /// Messages created with `ProvideFeedback`.
    Attempted = 0,
    /// Of those, sent, delivered or of unknown delivery.
    StatusOk = 1,
    /// Of those, confirmed by the user, with Twilio's acknowledgement.
    Conversions = 2,
    /// Messages that were sent before a converted one under the same id, in vain.
    Resends = 3,
    /// Confirmed messages whose feedback is a dead letter.
    DeadLetters = 4,
}

const LATENCY: u8 = 8;

/// Counters: how many there are of each [`Metric`], and how long the conversions took.
///
/// A count may be negative where it is a difference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(Vec<(u8, i64)>);

impl Counts {
    /// How many there are.
    #[must_use]
    pub fn get(&self, metric: Metric) -> i64 {
        self.number(metric as u8)
    }

    fn number(&self, code: u8) -> i64 {
        self.0.binary_search_by_key(&code, |(code, _)| *code).map_or(0, |at| self.0[at].1)
    }

    /// Counts more of one.
    pub fn add(&mut self, metric: Metric, more: i64) {
        self.add_code(metric as u8, more);
    }

    /// Counts how long conversions took.
    pub fn add_latency(&mut self, latency: &LatencyHistogram) {
        for (bucket, count) in latency.buckets() {
            self.add_code(LATENCY + bucket, count);
        }
    }

    /// How long conversions took.
    #[must_use]
    pub fn latency(&self) -> LatencyHistogram {
        let first = self.0.partition_point(|(code, _)| *code < LATENCY);
        self.0[first..].iter().map(|(code, count)| (code - LATENCY, *count)).collect()
    }

    /// Counts all that `more` has.
    pub fn merge(&mut self, more: &Self) {
        for (code, count) in &more.0 {
            self.add_code(*code, *count);
        }
    }

    fn add_code(&mut self, code: u8, more: i64) {
        if more == 0 {
            return;
        }
        match self.0.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(at) => {
                self.0[at].1 = self.0[at].1.saturating_add(more);
                if self.0[at].1 == 0 {
                    self.0.remove(at);
                }
            }
            Err(at) => self.0.insert(at, (code, more)),
        }
    }

    /// Whether there is nothing but zeros.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is not zero, by the number that a store keeps for it, in their order.
    #[must_use]
    pub fn codes(&self) -> &[(u8, i64)] {
        &self.0
    }

    /// The counters that a store kept by these numbers. Of a number that comes twice the
    /// counts are added.
    #[must_use]
    pub fn from_codes(codes: impl IntoIterator<Item = (u8, i64)>) -> Self {
        let mut counts = Self::default();
        for (code, count) in codes {
            counts.add_code(code, count);
        }
        counts
    }

    /// As a store keeps them that has no better way: `number:count`, with commas between.
    #[cfg(any(feature = "redis", feature = "sqlite-unbundled"))]
    pub(crate) fn to_text(&self) -> String {
        let pairs: Vec<String> =
            self.0.iter().map(|(code, count)| format!("{code}:{count}")).collect();
        pairs.join(",")
    }

    /// What [`to_text`](Self::to_text) wrote. What cannot be read is left out.
    #[cfg(any(feature = "redis", feature = "sqlite-unbundled"))]
    pub(crate) fn from_text(text: &str) -> Self {
        let pairs = text.split(',').filter_map(|pair| {
            let (code, count) = pair.split_once(':')?;
            Some((code.parse().ok()?, count.parse().ok()?))
        });
        Self::from_codes(pairs)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_add_up_as_in_a_map(added in prop::collection::vec((0_u8..12, -3_i64..4), 0..40)) {
            let mut expected: BTreeMap<u8, i64> = BTreeMap::new();
            for (code, count) in &added {
                *expected.entry(*code).or_default() += count;
            }
            expected.retain(|_, count| *count != 0);
            let expected: Vec<(u8, i64)> = expected.into_iter().collect();
            let (some, rest) = added.split_at(added.len() / 2);
            let mut counts = Counts::from_codes(some.iter().copied());
            counts.merge(&Counts::from_codes(rest.iter().copied()));
            prop_assert_eq!(counts.codes(), &expected[..]);
            prop_assert_eq!(counts.is_empty(), expected.is_empty());
            prop_assert_eq!(Counts::from_codes(expected), counts);
        }
    }
}
