//! What the query of a request asks for, and the queries of the links on the page.

use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    AccountSid, Channel, Country, MessagingServiceSid, Timestamp,
    report::{ReportQuery, query::Chosen},
    store::ResendOutcome,
    twilio::decode,
};

/// The times that the page offers: their names in a query, and in words.
pub(super) const RANGES: [(&str, &str, u64); 6] = [
    ("24h", "24 hours", 1),
    ("3d", "3 days", 3),
    ("7d", "7 days", 7),
    ("30d", "30 days", 30),
    ("90d", "90 days", 90),
    ("365d", "365 days", 365),
];

/// What stands for messages of which a dimension is not known.
pub(super) const NONE: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Parameters {
    /// A number among [`RANGES`].
    pub(super) range: usize,
    /// From when to when, instead of a range.
    pub(super) between: Option<(String, String)>,
    pub(super) country: Chosen<Country>,
    pub(super) label: Chosen<String>,
    pub(super) channel: Chosen<Channel>,
    /// A SID, what stands for it, or none.
    pub(super) service: Option<String>,
    /// A SID, or what stands for it.
    pub(super) account: Option<String>,
    pub(super) shows_sids: bool,
    /// What became of a dead letter that was sent again.
    pub(super) resent: Option<ResendOutcome>,
}

const OUTCOMES: [ResendOutcome; 3] =
    [ResendOutcome::Queued, ResendOutcome::NotDead, ResendOutcome::Full];

/// What became of a dead letter that was to be sent again, in a query.
pub(super) const fn outcome_value(outcome: ResendOutcome) -> &'static str {
    match outcome {
        ResendOutcome::Queued => "queued",
        ResendOutcome::NotDead => "gone",
        ResendOutcome::Full => "full",
    }
}

fn read_outcome(value: &str) -> Option<ResendOutcome> {
    OUTCOMES.into_iter().find(|outcome| outcome_value(*outcome) == value)
}

/// What the page shows for a SID.
fn is_reference(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A label in a query: nothing for all, `-` for none, and `=` before one that could be
/// taken for these.
pub(super) fn label_value(label: &Chosen<String>) -> Option<String> {
    match label {
        Chosen::All => None,
        Chosen::Only(None) => Some("-".to_owned()),
        Chosen::Only(Some(label)) if label == "-" || label.starts_with('=') => {
            Some(format!("={label}"))
        }
        Chosen::Only(Some(label)) => Some(label.clone()),
    }
}

fn read_label(value: &str) -> Chosen<String> {
    match value {
        "" | "=" => Chosen::All,
        "-" => Chosen::Only(None),
        _ => Chosen::Only(Some(value.strip_prefix('=').unwrap_or(value).to_owned())),
    }
}

/// A parameter that cannot be read, by its name.
pub(super) struct Invalid(pub(super) &'static str);

/// The parameters of a query or of a form.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name.as_bytes()).into_owned(), decode(value.as_bytes()).into_owned())
    })
}

fn time(text: &str) -> Option<SystemTime> {
    let text = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()).into())
}

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, Invalid> {
        let mut parameters = Self::default();
        let (mut from, mut to) = (None, None);
        for (name, value) in pairs(query) {
            let known = |name| move || Invalid(name);
            // A form has empty fields for what was not chosen.
            if value.is_empty() {
                continue;
            }
            match name.as_str() {
                "range" => {
                    let at = RANGES.iter().position(|(range, ..)| *range == value);
                    parameters.range = at.ok_or_else(known("range"))?;
                }
                "from" => from = Some(value),
                "to" => to = Some(value),
                "country" if value == NONE => parameters.country = Chosen::Only(None),
                "country" => {
                    let country = value.parse().map_err(|_| Invalid("country"))?;
                    parameters.country = Chosen::Only(Some(country));
                }
                "label" => parameters.label = read_label(&value),
                "channel" if value == NONE => parameters.channel = Chosen::Only(None),
                "channel" => {
                    let channel = Channel::from_name(&value).ok_or_else(known("channel"))?;
                    parameters.channel = Chosen::Only(Some(channel));
                }
                "service" => {
                    let known = value == NONE || is_reference(&value);
                    let is_read = known || value.parse::<MessagingServiceSid>().is_ok();
                    parameters.service = Some(value).filter(|_| is_read);
                    parameters.service.as_ref().ok_or(Invalid("service"))?;
                }
                "account" => {
                    let is_read = is_reference(&value) || value.parse::<AccountSid>().is_ok();
                    parameters.account = Some(value).filter(|_| is_read);
                    parameters.account.as_ref().ok_or(Invalid("account"))?;
                }
                "sids" => parameters.shows_sids = value == "show",
                "resent" => parameters.resent = read_outcome(&value),
                _ => {}
            }
        }
        parameters.between = match (from, to) {
            (None, None) => None,
            (from, to) => {
                let (from, to) =
                    (from.ok_or(Invalid("from"))?, to.unwrap_or_else(|| "9999-01-01".to_owned()));
                time(&from).ok_or(Invalid("from"))?;
                time(&to).ok_or(Invalid("to"))?;
                Some((from, to))
            }
        };
        Ok(parameters)
    }

    /// The report's query, but for accounts and services: those are references.
    pub(super) fn query(&self, now: Timestamp) -> ReportQuery {
        let between = self.between.as_ref().and_then(|(from, to)| {
            let tomorrow = SystemTime::from(now) + Duration::from_secs(24 * 60 * 60);
            Some(ReportQuery::between(time(from)?, time(to)?.min(tomorrow)))
        });
        let days = RANGES[self.range].2;
        let last = || ReportQuery::last(Duration::from_secs(days * 24 * 60 * 60));
        let mut query = between.unwrap_or_else(last);
        if let Chosen::Only(country) = self.country {
            query = query.country(country);
        }
        if let Chosen::Only(label) = &self.label {
            query = query.label(label.as_deref().unwrap_or_default());
        }
        if let Chosen::Only(channel) = self.channel {
            query = query.channel(channel);
        }
        query
    }

    /// The query that says the same: `range=7d&country=DE`.
    pub(super) fn to_query(&self) -> String {
        const ENCODED: &AsciiSet =
            &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
        let country = match self.country {
            Chosen::All => None,
            Chosen::Only(country) => Some(country.map_or(NONE.to_owned(), |c| c.to_string())),
        };
        let channel = match self.channel {
            Chosen::All => None,
            Chosen::Only(channel) => Some(channel.map_or(NONE, Channel::as_str).to_owned()),
        };
        let (from, to) = self.between.clone().unzip();
        let range = self.between.is_none().then(|| RANGES[self.range].0.to_owned());
        let sids = self.shows_sids.then(|| "show".to_owned());
        let pairs = [
            ("range", range),
            ("from", from),
            ("to", to),
            ("country", country),
            ("label", label_value(&self.label)),
            ("channel", channel),
            ("service", self.service.clone()),
            ("account", self.account.clone()),
            ("sids", sids),
        ];
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            Some(format!("{name}={}", utf8_percent_encode(&value?, ENCODED)))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The same after a change.
    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = Self { resent: None, ..self.clone() };
        change(&mut changed);
        changed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        for (query, name) in [
            ("range=1h", "range"),
            ("country=Germany", "country"),
            ("channel=pigeon", "channel"),
            ("from=yesterday", "from"),
            ("from=2026-01-01&to=tomorrow", "to"),
            ("to=2026-01-01", "from"),
            ("service=%2B4915112345678", "service"),
            ("account=none", "account"),
        ] {
            assert_eq!(Parameters::read(query).err().map(|invalid| invalid.0), Some(name));
        }
    }

    proptest! {
        #[test]
        fn a_query_comes_back(
            range in 0_usize..RANGES.len(),
            country in prop::option::of(prop::option::of("[A-Z]{2}")),
            label in prop::option::of(prop::option::of("[-=*a ]{1,3}|\\PC{1,10}")),
            channel in prop::option::of(prop::option::of(prop::sample::select(Channel::ALL.to_vec()))),
            service in prop::option::of("[0-9a-f]{8}"),
            shows_sids: bool,
        ) {
            let parameters = Parameters {
                range,
                country: country.map_or(Chosen::All, |country| {
                    Chosen::Only(country.map(|code| code.parse().unwrap()))
                }),
                label: label.map_or(Chosen::All, Chosen::Only),
                channel: channel.map_or(Chosen::All, Chosen::Only),
                service,
                shows_sids,
                ..Parameters::default()
            };
            let read = Parameters::read(&parameters.to_query());
            prop_assert_eq!(read.ok(), Some(parameters));
        }

        #[test]
        fn any_query_is_read_or_refused(query in "\\PC{0,60}") {
            if let Ok(parameters) = Parameters::read(&query) {
                let _ = parameters.query(Timestamp::from_millis(0));
                let again = Parameters::read(&parameters.to_query());
                prop_assert_eq!(again.ok(), Some(parameters.with(|_| {})));
            }
        }
    }
}
