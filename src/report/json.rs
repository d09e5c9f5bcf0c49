//! How a report serializes.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::{
    funnel::{Funnel, Rate},
    model::{Group, Outbox, Period, Report},
};
use crate::store::Resolution;

pub(super) const fn resolution(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Hour => "hour",
        Resolution::Day => "day",
    }
}

macro_rules! serialize {
    ($type:ty as $name:literal: |$it:ident| { $($field:literal: $value:expr,)* }) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $it = self;
                let mut out = serializer.serialize_struct($name, [$($field),*].len())?;
                $(out.serialize_field($field, &$value)?;)*
                out.end()
            }
        }
    };
}

serialize! { Report as "Report": |report| {
    "at": report.at.to_rfc3339(),
    "from": report.from.to_rfc3339(),
    "to": report.to.to_rfc3339(),
    "resolution": resolution(report.resolution),
    "total": report.total,
    "over_time": report.over_time,
    "countries": groups("country", &report.countries, |of| of.map(|of| of.to_string())),
    "labels": groups("label", &report.labels, Clone::clone),
    "channels": groups("channel", &report.channels, |of| of.map(|of| of.to_string())),
    "messaging_services": groups("messaging_service", &report.messaging_services, |of| {
        of.map(|of| of.to_string())
    }),
    "accounts": groups("account", &report.accounts, |of| Some(of.to_string())),
    "outbox": report.outbox,
} }

serialize! { Outbox as "Outbox": |outbox| {
    "waiting": outbox.waiting,
    "oldest_age_seconds": outbox.oldest_age.map(|age| age.as_secs_f64()),
    "dead_letters": outbox.dead_letters,
} }

serialize! { Rate as "Rate": |rate| {
    "value": rate.value,
    "low": rate.low,
    "high": rate.high,
    "is_small_sample": rate.is_small_sample,
} }

impl Serialize for Funnel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Funnel", FUNNEL)?;
        funnel(&mut out, self)?;
        out.end()
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Period", FUNNEL + 1)?;
        out.serialize_field("start", &self.start.to_rfc3339())?;
        funnel(&mut out, &self.funnel)?;
        out.end()
    }
}

/// A group under the name of what it has in common.
struct Named<'a, N> {
    dimension: &'static str,
    name: N,
    funnel: &'a Funnel,
}

fn groups<'a, T, N>(
    dimension: &'static str,
    groups: &'a [Group<T>],
    name: impl Fn(&T) -> N,
) -> Vec<Named<'a, N>> {
    let named =
        |group: &'a Group<T>| Named { dimension, name: name(&group.of), funnel: &group.funnel };
    groups.iter().map(named).collect()
}

impl<N: Serialize> Serialize for Named<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Group", FUNNEL + 1)?;
        out.serialize_field(self.dimension, &self.name)?;
        funnel(&mut out, self.funnel)?;
        out.end()
    }
}

const FUNNEL: usize = 9;

fn funnel<S: SerializeStruct>(out: &mut S, funnel: &Funnel) -> Result<(), S::Error> {
    out.serialize_field("attempted", &funnel.attempted)?;
    out.serialize_field("status_ok", &funnel.status_ok)?;
    out.serialize_field("conversions", &funnel.conversions)?;
    out.serialize_field("conversion_rate", &funnel.conversion_rate())?;
    out.serialize_field("unconfirmed", &funnel.unconfirmed)?;
    out.serialize_field("resends", &funnel.resends)?;
    out.serialize_field("resends_per_conversion", &funnel.resends_per_conversion())?;
    out.serialize_field("dead_letters", &funnel.dead_letters)?;
    out.serialize_field("latency", &Latency(funnel))
}

struct Latency<'a>(&'a Funnel);

serialize! { Latency<'_> as "Latency": |latency| {
    "p50_seconds": seconds(latency.0, 0.5),
    "p90_seconds": seconds(latency.0, 0.9),
    "p99_seconds": seconds(latency.0, 0.99),
} }

pub(super) fn seconds(funnel: &Funnel, quantile: f64) -> Option<f64> {
    // The histogram knows no more digits.
    let round = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    funnel.latency.quantile(quantile).map(|latency| round(latency.as_secs_f64()))
}
