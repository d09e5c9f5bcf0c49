//! The OTP Conversion report: what became of the messages, in real time.
//!
//! Twilio shows such a report in its console, hours later. This one is the application's
//! own, from the store that it chose: many processes on one store give one report.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower_message_feedback::{Credentials, MessageFeedback, SentMessage, store::Dimensions};
//! # let account = "AC0123456789abcdef0123456789abcdef".parse()?;
//! # let sid = "SM0123456789abcdef0123456789abcdef".parse()?;
//! use std::time::Duration;
//!
//! # let feedback = MessageFeedback::builder()
//! #     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?)
//! #     .build()?;
//! # let sent = SentMessage::new(account, sid);
//! // What the layer records of each send by itself:
//! let sent = sent.label("login").dimensions(Dimensions::of_recipient("+4915112345678"));
//! feedback.record("a login attempt", sent).await;
//!
//! let report = feedback.report(Duration::from_secs(24 * 60 * 60)).await?;
//! assert_eq!((report.total.attempted, report.total.conversions), (1, 0));
//! assert_eq!(report.countries[0].of, Some("DE".parse()?));
//! # Ok(())
//! # }
//! ```
//!
//! # What is counted
//!
//! The definitions are those of Twilio's report:
//!
//! | | |
//! |---|---|
//! | attempted | messages created with `ProvideFeedback` and recorded |
//! | status OK | of those, sent, delivered, read or of unknown delivery |
//! | conversions | of those attempted, confirmed by the user, with Twilio's acknowledgement |
//! | conversion rate | conversions / attempted |
//!
//! Everything counts for the hour in which the message was sent, for a scheduled one its
//! `SendAt`: an hour's numbers grow until the last of its messages is confirmed or
//! forgotten. *Status OK* needs the application's route for
//! [status callbacks](crate::webhook); a status that moves counts once, whatever the
//! order of the callbacks. A message that only [`confirm_sid`] has brought to the store
//! counts as attempted when it converts.
//!
//! The country comes from the number's leading digits and the channel from the form of the
//! address; neither the number nor the id is kept for it. The label is the application's:
//! [`ProvideFeedbackLayer::label`]. Of labels, a process tells
//! [`report_labels`] apart.
//!
//! # What a crash loses
//!
//! Counts wait in memory for a second, so that sends and confirms do not wait for them,
//! and then go to the store in batches. The death of a process loses what it has counted
//! in that second and not brought to the store, or for as long as the store fails: counts,
//! and never a feedback. A batch whose answer was lost is repeated, and counted once.
//!
//! Not counted are the conversion or the status of a message that is gone from the store
//! before it is counted ([`stats().report.lost`](crate::ReportStats::lost)), a status
//! whose update the store took without an answer, and what a transaction of the
//! application's recorded if [`committed`](crate::Joined::committed) was not called.
//!
//! [`confirm_sid`]: crate::MessageFeedback::confirm_sid
//! [`ProvideFeedbackLayer::label`]: crate::ProvideFeedbackLayer::label
//! [`report_labels`]: crate::MessageFeedbackBuilder::report_labels

#[cfg(feature = "axum")]
mod country_names;
mod csv;
mod funnel;
mod json;
mod model;
#[cfg(feature = "axum")]
mod page;
mod query;
mod watch;

use self::model::Gathered;
#[cfg(feature = "axum")]
pub use self::page::ReportPage;
pub use self::{
    funnel::{Funnel, Rate},
    model::{Group, Outbox, Period, Report},
    query::ReportQuery,
    watch::{Alert, AlertEvent, AlertGroup, AlertRule, Watch},
};
use crate::{MessageFeedback, store::StoreError};

impl MessageFeedback {
    /// What became of the messages that were sent in some time: a [`Duration`] for the
    /// last hours or days, a range, or a [`ReportQuery`]. Cancel safe: what it was about to
    /// count is counted later.
    ///
    /// # Errors
    ///
    /// If the store failed or did not answer within ten seconds.
    ///
    /// [`Duration`]: std::time::Duration
    pub async fn report(&self, query: impl Into<ReportQuery>) -> Result<Report, StoreError> {
        let gathered = self.gathered(query.into()).await?;
        self.report_of(&gathered).await
    }

    async fn report_of(&self, gathered: &Gathered) -> Result<Report, StoreError> {
        Ok(gathered.report(self.shared().report_counts().await?.into()))
    }

    /// The same numbers, each period, segment and account for itself, as CSV (RFC 4180):
    /// for a spreadsheet or a warehouse.
    ///
    /// # Errors
    ///
    /// Those of [`report`](Self::report).
    pub async fn report_csv(&self, query: impl Into<ReportQuery>) -> Result<String, StoreError> {
        Ok(csv::csv(&self.gathered(query.into()).await?))
    }

    async fn gathered(&self, query: ReportQuery) -> Result<Gathered, StoreError> {
        let shared = self.shared();
        // What it does not take now shows later.
        let _ = shared.flush_report().await;
        let at = shared.clock.now();
        let (resolution, from, to) = query.periods(at, shared.settings.report.hours);
        Ok(Gathered {
            at,
            from,
            to,
            resolution,
            retention: shared.settings.retention,
            rollups: shared.rollups(resolution, from, to).await?,
            filter: query.filter,
        })
    }
}
