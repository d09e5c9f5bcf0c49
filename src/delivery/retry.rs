use std::time::Duration;

/// When a feedback call is repeated, and when it is given up.
///
/// A wait is exponential with full jitter: a random time between nothing and
/// `base` doubled with every attempt, at most `max`. `Retry-After` makes it
/// longer.
///
/// ```
/// use std::time::Duration;
/// use tower_message_feedback::RetryPolicy;
///
/// let policy = RetryPolicy::default().base(Duration::from_millis(200));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RetryPolicy {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) max_retry_after: Duration,
    pub(crate) not_found_for: Duration,
    pub(crate) give_up_after: Duration,
    pub(crate) min_attempts: u32,
}

impl RetryPolicy {
    /// The bound of the first wait: one second by default.
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The bound of every wait: five minutes by default.
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// The longest `Retry-After` that is honoured in full: ten minutes by
    /// default. A longer one waits this long.
    pub fn max_retry_after(mut self, max: Duration) -> Self {
        self.max_retry_after = max;
        self
    }

    /// How long a message that Twilio does not know (404) is asked for again:
    /// ten minutes by default, because Twilio is known to answer so for
    /// messages it has just created.
    pub fn not_found_for(mut self, window: Duration) -> Self {
        self.not_found_for = window;
        self
    }

    /// How long after the confirm an entry without any answer that settles it
    /// becomes a dead letter: three days by default.
    /// It is tried [`min_attempts`](Self::min_attempts) times at least.
    ///
    /// Refused credentials and answers of 429 never make one: that feedback waits
    /// for as long as it takes.
    pub fn give_up_after(mut self, age: Duration) -> Self {
        self.give_up_after = age;
        self
    }

    /// How often an entry is tried at least before it is given up: ten times by
    /// default. Its time may have passed while its credentials were refused, or
    /// while no dispatcher ran.
    pub fn min_attempts(mut self, attempts: u32) -> Self {
        self.min_attempts = attempts;
        self
    }

    pub(crate) fn gives_up(&self, age: Duration, attempts: u32) -> bool {
        age >= self.give_up_after && attempts >= self.min_attempts
    }

    /// The longest wait before attempt `attempts + 1`.
    pub(crate) fn bound(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }

    /// The wait before the next attempt.
    pub(crate) fn wait(&self, attempts: u32, retry_after: Option<Duration>) -> Duration {
        let jittered = jitter(self.bound(attempts));
        retry_after.map_or(jittered, |asked| jittered.max(asked.min(self.max_retry_after)))
    }

    /// The wait before a message that was not found is asked for again:
    /// `not_found_for` in few and growing steps, or `None` once it is over.
    pub(crate) fn wait_not_found(&self, answers: u32) -> Option<Duration> {
        /// The waits are 1, 2, 4 … parts of the window, which so has `2^STEPS - 1`.
        const STEPS: u32 = 6;
        let step = answers.checked_sub(1)?;
        if step >= STEPS {
            return None;
        }
        let part = self.not_found_for / ((1 << STEPS) - 1);
        let wait = part.saturating_mul(1 << step);
        // A little jitter, so that a burst does not come back as one.
        Some(wait - jitter(wait / 10))
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.base.is_zero() {
            Some("base is zero: the dispatcher would retry without a pause")
        } else if self.max < self.base {
            Some("max is less than base")
        } else if self.not_found_for.is_zero() {
            Some("not_found_for is zero")
        } else {
            None
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(5 * 60),
            max_retry_after: Duration::from_secs(10 * 60),
            not_found_for: Duration::from_secs(10 * 60),
            give_up_after: Duration::from_secs(3 * 24 * 60 * 60),
            min_attempts: 10,
        }
    }
}

/// The pause after a store has failed `failures` times in a row: never nothing,
/// or a store that fails at once would become a hot loop.
pub(crate) fn store_backoff(failures: u32) -> Duration {
    let bound = Duration::from_millis(50) * (1 << failures.min(7));
    bound / 2 + jitter(bound / 2)
}

/// A random time from zero to `bound`.
pub(super) fn jitter(bound: Duration) -> Duration {
    // Without random numbers all wait the longest.
    bound.mul_f64(f64::from(random().unwrap_or(u32::MAX)) / f64::from(u32::MAX))
}

#[cfg(not(feature = "test-util"))]
fn random() -> Option<u32> {
    let mut random = [0; 4];
    getrandom::getrandom(&mut random).ok()?;
    Some(u32::from_ne_bytes(random))
}

/// From a generator that a test may seed, so that a simulation can be repeated.
#[cfg(feature = "test-util")]
#[allow(clippy::unnecessary_wraps, reason = "the system's generator may fail")]
fn random() -> Option<u32> {
    Some(fastrand::u32(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound_and_are_jittered() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.bound(1), Duration::from_secs(1));
        assert_eq!(policy.bound(4), Duration::from_secs(8));
        assert_eq!(policy.bound(10), Duration::from_secs(300));
        assert_eq!(policy.bound(u32::MAX), Duration::from_secs(300));
        let waits: Vec<Duration> = (0..200).map(|_| policy.wait(4, None)).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(8)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_secs(2)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(6)));
    }

    #[test]
    fn retry_after_is_honoured_and_capped() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(30);
        assert_eq!(policy.wait(1, Some(asked)), asked);
        assert_eq!(policy.wait(1, Some(Duration::from_secs(86_400))), Duration::from_secs(600));
    }

    #[test]
    fn a_missing_message_is_asked_for_over_about_ten_minutes() {
        let policy = RetryPolicy::default();
        let waits: Vec<Duration> = (1..).map_while(|n| policy.wait_not_found(n)).collect();
        assert_eq!(waits.len(), 6);
        let total: Duration = waits.iter().sum();
        assert!((540..=600).contains(&total.as_secs()), "{total:?}");
        assert_eq!(policy.wait_not_found(0), None);
    }
}
