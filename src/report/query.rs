use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use crate::{
    AccountSid, Channel, Country, MessagingServiceSid, Timestamp,
    store::{Dimensions, Resolution},
};

/// What a report is about: a time, and perhaps one country, label, channel, service or
/// account of many.
///
/// ```
/// use std::time::Duration;
/// use tower_message_feedback::{Country, report::ReportQuery};
///
/// let country: Country = "DE".parse()?;
/// let query = ReportQuery::last(Duration::from_secs(7 * 24 * 60 * 60))
///     .country(country)
///     .label("login");
/// # Ok::<(), tower_message_feedback::InvalidCountry>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ReportQuery {
    time: Time,
    resolution: Option<Resolution>,
    pub(super) filter: Filter,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Time {
    Last(Duration),
    Between(Timestamp, Timestamp),
}

/// Which messages to keep, by one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Chosen<T> {
    #[default]
    All,
    /// Those with this value, or those without one.
    Only(Option<T>),
}

impl<T: PartialEq> Chosen<T> {
    pub(super) fn is(&self, value: &Option<T>) -> bool {
        matches!(self, Self::Only(only) if only == value)
    }

    pub(super) fn is_all(&self) -> bool {
        *self == Self::All
    }

    fn passes(&self, value: &Option<T>) -> bool {
        self.is_all() || self.is(value)
    }
}

/// Which messages to keep, by every dimension.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    pub(super) country: Chosen<Country>,
    pub(super) label: Chosen<Box<str>>,
    pub(super) channel: Chosen<Channel>,
    pub(super) messaging_service: Chosen<MessagingServiceSid>,
    pub(super) account: Option<AccountSid>,
    /// Nothing passes.
    pub(super) is_empty: bool,
}

impl ReportQuery {
    /// Messages sent in the last hours or days, the hour or day that is not over included;
    /// three years at most.
    pub fn last(time: Duration) -> Self {
        Self::of(Time::Last(time))
    }

    /// Messages sent from `from` on and before `to`, in whole hours or days of UTC: the
    /// one that `from` is in, and that in which the last moment before `to` is, are
    /// counted as a whole. Of more than three years the last three.
    pub fn between(from: SystemTime, to: SystemTime) -> Self {
        Self::of(Time::Between(from.into(), to.into()))
    }

    fn of(time: Time) -> Self {
        Self { time, resolution: None, filter: Filter::default() }
    }

    /// By the hour or by the day. By default it is the hour for up to three days, as far
    /// back as hours are kept, and else the day.
    pub fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = Some(resolution);
        self
    }

    /// Messages to one country; `None` for those of which it is not known.
    pub fn country(mut self, country: impl Into<Option<Country>>) -> Self {
        self.filter.country = Chosen::Only(country.into());
        self
    }

    /// Messages with one label; an empty one stands for those without.
    pub fn label(mut self, label: impl Into<Box<str>>) -> Self {
        let label = Some(label.into()).filter(|label| !str::is_empty(label));
        self.filter.label = Chosen::Only(label);
        self
    }

    /// Messages through one channel; `None` for those of which it is not known.
    pub fn channel(mut self, channel: impl Into<Option<Channel>>) -> Self {
        self.filter.channel = Chosen::Only(channel.into());
        self
    }

    /// Messages of one Messaging Service; `None` for those that a number sent.
    pub fn messaging_service(mut self, service: impl Into<Option<MessagingServiceSid>>) -> Self {
        self.filter.messaging_service = Chosen::Only(service.into());
        self
    }

    /// Messages of one account.
    pub fn account(mut self, account: AccountSid) -> Self {
        self.filter.account = Some(account);
        self
    }

    /// The resolution, and when the first period begins and the last one ends.
    pub(super) fn periods(
        &self,
        now: Timestamp,
        hours_kept: Duration,
    ) -> (Resolution, Timestamp, Timestamp) {
        const FINE: Duration = Duration::from_secs(3 * 24 * 60 * 60);
        const MOST: Duration = Duration::from_secs(3 * 366 * 24 * 60 * 60);
        let end = |resolution: Resolution, at: Timestamp| {
            let start = resolution.start(at);
            if start == at { at } else { start + resolution.period() }
        };
        let (from, to) = match self.time {
            Time::Last(time) => (now - time, now),
            Time::Between(from, to) => (from, to),
        };
        let resolution = self.resolution.unwrap_or_else(|| {
            let is_fine = to.since(from) <= FINE && now.since(from) <= hours_kept;
            if is_fine { Resolution::Hour } else { Resolution::Day }
        });
        match self.time {
            // The period that is not over is one of them.
            Time::Last(time) => {
                let to = resolution.start(now) + resolution.period();
                let from = (to - time.min(MOST)).min(to - resolution.period());
                (resolution, end(resolution, from), to)
            }
            Time::Between(..) => {
                let to = end(resolution, to);
                let from = resolution.start(from).min(to).max(to - MOST);
                (resolution, resolution.start(from), to)
            }
        }
    }
}

impl From<Duration> for ReportQuery {
    fn from(time: Duration) -> Self {
        Self::last(time)
    }
}

impl From<Range<SystemTime>> for ReportQuery {
    fn from(time: Range<SystemTime>) -> Self {
        Self::between(time.start, time.end)
    }
}

impl Filter {
    pub(super) fn passes(&self, account: AccountSid, label: Option<&str>, of: &Dimensions) -> bool {
        let has_label = match &self.label {
            Chosen::All => true,
            Chosen::Only(only) => only.as_deref() == label,
        };
        !self.is_empty
            && has_label
            && self.account.is_none_or(|only| only == account)
            && self.country.passes(&of.country)
            && self.channel.passes(&of.channel)
            && self.messaging_service.passes(&of.messaging_service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn periods(query: &ReportQuery) -> (Resolution, i64, i64) {
        // Half past ten on the third of January 1970.
        let now = Timestamp::from_millis((2 * 24 * 3600 + 10 * 3600 + 1800) * 1000);
        let (resolution, from, to) = query.periods(now, Duration::from_secs(14 * 24 * HOUR));
        (resolution, from.as_millis() / 3_600_000, to.as_millis() / 3_600_000)
    }

    #[test]
    fn the_last_day_has_24_hours_and_the_last_week_seven_days() {
        use Resolution::{Day, Hour};
        let last = |hours| ReportQuery::last(Duration::from_secs(hours * HOUR));
        assert_eq!(periods(&last(24)), (Hour, 35, 59));
        assert_eq!(periods(&last(1)), (Hour, 58, 59));
        assert_eq!(periods(&last(0)), (Hour, 58, 59));
        assert_eq!(periods(&last(7 * 24)), (Day, -4 * 24, 3 * 24));
        assert_eq!(periods(&last(24).resolution(Day)), (Day, 2 * 24, 3 * 24));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(periods(&(at(HOUR)..at(3 * HOUR)).into()), (Hour, 1, 3));
        assert_eq!(periods(&(at(HOUR + 1)..at(3 * HOUR + 1)).into()), (Hour, 1, 4));
        assert_eq!(periods(&(at(3 * HOUR)..at(HOUR)).into()), (Hour, 1, 1));
        let (_, from, to) = periods(&last(u64::MAX / HOUR));
        assert!(from < to && from > -3 * 367 * 24);
    }
}
