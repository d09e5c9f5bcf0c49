use crate::store::{Counts, LatencyHistogram, Metric};

/// How many messages were sent, delivered and acted on.
///
/// A conversion counts for the time of its send, however late it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Funnel {
    /// *Attempted*: messages created with `ProvideFeedback` and an id.
    pub attempted: u64,
    /// *Status OK*: of those, sent, delivered, read or of unknown delivery, as far as
    /// [status callbacks](crate::webhook) have told.
    pub status_ok: u64,
    /// *Conversions*: of those attempted, the ones that the user confirmed and whose
    /// feedback Twilio has taken.
    pub conversions: u64,
    /// Messages that nobody confirmed, of those whose time for it is over: the builder's
    /// [`retention`](crate::MessageFeedbackBuilder::retention).
    pub unconfirmed: u64,
    /// Messages that were sent under the same id before one that converted, and not
    /// confirmed.
    pub resends: u64,
    /// Confirmed messages whose feedback Twilio will never take.
    pub dead_letters: u64,
    /// How long conversions took, from the send to the confirm.
    pub latency: LatencyHistogram,
}

impl Funnel {
    /// `is_over`: nobody can confirm any more what is pending.
    pub(super) fn add(&mut self, counts: &Counts, is_over: bool) {
        // A count is negative only where what it takes back was lost.
        let add = |to: &mut u64, metric| *to = to.saturating_add_signed(counts.get(metric));
        add(&mut self.attempted, Metric::Attempted);
        add(&mut self.status_ok, Metric::StatusOk);
        add(&mut self.conversions, Metric::Conversions);
        add(&mut self.resends, Metric::Resends);
        add(&mut self.dead_letters, Metric::DeadLetters);
        if is_over {
            let left = counts.get(Metric::Attempted)
                - counts.get(Metric::Conversions)
                - counts.get(Metric::DeadLetters);
            self.unconfirmed = self.unconfirmed.saturating_add_signed(left);
        }
        self.latency.merge(&counts.latency());
    }

    /// Conversions of those attempted; `None` if none was.
    #[must_use]
    pub fn conversion_rate(&self) -> Option<Rate> {
        Rate::of(self.conversions, self.attempted)
    }

    /// Those of *Status OK* of those attempted; `None` if none was.
    #[must_use]
    pub fn status_ok_rate(&self) -> Option<Rate> {
        Rate::of(self.status_ok, self.attempted)
    }

    /// How many messages were sent in vain for each that converted; `None` if none did.
    #[must_use]
    pub fn resends_per_conversion(&self) -> Option<f64> {
        (self.conversions > 0).then(|| self.resends as f64 / self.conversions as f64)
    }
}

/// A share of messages, and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Rate {
    /// The share, from 0 to 1.
    pub value: f64,
    /// Where the 95 % confidence interval begins (Wilson's).
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// Whether it is a share of fewer than [`SMALL_SAMPLE`](Self::SMALL_SAMPLE) messages.
    pub is_small_sample: bool,
}

impl Rate {
    /// With fewer messages than this a share says little.
    pub const SMALL_SAMPLE: u64 = 100;

    /// The share of `part` in `whole`; `None` of nothing.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        /// Of the normal distribution, 95 % lie within as many standard deviations.
        const Z: f64 = 1.959_963_984_540_054;
        if whole == 0 {
            return None;
        }
        let n = whole as f64;
        let value = part.min(whole) as f64 / n;
        let scale = 1.0 + Z * Z / n;
        let center = (value + Z * Z / (2.0 * n)) / scale;
        let spread = Z * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
        Some(Self {
            value,
            low: (center - spread).clamp(0.0, value),
            high: (center + spread).clamp(value, 1.0),
            is_small_sample: whole < Self::SMALL_SAMPLE,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // R: prop.test(c(0, 15, 81, 10), c(10, 50, 263, 10), correct = FALSE).
        for (part, whole, low, high) in [
            (0, 10, 0.0, 0.277_53),
            (15, 50, 0.191_03, 0.437_51),
            (81, 263, 0.255_29, 0.366_21),
            (10, 10, 0.722_47, 1.0),
        ] {
            let rate = Rate::of(part, whole).unwrap();
            let is_near = |a: f64, b: f64| (a - b).abs() < 1e-4;
            assert!(is_near(rate.low, low) && is_near(rate.high, high), "{part}/{whole}: {rate:?}");
        }
        assert_eq!(Rate::of(0, 0), None);
        assert!(Rate::of(99, 99).unwrap().is_small_sample);
        assert!(!Rate::of(99, 100).unwrap().is_small_sample);
    }

    proptest! {
        #[test]
        fn a_rate_is_within_its_interval(part: u64, whole: u64) {
            if let Some(rate) = Rate::of(part, whole) {
                prop_assert!(0.0 <= rate.low && rate.low <= rate.value);
                prop_assert!(rate.value <= rate.high && rate.high <= 1.0);
            }
        }
    }

    #[test]
    fn what_is_taken_back_and_was_lost_is_nothing() {
        let mut funnel = Funnel::default();
        funnel.add(&Counts::from_codes([(0, 3), (1, -5), (2, 1)]), true);
        assert_eq!((funnel.attempted, funnel.status_ok, funnel.unconfirmed), (3, 0, 2));
        assert_eq!(funnel.resends_per_conversion(), Some(0.0));
    }
}
