//! Tables of messages that have something in common.

use std::fmt::Write;

use super::{
    chart,
    html::{Escaped, exact, percent},
    parameters::Parameters,
};
use crate::{
    Country,
    report::{Funnel, Rate, country_names::NAMES},
};

/// What a country is called, or its code.
pub(super) fn country_name(country: Option<Country>) -> String {
    let Some(country) = country else { return "Unknown country".to_owned() };
    let code = country.as_str().as_bytes();
    match NAMES.binary_search_by_key(&code, |(code, _)| &code[..]) {
        Ok(at) => NAMES[at].1.to_owned(),
        Err(_) => country.to_string(),
    }
}

/// A row of a table: its name, what it links to, and whether that is chosen.
pub(super) struct Row<'a> {
    pub(super) name: String,
    pub(super) link: Parameters,
    pub(super) is_chosen: bool,
    pub(super) funnel: &'a Funnel,
}

/// How many rows are shown at once.
const SHOWN: usize = 20;

/// A table of one dimension, the rest of a long one behind a summary.
pub(super) fn table(id: &str, title: &str, column: &str, rows: &[Row<'_>]) -> String {
    let most = rows.iter().map(|row| row.funnel.attempted).max().unwrap_or(0);
    let (shown, rest) = rows.split_at(rows.len().min(SHOWN));
    let mut html = format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>");
    if rows.is_empty() {
        html.push_str("<p class=\"quiet\">No messages in this time.</p>");
    } else {
        html.push_str(&part(
            &format!("{title}, those with most messages first"),
            column,
            shown,
            most,
        ));
    }
    if !rest.is_empty() {
        let caption = format!("{title}, the others");
        let rest_html = part(&caption, column, rest, most);
        let _ =
            write!(html, "<details><summary>{} more</summary>{rest_html}</details>", rest.len());
    }
    html.push_str("</section>");
    html
}

fn part(caption: &str, column: &str, rows: &[Row<'_>], most: u64) -> String {
    let rows = rows.iter().map(|Row { name, link, is_chosen, funnel }| {
        let current = if *is_chosen { " aria-current=\"true\"" } else { "" };
        let query = link.to_query();
        let share = if most == 0 { 0.0 } else { funnel.attempted as f64 / most as f64 };
        let (query, name) = (Escaped(&query), Escaped(name));
        let bar = chart::bar(share);
        (format!("<a href=\"?{query}\"{current}>{name}</a>{bar}"), *funnel)
    });
    numbers(caption, caption, column, rows)
}

/// A table of funnels, each behind its head, which is markup. `region` names what scrolls.
pub(super) fn numbers<'a>(
    region: &str,
    caption: &str,
    column: &str,
    rows: impl Iterator<Item = (String, &'a Funnel)>,
) -> String {
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{region}\"><table>\
         <caption class=\"hidden\">{caption}</caption><thead><tr><th scope=\"col\">{column}</th>\
         <th scope=\"col\">Attempted</th><th scope=\"col\">Status OK</th>\
         <th scope=\"col\">Conversions</th><th scope=\"col\">Conversion rate</th></tr></thead><tbody>"
    );
    for (head, funnel) in rows {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{head}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            exact(funnel.attempted),
            exact(funnel.status_ok),
            exact(funnel.conversions),
            rate(funnel.conversion_rate(), ""),
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// A rate with its interval, what there is to say of that, and a mark where it says little.
pub(super) fn rate(rate: Option<Rate>, words: &str) -> String {
    let Some(rate) = rate else { return "–".to_owned() };
    let mark = if rate.is_small_sample { " <span class=\"mark\">small sample</span>" } else { "" };
    format!(
        "{}<small>{:.1}–{:.1} %{words}{mark}</small>",
        percent(rate.value),
        rate.low * 100.0,
        rate.high * 100.0
    )
}
