use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    alert::{Alert, AlertEvent, AlertGroup},
    rule::{AlertRule, Kind, Scope},
};
use crate::{
    Timestamp,
    report::Rate,
    store::{Metric, Resolution, Rollup, Segment},
};

/// From then on an hour is judged that is not over.
const JUDGED: Duration = Duration::from_secs(15 * 60);
/// With less of a past there is nothing to compare with.
const SHORTEST_PAST: Duration = Duration::from_secs(24 * 60 * 60);

/// Applies the rules, and remembers what it has told.
pub(super) struct Judge {
    rules: Vec<AlertRule>,
    /// Each rule's groups of which the beginning was told, and not the end, with the hour
    /// that it began in: from then on nothing is usual.
    told: BTreeMap<(usize, AlertGroup), Timestamp>,
}

/// What a group did in the hour that is judged, and before.
#[derive(Default)]
struct Numbers {
    attempted: u64,
    conversions: u64,
    /// The hour that is judged: of two, the one with more attempts.
    hour: Option<Timestamp>,
    past_attempted: u64,
    past_conversions: u64,
    /// Attempts of each hour of the past.
    past_hours: BTreeMap<Timestamp, u64>,
}

impl Judge {
    pub(super) const fn new(rules: Vec<AlertRule>) -> Self {
        Self { rules, told: BTreeMap::new() }
    }

    /// How far back any rule looks.
    pub(super) fn longest_past(&self) -> Duration {
        let past = self.rules.iter().map(|rule| rule.past).max().unwrap_or_default();
        past.saturating_add(2 * Resolution::Hour.period())
    }

    /// What there is to tell at `now`. `is_delayed`: conversions are not counted in time.
    pub(super) fn alerts(
        &mut self,
        now: Timestamp,
        rollups: &[Rollup],
        is_delayed: bool,
    ) -> Vec<Alert> {
        let current = Resolution::Hour.start(now);
        let previous = current - Resolution::Hour.period();
        let first = rollups.iter().map(|rollup| rollup.start).min();
        if first.is_none_or(|first| previous.since(first) < SHORTEST_PAST) {
            return Vec::new();
        }
        let is_young = now.since(current) < JUDGED;
        let mut alerts = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            let judged = match rule.kind {
                Kind::ConversionFalls(_) if is_delayed => continue,
                // The users of a young hour have not confirmed yet.
                Kind::ConversionFalls(_) if is_young => [previous; 2],
                Kind::ConversionFalls(_) => [current; 2],
                Kind::VolumeRises(_) => [previous, current],
            };
            let groups = self.numbers(number, judged, rollups);
            let told = self.told.keys().filter(|(of_rule, _)| *of_rule == number);
            let told: BTreeSet<AlertGroup> = told.map(|(_, group)| group.clone()).collect();
            let known: BTreeSet<AlertGroup> = groups.keys().cloned().collect();
            let quiet = Numbers::default();
            for group in known.union(&told) {
                let numbers = groups.get(group).unwrap_or(&quiet);
                let hour = numbers.hour.unwrap_or(judged[1]);
                let event = match (rule.event(numbers), told.contains(group)) {
                    (Some(event), false) => {
                        self.told.insert((number, group.clone()), hour);
                        event
                    }
                    // A quiet hour says nothing of conversion.
                    (None, true) if rule.is_judged(numbers) => {
                        self.told.remove(&(number, group.clone()));
                        rule.recovered()
                    }
                    _ => continue,
                };
                alerts.push(Alert { at: now, hour, of: group.clone(), event });
            }
        }
        alerts
    }

    fn numbers(
        &self,
        number: usize,
        judged: [Timestamp; 2],
        rollups: &[Rollup],
    ) -> BTreeMap<AlertGroup, Numbers> {
        let rule = &self.rules[number];
        let mut groups: BTreeMap<AlertGroup, Numbers> = BTreeMap::new();
        // Attempts and conversions of the judged hours.
        let mut hours: BTreeMap<(AlertGroup, Timestamp), (u64, u64)> = BTreeMap::new();
        for rollup in rollups {
            let count = |metric| u64::try_from(rollup.counts.get(metric)).unwrap_or(0);
            let (attempted, conversions) = (count(Metric::Attempted), count(Metric::Conversions));
            let group = rule.group(&rollup.segment);
            if judged.contains(&rollup.start) {
                let hour = hours.entry((group, rollup.start)).or_default();
                *hour = (hour.0 + attempted, hour.1 + conversions);
                continue;
            }
            let began = self.told.get(&(number, group.clone()));
            let is_past = rollup.start < judged[0]
                && judged[1].since(rollup.start) <= rule.past
                && began.is_none_or(|began| rollup.start < *began);
            if is_past {
                let numbers = groups.entry(group).or_default();
                numbers.past_attempted += attempted;
                numbers.past_conversions += conversions;
                *numbers.past_hours.entry(rollup.start).or_default() += attempted;
            }
        }
        for ((group, hour), (attempted, conversions)) in hours {
            let numbers = groups.entry(group).or_default();
            if numbers.hour.is_none() || attempted > numbers.attempted {
                (numbers.attempted, numbers.conversions) = (attempted, conversions);
                numbers.hour = Some(hour);
            }
        }
        groups
    }
}

impl AlertRule {
    fn group(&self, segment: &Segment) -> AlertGroup {
        match self.scope {
            Scope::Total => AlertGroup::Total,
            Scope::Country => AlertGroup::Country(segment.dimensions().country),
            Scope::Label => AlertGroup::Label(segment.label().map(Box::from)),
        }
    }

    /// Whether the hour says anything.
    fn is_judged(&self, numbers: &Numbers) -> bool {
        match self.kind {
            Kind::ConversionFalls(_) => numbers.attempted >= self.min_attempted,
            Kind::VolumeRises(_) => true,
        }
    }

    fn event(&self, numbers: &Numbers) -> Option<AlertEvent> {
        if numbers.attempted < self.min_attempted {
            return None;
        }
        match self.kind {
            Kind::ConversionFalls(by) => {
                if numbers.past_attempted < self.min_attempted {
                    return None;
                }
                let rate = Rate::of(numbers.conversions, numbers.attempted)?;
                let usual = Rate::of(numbers.past_conversions, numbers.past_attempted)?;
                (rate.high < usual.value * (1.0 - by))
                    .then_some(AlertEvent::ConversionFell { rate, usual })
            }
            Kind::VolumeRises(times) => {
                let attempted = numbers.attempted;
                let busiest = numbers.past_hours.values().copied().max().unwrap_or(0);
                (attempted as f64 > times * busiest as f64)
                    .then_some(AlertEvent::VolumeRose { attempted, busiest })
            }
        }
    }

    const fn recovered(&self) -> AlertEvent {
        match self.kind {
            Kind::ConversionFalls(_) => AlertEvent::ConversionRecovered,
            Kind::VolumeRises(_) => AlertEvent::VolumeRecovered,
        }
    }
}
