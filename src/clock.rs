//! Where the crate reads the time and waits for it.

use std::{
    fmt,
    ops::{Add, Sub},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

/// A moment, in whole milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch (before it, if negative).
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// RFC 3339, in UTC.
    pub(crate) fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default().to_string()
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the ends of the range.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the ends of the range.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => millis(before.duration()).saturating_neg(),
        })
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        let distance = Duration::from_millis(timestamp.0.unsigned_abs());
        if timestamp.0 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({} ms)", self.0)
    }
}

/// The clock that retries, leases and expiry go by: the system's, or, with the
/// feature `test-util`, one that a test owns.
///
/// Bounds on a single call, such as the timeout of a feedback call, go by
/// Tokio's timer and not by this clock.
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    #[cfg(feature = "test-util")]
    Manual(ManualClock),
}

/// What waits within a process goes by: time that passes, however the clock is set. Its
/// moments mean nothing to another process, or to a store.
#[derive(Clone)]
pub(crate) enum SteadyClock {
    System {
        began: Instant,
    },
    #[cfg(feature = "test-util")]
    Manual(ManualClock),
}

impl SteadyClock {
    pub(crate) fn new(clock: &Clock) -> Self {
        match &clock.0 {
            Source::System => Self::System { began: Instant::now() },
            #[cfg(feature = "test-util")]
            Source::Manual(manual) => Self::Manual(manual.clone()),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System { began } => Timestamp(0) + began.elapsed(),
            #[cfg(feature = "test-util")]
            Self::Manual(manual) => manual.passed(),
        }
    }

    /// Waits until it shows `deadline` or later.
    ///
    /// # Panics
    ///
    /// The system's clock needs a Tokio runtime with its timer enabled.
    pub(crate) async fn sleep_until(&self, deadline: Timestamp) {
        match self {
            Self::System { .. } => tokio::time::sleep(deadline.since(self.now())).await,
            #[cfg(feature = "test-util")]
            Self::Manual(manual) => manual.sleep_until(deadline).await,
        }
    }
}

impl Clock {
    /// The system's clock. A step of it moves what a store waits for; what waits within a
    /// process goes by the time that passes.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => SystemTime::now().into(),
            #[cfg(feature = "test-util")]
            Source::Manual(manual) => manual.now(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Clock(system)",
            #[cfg(feature = "test-util")]
            Source::Manual(_) => "Clock(manual)",
        })
    }
}

#[cfg(feature = "test-util")]
pub use self::manual::ManualClock;

#[cfg(feature = "test-util")]
mod manual {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicI64, Ordering},
        },
        time::Duration,
    };

    use tokio::sync::Notify;

    use super::{Clock, Source, Timestamp, millis};

    /// A clock that stands still until a test moves it, forward or back.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_message_feedback::{ManualClock, Timestamp};
    ///
    /// let time = ManualClock::new(Timestamp::from_millis(1_000));
    /// let clock = time.clock();
    /// time.advance(Duration::from_secs(2));
    /// assert_eq!(clock.now(), Timestamp::from_millis(3_000));
    /// ```
    #[derive(Debug, Clone)]
    pub struct ManualClock(Arc<Inner>);

    #[derive(Debug)]
    struct Inner {
        millis: AtomicI64,
        /// The same, and never moved back.
        passed: AtomicI64,
        moved: Notify,
    }

    impl ManualClock {
        /// A clock that shows `start`.
        #[must_use]
        pub fn new(start: Timestamp) -> Self {
            Self(Arc::new(Inner {
                millis: AtomicI64::new(start.as_millis()),
                passed: AtomicI64::new(0),
                moved: Notify::new(),
            }))
        }

        /// The clock to hand to the builder.
        #[must_use]
        pub fn clock(&self) -> Clock {
            Clock(Source::Manual(self.clone()))
        }

        /// What it shows.
        #[must_use]
        pub fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.millis.load(Ordering::SeqCst))
        }

        /// Lets time pass, and wakes whatever waits for the time it shows then.
        pub fn advance(&self, by: Duration) {
            self.0.millis.fetch_add(millis(by), Ordering::SeqCst);
            self.0.passed.fetch_add(millis(by), Ordering::SeqCst);
            self.0.moved.notify_waiters();
        }

        /// Moves it back, as the system's clock is when it was ahead. What a store keeps
        /// until a time, it keeps that much longer; no time has passed.
        pub fn step_back(&self, by: Duration) {
            self.0.millis.fetch_sub(millis(by), Ordering::SeqCst);
        }

        /// How much time has passed, whatever it was moved back.
        pub(super) fn passed(&self) -> Timestamp {
            Timestamp::from_millis(self.0.passed.load(Ordering::SeqCst))
        }

        pub(super) async fn sleep_until(&self, passed: Timestamp) {
            loop {
                let mut moved = std::pin::pin!(self.0.moved.notified());
                // Enrolled before the look at the time, so that no move is missed.
                moved.as_mut().enable();
                if self.passed() >= passed {
                    return;
                }
                moved.await;
            }
        }
    }
}
