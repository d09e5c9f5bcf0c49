//! The page as a whole, in HTML.

use std::fmt::Write;

use super::{
    asked::Choices,
    chart::{self, Line},
    dead_letters::{Form, Section, minute},
    groups::{Row, country_name, numbers, rate, table},
    html::{Escaped, exact, percent, rough, seconds},
    names::Names,
    parameters::{NONE, Parameters, RANGES, label_value},
};
use crate::{
    Channel, MessageFeedback, Timestamp,
    report::{Funnel, Group, Rate, Report, json, query::Chosen},
    store::LedgerEntry,
};

/// The page.
pub(super) struct Document<'a> {
    pub(super) feedback: &'a MessageFeedback,
    pub(super) report: &'a Report,
    pub(super) choices: &'a Choices,
    pub(super) names: &'a Names,
    pub(super) parameters: &'a Parameters,
    pub(super) dead_letters: &'a [LedgerEntry],
    /// What relative links begin with.
    pub(super) base: &'a str,
    pub(super) can_resend: bool,
}

impl Document<'_> {
    pub(super) fn html(&self) -> String {
        let main = [
            self.tiles(),
            self.trends(),
            self.countries(),
            self.others(),
            format!("<div class=\"columns\">{}{}</div>", self.latency(), self.delivery()),
            self.dead_letters(),
        ]
        .concat();
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\"><title>OTP Conversion</title>\
             <link rel=\"stylesheet\" href=\"{}report.css?v={}\"></head><body>\
             <a class=\"skip\" href=\"#main\">Skip to the numbers</a>\
             {}<main id=\"main\">{main}</main>{}</body></html>",
            Escaped(self.base),
            env!("CARGO_PKG_VERSION"),
            self.header(),
            self.footer(),
        )
    }

    fn link(&self, change: impl FnOnce(&mut Parameters)) -> String {
        Escaped(&self.parameters.with(change).to_query()).to_string()
    }

    fn header(&self) -> String {
        let Report { at, from, to, .. } = self.report;
        let [at, from, to] = [at, from, to].map(|time| minute(&time.to_rfc3339()));
        let mut ranges = String::new();
        for (number, (_, words, _)) in RANGES.iter().enumerate() {
            let is_current = self.parameters.between.is_none() && self.parameters.range == number;
            let current = if is_current { " aria-current=\"true\"" } else { "" };
            let link = self.link(|parameters| {
                parameters.range = number;
                parameters.between = None;
            });
            let _ = write!(ranges, "<li><a href=\"?{link}\"{current}>{words}</a></li>");
        }
        format!(
            "<header><h1>OTP Conversion</h1><p class=\"quiet\">Messages sent from {from} to {to}, as of \
             {at}. Times are in UTC.</p><nav aria-label=\"Time\"><ul>{ranges}</ul></nav>{}{}</header>",
            self.form(),
            self.chips(),
        )
    }

    fn form(&self) -> String {
        let mut html = "<form class=\"filters\" method=\"get\">".to_owned();
        let mut keep = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let value = Escaped(value);
                let _ = write!(html, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
            }
        };
        match &self.parameters.between {
            Some((from, to)) => {
                keep("from", Some(from));
                keep("to", Some(to));
            }
            None => keep("range", Some(RANGES[self.parameters.range].0)),
        }
        keep("service", self.parameters.service.as_deref());
        keep("account", self.parameters.account.as_deref());
        keep("sids", self.parameters.shows_sids.then_some("show"));
        let Choices { countries, labels, channels } = self.choices;
        let mut named: Vec<(String, String, bool)> = countries
            .iter()
            .map(|country| {
                let code = country.map_or(NONE.to_owned(), |country| country.to_string());
                (country_name(*country), code, self.parameters.country.is(country))
            })
            .collect();
        named.sort();
        html.push_str(&select("country", "Country", "All countries", &named));
        let named: Vec<_> = labels
            .iter()
            .map(|label| {
                let chosen = Chosen::Only(label.as_deref().map(str::to_owned));
                let value = label_value(&chosen).unwrap_or_default();
                (label_name(label.as_deref()), value, self.parameters.label == chosen)
            })
            .collect();
        html.push_str(&select("label", "Label", "All labels", &named));
        let named: Vec<_> = channels
            .iter()
            .map(|channel| {
                let value = channel.map_or(NONE, Channel::as_str).to_owned();
                (channel_name(*channel), value, self.parameters.channel.is(channel))
            })
            .collect();
        html.push_str(&select("channel", "Channel", "All channels", &named));
        html.push_str("<button>Apply</button></form>");
        html
    }

    /// What is chosen, each with a link that takes it back.
    fn chips(&self) -> String {
        let parameters = self.parameters;
        let mut chips = Vec::new();
        if let Chosen::Only(country) = parameters.country {
            chips.push((country_name(country), self.link(|p| p.country = Chosen::All)));
        }
        if let Chosen::Only(label) = &parameters.label {
            chips.push((label_name(label.as_deref()), self.link(|p| p.label = Chosen::All)));
        }
        if let Chosen::Only(channel) = parameters.channel {
            chips.push((channel_name(channel), self.link(|p| p.channel = Chosen::All)));
        }
        if let Some(service) = &parameters.service {
            chips.push((format!("Messaging Service {service}"), self.link(|p| p.service = None)));
        }
        if let Some(account) = &parameters.account {
            chips.push((format!("Account {account}"), self.link(|p| p.account = None)));
        }
        if chips.is_empty() {
            return String::new();
        }
        let mut html = "<ul class=\"chips\" aria-label=\"Filters\">".to_owned();
        for (name, link) in chips {
            let name = Escaped(&name);
            let _ = write!(
                html,
                "<li><a href=\"?{link}\">{name} <span aria-hidden=\"true\">×</span>\
                 <span class=\"hidden\">: show all again</span></a></li>"
            );
        }
        html.push_str("</ul>");
        html
    }

    fn tiles(&self) -> String {
        let total = &self.report.total;
        let countries = self.report.countries.iter().filter(|group| group.of.is_some()).count();
        let share = |rate: Option<Rate>| {
            rate.map_or(String::new(), |rate| format!("{} of attempted", percent(rate.value)))
        };
        let rate = rate(total.conversion_rate(), " at 95 % confidence");
        let number = |number: u64, more: &str| {
            let exact = exact(number);
            let more = if more.is_empty() { String::new() } else { format!(", {more}") };
            format!("{}<small>{exact}{more}</small>", rough(number))
        };
        format!(
            "<section aria-labelledby=\"funnel\"><h2 id=\"funnel\">Funnel</h2><dl class=\"tiles\">\
             <div class=\"attempted\"><dt>Attempted</dt><dd>{}</dd></div>\
             <div class=\"ok\"><dt>Status OK</dt><dd>{}</dd></div>\
             <div class=\"conversions\"><dt>Conversions</dt><dd>{}</dd></div>\
             <div class=\"rate\"><dt>Conversion rate</dt><dd>{rate}</dd></div>\
             <div><dt>Countries</dt><dd>{countries}</dd></div></dl></section>",
            number(total.attempted, ""),
            number(total.status_ok, &share(total.status_ok_rate())),
            number(total.conversions, ""),
        )
    }

    fn trends(&self) -> String {
        let periods = &self.report.over_time;
        let of = |count: fn(&Funnel) -> u64| -> Vec<Option<f64>> {
            periods.iter().map(|period| Some(count(&period.funnel) as f64)).collect()
        };
        let top = periods.iter().map(|period| period.funnel.attempted).max().unwrap_or(0);
        let every = json::resolution(self.report.resolution);
        let volume = chart::lines(
            &format!(
                "Messages attempted, with status OK, and converted, per {every}; the table below has the numbers"
            ),
            &[
                Line { class: "attempted", values: of(|funnel| funnel.attempted) },
                Line { class: "ok", values: of(|funnel| funnel.status_ok) },
                Line { class: "conversions", values: of(|funnel| funnel.conversions) },
            ],
            top as f64,
        );
        let rates =
            periods.iter().map(|period| period.funnel.conversion_rate().map(|rate| rate.value));
        let rates = chart::lines(
            &format!("Conversion rate per {every}; the table below has the numbers"),
            &[Line { class: "rate", values: rates.collect() }],
            1.0,
        );
        let shown = |time: Timestamp| minute(&time.to_rfc3339());
        let (first, last) = match (periods.first(), periods.last()) {
            (Some(first), Some(last)) => (shown(first.start), shown(last.start)),
            _ => (String::new(), String::new()),
        };
        let ends = format!("<p class=\"ends\"><span>{first}</span><span>{last}</span></p>");
        let rows = periods.iter().rev().map(|period| (shown(period.start), &period.funnel));
        let region = format!("Messages per {every}");
        let table = numbers(&region, &format!("{region}, the newest first"), "From", rows);
        format!(
            "<div class=\"columns\"><section aria-labelledby=\"volume\"><h2 id=\"volume\">Messages per \
             {every}</h2><ul class=\"legend\"><li class=\"attempted\">Attempted</li>\
             <li class=\"ok\">Status OK</li><li class=\"conversions\">Conversions</li></ul>\
             <p class=\"ends\"><span>{}</span></p>{volume}{ends}</section>\
             <section aria-labelledby=\"rates\"><h2 id=\"rates\">Conversion rate per {every}</h2>\
             <p class=\"ends\"><span>100 %</span></p>{rates}{ends}</section></div>\
             <details><summary>The same as a table</summary>{table}</details>",
            exact(top),
        )
    }

    fn countries(&self) -> String {
        let rows: Vec<Row<'_>> = self
            .report
            .countries
            .iter()
            .map(|Group { of, funnel }| Row {
                name: country_name(*of),
                link: self.parameters.with(|p| p.country = Chosen::Only(*of)),
                is_chosen: self.parameters.country.is(of),
                funnel,
            })
            .collect();
        table("countries", "Countries", "Country", &rows)
    }

    fn others(&self) -> String {
        let Report { labels, channels, messaging_services, accounts, .. } = self.report;
        let labels: Vec<Row<'_>> = labels
            .iter()
            .map(|Group { of, funnel }| Row {
                name: label_name(of.as_deref()),
                link: self.parameters.with(|p| {
                    p.label = Chosen::Only(of.as_deref().map(str::to_owned));
                }),
                is_chosen: !self.parameters.label.is_all(),
                funnel,
            })
            .collect();
        let channels: Vec<Row<'_>> = channels
            .iter()
            .map(|Group { of, funnel }| Row {
                name: channel_name(*of),
                link: self.parameters.with(|p| p.channel = Chosen::Only(*of)),
                is_chosen: !self.parameters.channel.is_all(),
                funnel,
            })
            .collect();
        let services: Vec<Row<'_>> = messaging_services
            .iter()
            .map(|Group { of, funnel }| {
                let name = of.map_or(NONE.to_owned(), |sid| self.names.of(&sid.to_string()));
                Row {
                    link: self.parameters.with(|p| p.service = Some(name.clone())),
                    name: match of {
                        None => "Without a service".to_owned(),
                        Some(_) => format!("Service {name}"),
                    },
                    is_chosen: self.parameters.service.is_some(),
                    funnel,
                }
            })
            .collect();
        let accounts: Vec<Row<'_>> = accounts
            .iter()
            .map(|Group { of, funnel }| {
                let name = self.names.of(&of.to_string());
                Row {
                    link: self.parameters.with(|p| p.account = Some(name.clone())),
                    name: format!("Account {name}"),
                    is_chosen: self.parameters.account.is_some(),
                    funnel,
                }
            })
            .collect();
        let mut html = "<div class=\"columns\">".to_owned();
        for (id, title, column, rows) in [
            ("labels", "Labels", "Label", labels),
            ("channels", "Channels", "Channel", channels),
            ("services", "Messaging Services", "Service", services),
            ("accounts", "Accounts", "Account", accounts),
        ] {
            // One alone says what the total says.
            if rows.len() > 1 || rows.iter().any(|row| row.is_chosen) {
                html.push_str(&table(id, title, column, &rows));
            }
        }
        html.push_str("</div>");
        html
    }

    fn latency(&self) -> String {
        let latency = &self.report.total.latency;
        let mut html =
            "<section aria-labelledby=\"latency\"><h2 id=\"latency\">From send to confirm</h2>"
                .to_owned();
        if latency.count() == 0 {
            html.push_str("<p class=\"quiet\">No conversions in this time.</p></section>");
            return html;
        }
        let at = |quantile| {
            latency.quantile(quantile).map_or("–".to_owned(), |at| seconds(at.as_secs_f64()))
        };
        let buckets: Vec<(Option<f64>, i64)> =
            latency.iter().map(|(end, count)| (end.map(|end| end.as_secs_f64()), count)).collect();
        let first = buckets.iter().position(|(_, count)| *count > 0).unwrap_or(0);
        let last = buckets.iter().rposition(|(_, count)| *count > 0).unwrap_or(first);
        let counts: Vec<i64> = buckets[first..=last].iter().map(|(_, count)| *count).collect();
        let start = if first == 0 { 0.0 } else { buckets[first - 1].0.unwrap_or(0.0) };
        let end = buckets[last].0.map_or("longer".to_owned(), seconds);
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(at);
        let name = format!(
            "How long conversions took: half of them {p50} or less, 90 % {p90}, 99 % {p99}"
        );
        let _ = write!(
            html,
            "<dl class=\"tiles\"><div><dt>Half within</dt><dd>{p50}</dd></div><div><dt>90 % within</dt>\
             <dd>{p90}</dd></div><div><dt>99 % within</dt><dd>{p99}</dd></div></dl>{}\
             <p class=\"ends\"><span>{}</span><span>{end}</span></p></section>",
            chart::bars(&name, &counts),
            seconds(start),
        );
        html
    }

    fn delivery(&self) -> String {
        let Report { total, outbox, .. } = self.report;
        let resends = total
            .resends_per_conversion()
            .map_or("–".to_owned(), |resends| format!("{resends:.2}"));
        let oldest = outbox.oldest_age.map_or(String::new(), |age| {
            format!("<small>the oldest for {}</small>", seconds(age.as_secs_f64()))
        });
        format!(
            "<section aria-labelledby=\"delivery\"><h2 id=\"delivery\">Health</h2><dl class=\"tiles\">\
             <div><dt>Never confirmed in time</dt><dd>{}</dd></div>\
             <div><dt>Resends per conversion</dt><dd>{resends}</dd></div>\
             <div><dt>Delivered to Twilio</dt><dd>{}</dd></div>\
             <div><dt>Waiting for Twilio now</dt><dd>{}{oldest}</dd></div>\
             <div><dt>Dead letters now</dt><dd>{}</dd></div></dl>\
             <p class=\"quiet\">What waits and what is dead is of messages of any time, whatever the filters.</p>\
             </section>",
            exact(total.unconfirmed),
            exact(total.conversions),
            exact(outbox.waiting),
            exact(outbox.dead_letters),
        )
    }

    fn dead_letters(&self) -> String {
        let form = Form { base: self.base, parameters: self.parameters };
        let form = self.can_resend.then_some(&form);
        let all = self.report.outbox.dead_letters;
        let shows_sids = self.parameters.shows_sids;
        let section = Section { feedback: self.feedback, shows_sids, form };
        section.html(self.dead_letters, all, self.parameters.resent)
    }

    fn footer(&self) -> String {
        let base = Escaped(self.base);
        let query = self.link(|_| {});
        let shows = self.parameters.shows_sids;
        // References and SIDs are each other's filters.
        let toggled = self.link(|p| p.shows_sids = !shows);
        let words = if shows { "Hide SIDs" } else { "Show SIDs" };
        format!(
            "<footer><a href=\"{base}report.csv?{query}\">CSV</a>\
             <a href=\"{base}report.json?{query}\">JSON</a><a href=\"?{toggled}\">{words}</a></footer>"
        )
    }
}

fn select(name: &str, title: &str, all_words: &str, options: &[(String, String, bool)]) -> String {
    let mut html =
        format!("<label>{title}<select name=\"{name}\"><option value=\"\">{all_words}</option>");
    for (words, value, is_chosen) in options {
        let selected = if *is_chosen { " selected" } else { "" };
        let (words, value) = (Escaped(words), Escaped(value));
        let _ = write!(html, "<option value=\"{value}\"{selected}>{words}</option>");
    }
    html.push_str("</select></label>");
    html
}

/// A label in words that can be seen.
fn label_name(label: Option<&str>) -> String {
    match label {
        None => "Without a label".to_owned(),
        Some(label) if label.trim().is_empty() => "Blank label".to_owned(),
        Some(label) => label.to_owned(),
    }
}

fn channel_name(channel: Option<Channel>) -> String {
    match channel {
        Some(Channel::Sms) => "SMS",
        Some(Channel::Mms) => "MMS",
        Some(Channel::WhatsApp) => "WhatsApp",
        Some(Channel::Rcs) => "RCS",
        Some(Channel::Messenger) => "Messenger",
        None => "Unknown channel",
    }
    .to_owned()
}
