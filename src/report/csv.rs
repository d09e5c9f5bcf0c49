use super::{funnel::Funnel, json, model::Gathered};
use crate::store::Dimensions;

const COLUMNS: [&str; 15] = [
    "start",
    "country",
    "label",
    "channel",
    "messaging_service",
    "account",
    "attempted",
    "status_ok",
    "conversions",
    "unconfirmed",
    "resends",
    "dead_letters",
    "p50_seconds",
    "p90_seconds",
    "p99_seconds",
];

/// A row a period, segment and account, in that order.
pub(super) fn csv(gathered: &Gathered) -> String {
    let mut rollups: Vec<_> = gathered.rows().collect();
    rollups.sort_by_key(|(rollup, _)| (rollup.start, &rollup.segment, rollup.account));
    let mut csv = String::new();
    row(&mut csv, COLUMNS.map(String::from));
    for (rollup, Dimensions { country, channel, messaging_service }) in rollups {
        let mut funnel = Funnel::default();
        funnel.add(&rollup.counts, gathered.is_over(rollup.start));
        let text = |value: Option<String>| value.unwrap_or_default();
        let seconds = |quantile| text(json::seconds(&funnel, quantile).map(|s| s.to_string()));
        row(
            &mut csv,
            [
                rollup.start.to_rfc3339(),
                text(country.map(|country| country.to_string())),
                text(rollup.segment.label().map(no_formula)),
                text(channel.map(|channel| channel.to_string())),
                text(messaging_service.map(|service| service.to_string())),
                rollup.account.to_string(),
                funnel.attempted.to_string(),
                funnel.status_ok.to_string(),
                funnel.conversions.to_string(),
                funnel.unconfirmed.to_string(),
                funnel.resends.to_string(),
                funnel.dead_letters.to_string(),
                seconds(0.5),
                seconds(0.9),
                seconds(0.99),
            ],
        );
    }
    csv
}

fn row(csv: &mut String, fields: [String; COLUMNS.len()]) {
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            csv.push(',');
        }
        if field.contains(['"', ',', '\r', '\n']) {
            csv.push('"');
            csv.push_str(&field.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(&field);
        }
    }
    csv.push_str("\r\n");
}

/// A spreadsheet would run a text that begins like a formula.
fn no_formula(text: &str) -> String {
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if begins { format!("'{text}") } else { text.to_owned() }
}
