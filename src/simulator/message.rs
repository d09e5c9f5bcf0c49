use std::fmt;

use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::render::Format;
use crate::{
    clock::Timestamp,
    twilio::{AccountSid, MessageSid},
};

/// What was reported of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The initial state, and what `Outcome=unconfirmed` sets.
    Unconfirmed,
    /// The user performed the action.
    Confirmed,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
        }
    }
}

/// What a valid create asks for.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    pub(super) body: String,
    pub(super) media: usize,
    pub(super) provide_feedback: bool,
    pub(super) scheduled: bool,
    pub(super) status_callback: Option<String>,
}

/// A message that the simulator keeps: what the phone would show, and what was
/// reported of it.
///
/// `Debug` shows neither the addresses nor the body.
#[derive(Clone)]
pub struct SimulatedMessage {
    sid: MessageSid,
    account: AccountSid,
    draft: Draft,
    created: Timestamp,
    outcome: Outcome,
    reported: Option<Timestamp>,
    feedback_count: u32,
}

impl SimulatedMessage {
    pub(super) fn new(sid: MessageSid, account: AccountSid, draft: Draft, now: Timestamp) -> Self {
        Self {
            sid,
            account,
            draft,
            created: now,
            outcome: Outcome::Unconfirmed,
            reported: None,
            feedback_count: 0,
        }
    }

    pub(super) fn report(&mut self, outcome: Outcome, now: Timestamp) {
        self.outcome = outcome;
        self.reported = Some(now);
        if outcome == Outcome::Confirmed {
            self.feedback_count = self.feedback_count.saturating_add(1);
        }
    }

    /// The message's SID: `MM…` if it was created with media, else `SM…`.
    #[must_use]
    pub fn sid(&self) -> MessageSid {
        self.sid
    }

    /// The account that owns the message.
    #[must_use]
    pub fn account(&self) -> AccountSid {
        self.account
    }

    /// The recipient, as it was sent: `+15558675310`, `whatsapp:+15558675310`.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.draft.to
    }

    /// The sender; `None` if a Messaging Service is to choose it.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        self.draft.from.as_deref()
    }

    /// The Messaging Service (`MG…`), if the message was sent by one.
    #[must_use]
    pub fn messaging_service_sid(&self) -> Option<&str> {
        self.draft.messaging_service_sid.as_deref()
    }

    /// The text; empty if the message consists of media or of a template.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.draft.body
    }

    /// Whether the message was created with `ProvideFeedback=true`. Without it,
    /// feedback is refused.
    #[must_use]
    pub fn provide_feedback(&self) -> bool {
        self.draft.provide_feedback
    }

    /// The status at creation: `queued`, `accepted` with a Messaging Service, or
    /// `scheduled`. It does not change.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.draft.scheduled {
            "scheduled"
        } else if self.draft.messaging_service_sid.is_some() {
            "accepted"
        } else {
            "queued"
        }
    }

    /// What was last reported.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How many times the message was reported as confirmed. More than 1 is a
    /// repeated call.
    #[must_use]
    pub fn feedback_count(&self) -> u32 {
        self.feedback_count
    }

    /// Where the create asks for status callbacks, if it does.
    #[must_use]
    pub fn status_callback(&self) -> Option<&str> {
        self.draft.status_callback.as_deref()
    }

    /// When it was created, by the simulator's clock.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// When an outcome was last reported; `None` while none was.
    #[must_use]
    pub fn reported(&self) -> Option<Timestamp> {
        self.reported
    }

    fn uri(&self) -> String {
        format!("/2010-04-01/Accounts/{}/Messages/{}", self.account, self.sid)
    }

    /// The Message resource.
    pub(super) fn to_value(&self, format: Format) -> Value {
        let uri = self.uri();
        let suffix = format.suffix();
        let date = date(self.created);
        // Nothing is ever sent, so nothing has a date of sending or a price.
        json!({
            "account_sid": self.account.to_string(),
            "api_version": "2010-04-01",
            "body": self.draft.body,
            "date_created": date,
            "date_sent": null,
            "date_updated": date,
            "direction": "outbound-api",
            "error_code": null,
            "error_message": null,
            "from": self.draft.from,
            "messaging_service_sid": self.draft.messaging_service_sid,
            "num_media": self.draft.media.to_string(),
            "num_segments": self.segments().to_string(),
            "price": null,
            "price_unit": null,
            "sid": self.sid.to_string(),
            "status": self.status(),
            "subresource_uris": { "media": format!("{uri}/Media{suffix}") },
            "to": self.draft.to,
            "uri": format!("{uri}{suffix}"),
        })
    }

    /// The MessageFeedback resource.
    pub(super) fn to_feedback_value(&self, format: Format) -> Value {
        json!({
            "account_sid": self.account.to_string(),
            "date_created": date(self.created),
            "date_updated": date(self.reported.unwrap_or(self.created)),
            "message_sid": self.sid.to_string(),
            "outcome": self.outcome.as_str(),
            "uri": format!("{}/Feedback{}", self.uri(), format.suffix()),
        })
    }

    /// 0 until a Messaging Service has chosen a sender. Else an estimate: all of
    /// ASCII counts as GSM-7, and nothing else does.
    fn segments(&self) -> usize {
        if self.draft.messaging_service_sid.is_some() {
            return 0;
        }
        let body = &self.draft.body;
        let (length, single, part) = if body.is_ascii() {
            (body.len(), 160, 153)
        } else {
            (body.encode_utf16().count(), 70, 67)
        };
        if length <= single { 1 } else { length.div_ceil(part) }
    }
}

impl fmt::Debug for SimulatedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedMessage")
            .field("sid", &self.sid)
            .field("account", &self.account)
            .field("status", &self.status())
            .field("provide_feedback", &self.draft.provide_feedback)
            .field("outcome", &self.outcome)
            .field("feedback_count", &self.feedback_count)
            .finish_non_exhaustive()
    }
}

/// RFC 2822, as Twilio writes it: two digits for the day, `+0000` for the zone.
fn date(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.as_millis())
        .and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time))
        .unwrap_or_default()
        .replace("GMT", "+0000")
}
