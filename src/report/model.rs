use std::{collections::HashMap, hash::Hash, time::Duration};

use super::{funnel::Funnel, query::Filter};
use crate::{
    AccountSid, Channel, Country, MessagingServiceSid, Timestamp,
    store::{Dimensions, Resolution, Rollup, StoreCounts},
};

/// The OTP Conversion report: what became of the messages that were sent in some time.
///
/// With `serde` it serializes as `report.json` of
/// [`report_router`](crate::MessageFeedback::report_router) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// When the first period begins.
    pub from: Timestamp,
    /// When the last period ends.
    pub to: Timestamp,
    /// Whether the periods are hours or days.
    pub resolution: Resolution,
    /// All messages together.
    pub total: Funnel,
    /// Every period from the first to the last, also those without messages.
    pub over_time: Vec<Period>,
    /// By the country of the number; those with most messages first, as in the others.
    pub countries: Vec<Group<Option<Country>>>,
    /// By the application's own label.
    pub labels: Vec<Group<Option<Box<str>>>>,
    /// By the channel.
    pub channels: Vec<Group<Option<Channel>>>,
    /// By the Messaging Service.
    pub messaging_services: Vec<Group<Option<MessagingServiceSid>>>,
    /// By the account.
    pub accounts: Vec<Group<AccountSid>>,
    /// Where feedback stands now, of messages of any time.
    pub outbox: Outbox,
}

/// The messages that were sent in an hour or a day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Period {
    /// When it begins.
    pub start: Timestamp,
    /// What became of them.
    pub funnel: Funnel,
}

/// The messages that have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group<T> {
    /// What that is.
    pub of: T,
    /// What became of them.
    pub funnel: Funnel,
}

/// Feedback that Twilio does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outbox {
    /// Confirmed messages that Twilio has not acknowledged yet.
    pub waiting: u64,
    /// How long ago the oldest of them was confirmed.
    pub oldest_age: Option<Duration>,
    /// Those that it will never take.
    pub dead_letters: u64,
}

impl From<StoreCounts> for Outbox {
    fn from(counts: StoreCounts) -> Self {
        Self {
            waiting: counts.outbox,
            oldest_age: counts.oldest_outbox_age,
            dead_letters: counts.dead_letters,
        }
    }
}

/// What a report is made of.
pub(super) struct Gathered {
    pub(super) at: Timestamp,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) resolution: Resolution,
    /// How long after its send a message may be confirmed.
    pub(super) retention: Duration,
    pub(super) rollups: Vec<Rollup>,
    pub(super) filter: Filter,
}

impl Gathered {
    /// The rollups that the query is about.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Rollup, Dimensions)> {
        let rows = self.rollups.iter().map(|rollup| (rollup, rollup.segment.dimensions()));
        rows.filter(|(rollup, of)| self.filter.passes(rollup.account, rollup.segment.label(), of))
    }

    /// Whether nobody can confirm any more what was sent in this period.
    pub(super) fn is_over(&self, start: Timestamp) -> bool {
        start + self.resolution.period() + self.retention <= self.at
    }

    pub(super) fn report(&self, outbox: Outbox) -> Report {
        let mut total = Funnel::default();
        let mut over_time: HashMap<Timestamp, Funnel> = HashMap::new();
        let mut countries = Groups::default();
        let mut labels: Groups<Option<&str>> = Groups::default();
        let mut channels = Groups::default();
        let mut messaging_services = Groups::default();
        let mut accounts = Groups::default();
        for (Rollup { start, account, segment, counts, .. }, of) in self.rows() {
            let is_over = self.is_over(*start);
            for funnel in [
                &mut total,
                over_time.entry(*start).or_default(),
                countries.of(of.country),
                labels.of(segment.label()),
                channels.of(of.channel),
                messaging_services.of(of.messaging_service),
                accounts.of(*account),
            ] {
                funnel.add(counts, is_over);
            }
        }
        let owned = |group: Group<Option<&str>>| Group {
            of: group.of.map(Box::from),
            funnel: group.funnel,
        };
        Report {
            at: self.at,
            from: self.from,
            to: self.to,
            resolution: self.resolution,
            total,
            over_time: self.periods(over_time),
            countries: countries.sorted(),
            labels: labels.sorted().into_iter().map(owned).collect(),
            channels: channels.sorted(),
            messaging_services: messaging_services.sorted(),
            accounts: accounts.sorted(),
            outbox,
        }
    }

    fn periods(&self, mut funnels: HashMap<Timestamp, Funnel>) -> Vec<Period> {
        let mut periods = Vec::new();
        let mut start = self.from;
        while start < self.to {
            let funnel = funnels.remove(&start).unwrap_or_default();
            periods.push(Period { start, funnel });
            start = start + self.resolution.period();
        }
        periods
    }
}

struct Groups<T>(HashMap<T, Funnel>);

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Ord + Hash> Groups<T> {
    fn of(&mut self, of: T) -> &mut Funnel {
        self.0.entry(of).or_default()
    }

    /// Those with most messages first.
    fn sorted(self) -> Vec<Group<T>> {
        let mut groups: Vec<Group<T>> =
            self.0.into_iter().map(|(of, funnel)| Group { of, funnel }).collect();
        groups.sort_by(|a, b| {
            b.funnel.attempted.cmp(&a.funnel.attempted).then_with(|| a.of.cmp(&b.of))
        });
        groups
    }
}
