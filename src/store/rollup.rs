//! The counters of the report, as stores keep them.

mod counts;
mod latency;

use std::time::Duration;

pub use self::{
    counts::{Counts, Metric},
    latency::LatencyHistogram,
};
use super::Segment;
use crate::{AccountSid, Timestamp};

/// How long the periods are that counters are rolled up for. They begin at whole hours
/// and days of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Resolution {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Resolution {
    /// How long a period is.
    #[must_use]
    pub const fn period(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(60 * 60),
            Self::Day => Duration::from_secs(24 * 60 * 60),
        }
    }

    /// When the period began that `at` is in.
    #[must_use]
    pub fn start(self, at: Timestamp) -> Timestamp {
        let period = self.period_millis();
        Timestamp::from_millis(at.as_millis().div_euclid(period).saturating_mul(period))
    }

    pub(crate) const fn period_millis(self) -> i64 {
        self.period().as_millis() as i64
    }

    /// The number that stores keep for it.
    #[cfg(any(feature = "postgres", feature = "sqlite-unbundled"))]
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Hour => 1,
            Self::Day => 2,
        }
    }
}

/// What is counted of the messages of one segment and account that were sent in one
/// period.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rollup {
    /// How long the period is.
    pub resolution: Resolution,
    /// When it began.
    pub start: Timestamp,
    /// The account that owns the messages.
    pub account: AccountSid,
    /// What they have in common.
    pub segment: Segment,
    /// How many there are of what.
    pub counts: Counts,
    /// How long it is of use.
    pub keep_until: Timestamp,
}

impl Rollup {
    /// Counters of a period.
    #[must_use]
    pub const fn new(
        resolution: Resolution,
        start: Timestamp,
        account: AccountSid,
        segment: Segment,
        counts: Counts,
        keep_until: Timestamp,
    ) -> Self {
        Self { resolution, start, account, segment, counts, keep_until }
    }
}

/// What is to be added to the counters, once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RollupBatch {
    /// Who adds it: a random number of one handle.
    pub writer: i64,
    /// Which of its batches this is: a later one has a greater number.
    pub sequence: i64,
    /// What to add: of each period, account and segment one.
    pub rollups: Vec<Rollup>,
    /// How long the writer may repeat it.
    pub keep_until: Timestamp,
}

impl RollupBatch {
    /// A batch.
    #[must_use]
    pub const fn new(
        writer: i64,
        sequence: i64,
        rollups: Vec<Rollup>,
        keep_until: Timestamp,
    ) -> Self {
        Self { writer, sequence, rollups, keep_until }
    }
}

/// What a store did with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollupOutcome {
    /// It is added.
    Added,
    /// It, or a later one of the same writer, was added before; nothing changed.
    Repeated,
}
