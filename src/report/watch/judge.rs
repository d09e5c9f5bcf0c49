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
    /// Each rule's groups of which the beginning was told, and not the end.
    told: BTreeSet<(usize, AlertGroup)>,
}

/// What a group did in an hour, and before.
#[derive(Default)]
struct Numbers {
    attempted: u64,
    conversions: u64,
    past_attempted: u64,
    past_conversions: u64,
    /// Attempts of each hour of the past.
    past_hours: BTreeMap<Timestamp, u64>,
}

impl Judge {
    pub(super) const fn new(rules: Vec<AlertRule>) -> Self {
        Self { rules, told: BTreeSet::new() }
    }

    /// How far back any rule looks.
    pub(super) fn longest_past(&self) -> Duration {
        let past = self.rules.iter().map(|rule| rule.past).max().unwrap_or_default();
        past + 2 * Resolution::Hour.period()
    }

    /// What there is to tell at `now`. `is_delayed`: conversions are not counted in time.
    pub(super) fn alerts(
        &mut self,
        now: Timestamp,
        rollups: &[Rollup],
        is_delayed: bool,
    ) -> Vec<Alert> {
        let current = Resolution::Hour.start(now);
        let is_judged = now.since(current) >= JUDGED;
        let hour = if is_judged { current } else { current - Resolution::Hour.period() };
        let mut alerts = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            if is_delayed && matches!(rule.kind, Kind::ConversionFalls(_)) {
                continue;
            }
            let first = rollups.iter().map(|rollup| rollup.start).min();
            if first.is_none_or(|first| hour.since(first) < SHORTEST_PAST) {
                continue;
            }
            let groups = numbers(rule, hour, rollups);
            let quiet = Numbers::default();
            let known: BTreeSet<AlertGroup> = groups.keys().cloned().collect();
            let before = self.told.iter().filter(|(of_rule, _)| *of_rule == number);
            let before: BTreeSet<AlertGroup> = before.map(|(_, group)| group.clone()).collect();
            for group in known.union(&before) {
                let numbers = groups.get(group).unwrap_or(&quiet);
                let event = match (rule.event(numbers), before.contains(group)) {
                    (Some(event), false) => {
                        self.told.insert((number, group.clone()));
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
}

fn numbers(rule: &AlertRule, hour: Timestamp, rollups: &[Rollup]) -> BTreeMap<AlertGroup, Numbers> {
    let mut groups: BTreeMap<AlertGroup, Numbers> = BTreeMap::new();
    for rollup in rollups {
        if rollup.start > hour || hour.since(rollup.start) > rule.past {
            continue;
        }
        let count = |metric| u64::try_from(rollup.counts.get(metric)).unwrap_or(0);
        let (attempted, conversions) = (count(Metric::Attempted), count(Metric::Conversions));
        let numbers = groups.entry(rule.group(&rollup.segment)).or_default();
        if rollup.start == hour {
            numbers.attempted += attempted;
            numbers.conversions += conversions;
        } else {
            numbers.past_attempted += attempted;
            numbers.past_conversions += conversions;
            *numbers.past_hours.entry(rollup.start).or_default() += attempted;
        }
    }
    groups
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
