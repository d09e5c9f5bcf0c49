//! The report for a browser: as a page, as JSON and as CSV.

mod answer;
mod asked;
mod chart;
mod dead_letters;
mod document;
mod groups;
mod html;
mod names;
mod parameters;
mod same_origin;

use std::collections::HashMap;

use axum::{
    Router,
    body::to_bytes,
    extract::{OriginalUri, Request, State},
    response::Response,
    routing::{get, post},
};
use http::{HeaderValue, StatusCode, Uri, header};

use self::{
    answer::{TEXT, Trouble, answer},
    asked::asked,
    document::Document,
    parameters::{Invalid, Parameters, outcome_value, pairs},
    same_origin::is_same_origin,
};
use super::csv;
use crate::MessageFeedback;

impl MessageFeedback {
    /// The report's page, with `report.json` and `report.csv` beside it, as a router to nest
    /// where the application lets its operators in: it asks nobody who they are.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use axum::{extract::Request, middleware::{self, Next}, response::Response};
    /// # use tower_message_feedback::{Credentials, MessageFeedback};
    /// # async fn operators_only(request: Request, next: Next) -> Response { next.run(request).await }
    /// # let feedback = MessageFeedback::builder()
    /// #     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?)
    /// #     .build()?;
    /// let app: axum::Router = axum::Router::new()
    ///     .nest("/admin/report", feedback.report_router())
    ///     .layer(middleware::from_fn(operators_only));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The page needs no script and loads nothing from elsewhere; its
    /// `Content-Security-Policy` allows neither. Its links are relative, so it may stand
    /// under any path, also behind a proxy that changes it. It shows no number, no id, and
    /// a SID only where one asks for SIDs; `report.json` and `report.csv` have the SIDs of
    /// accounts and Messaging Services.
    ///
    /// Its query says what it shows, that of `report.json` and `report.csv` too:
    ///
    /// | parameter | |
    /// |---|---|
    /// | `range` | `24h` (by default), `3d`, `7d`, `30d`, `90d`, `365d` |
    /// | `from`, `to` | instead: days (`2026-11-26`) or times in RFC 3339, `to` itself not included |
    /// | `country` | two letters, or `none` where it is not known |
    /// | `label` | one label; `-` for messages without, and `=` before one that is `-` or begins with `=` |
    /// | `channel` | `sms`, `mms`, `whatsapp`, `rcs`, `messenger`, or `none` |
    /// | `service`, `account` | a SID, or what the page shows for it; `none` for no service |
    ///
    /// Its one action is a button that sends a dead letter again. It takes it from the page
    /// itself alone, by what every browser says of a form's origin (`Sec-Fetch-Site`, or
    /// else `Origin`). [`report_page`](Self::report_page) can switch it off.
    pub fn report_router<S>(&self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        self.report_page().into_router()
    }

    /// The same, to be configured.
    pub fn report_page(&self) -> ReportPage {
        ReportPage { feedback: self.clone(), can_resend: true }
    }
}

/// The report's page, made by [`MessageFeedback::report_page`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ReportPage {
    feedback: MessageFeedback,
    can_resend: bool,
}

impl ReportPage {
    /// Whether a dead letter can be sent again from the page: it can by default.
    pub fn resend(mut self, allowed: bool) -> Self {
        self.can_resend = allowed;
        self
    }

    /// The router: see [`MessageFeedback::report_router`].
    pub fn into_router<S>(self) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let mut router = Router::new()
            .route("/", get(page))
            .route("/report.json", get(report_json))
            .route("/report.csv", get(report_csv))
            .route("/report.css", get(style));
        if self.can_resend {
            router = router.route("/resend", post(resend));
        }
        router.with_state(self)
    }
}

/// What the query of a request asks for.
fn read(uri: &Uri) -> Result<Parameters, Invalid> {
    Parameters::read(uri.query().unwrap_or_default())
}

async fn page(
    State(ReportPage { feedback, can_resend }): State<ReportPage>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Trouble> {
    let parameters = read(&uri)?;
    let asked = asked(&feedback, &parameters).await?;
    let document = Document {
        feedback: &feedback,
        report: &feedback.report_of(&asked.gathered).await?,
        choices: &asked.choices,
        names: &asked.names,
        parameters: &asked.names.in_parameters(parameters),
        dead_letters: &feedback.dead_letters(None, dead_letters::SHOWN).await?,
        base: &base(&uri),
        can_resend,
    };
    Ok(answer(StatusCode::OK, "text/html; charset=utf-8", document.html()))
}

async fn report_json(
    State(ReportPage { feedback, .. }): State<ReportPage>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Trouble> {
    let asked = asked(&feedback, &read(&uri)?).await?;
    let report = feedback.report_of(&asked.gathered).await?;
    let json = serde_json::to_string(&report).map_err(|_| Trouble::Store)?;
    Ok(answer(StatusCode::OK, "application/json", json))
}

async fn report_csv(
    State(ReportPage { feedback, .. }): State<ReportPage>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Trouble> {
    let csv = csv::csv(&asked(&feedback, &read(&uri)?).await?.gathered);
    let mut response = answer(StatusCode::OK, "text/csv; charset=utf-8; header=present", csv);
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"otp-conversion.csv\""),
    );
    Ok(response)
}

async fn style() -> Response {
    let css = include_str!("report.css").to_owned();
    let mut response = answer(StatusCode::OK, "text/css; charset=utf-8", css);
    let day = HeaderValue::from_static("max-age=86400");
    response.headers_mut().insert(header::CACHE_CONTROL, day);
    response
}

async fn resend(State(state): State<ReportPage>, request: Request) -> Result<Response, Trouble> {
    const LONGEST_FORM: usize = 16 * 1024;
    let (parts, body) = request.into_parts();
    if !is_same_origin(&parts.headers, &parts.uri) {
        let words = "This form was not sent from the report's own page.\n";
        return Ok(answer(StatusCode::FORBIDDEN, TEXT, words.to_owned()));
    }
    let form = to_bytes(body, LONGEST_FORM).await.map_err(|_| Invalid("reference"))?;
    let form: HashMap<String, String> = pairs(&String::from_utf8_lossy(&form)).collect();
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let outcome = dead_letters::resend(&state.feedback, of("reference")).await?;
    let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.0.path());
    let page = page_from_form(path, of("slash") == "1");
    // Read and written again: a form cannot bring anything else into the header.
    let back = Parameters::read(of("back")).unwrap_or_default().to_query();
    let location = format!("{page}?{back}&resent={}#dead-letters", outcome_value(outcome));
    let mut response = answer(StatusCode::SEE_OTHER, TEXT, String::new());
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What links begin with that lead beside a page whose path ends with a slash.
const HERE: &str = "./";

/// What links on the page begin with that lead beside it.
fn base(uri: &Uri) -> String {
    match uri.path().rsplit_once('/') {
        Some((_, "")) | None => HERE.to_owned(),
        Some((_, last)) => format!("./{last}/"),
    }
}

/// The page, as a link from where the form goes.
fn page_from_form(path: &str, has_slash: bool) -> String {
    let of_page = path.strip_suffix("/resend").unwrap_or_default();
    match of_page.rsplit_once('/') {
        Some((_, last)) if !has_slash && !last.is_empty() => format!("../{last}"),
        _ => HERE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_beside_the_page_and_back() {
        for (page, beside, form, back) in [
            ("/", "./", "/resend", "./"),
            ("/report", "./report/", "/report/resend", "../report"),
            ("/report/", "./", "/report/resend", "./"),
            ("/a/b/report", "./report/", "/a/b/report/resend", "../report"),
        ] {
            assert_eq!(base(&page.parse().unwrap()), beside);
            assert_eq!(page_from_form(form, beside == HERE), back);
        }
    }
}
