//! Feedback that Twilio will never take, and sending it again.

use std::fmt::Write;

use super::{HERE, groups::country_name, html::Escaped, names::reference, parameters::Parameters};
use crate::{
    CorrelationId, MessageFeedback, MessageSid,
    store::{FailureKind, LedgerEntry, LedgerStatus, ResendOutcome, StoreError},
};

/// How many the page shows.
pub(super) const SHOWN: usize = 50;
/// How many are looked through for the one that is to be sent again.
const SEARCHED: usize = 10_000;
const PAGE: usize = 500;

/// What stands for a message in a form: a keyed hash of its SID.
fn message_reference(feedback: &MessageFeedback, sid: MessageSid) -> String {
    reference(feedback, &CorrelationId::sid(sid), 16)
}

/// Sends the dead letter again that a form refers to.
pub(super) async fn resend(
    feedback: &MessageFeedback,
    wanted: &str,
) -> Result<ResendOutcome, StoreError> {
    let mut after = None;
    for _ in 0..SEARCHED / PAGE {
        let page = feedback.dead_letters(after, PAGE).await?;
        let found = page.iter().find(|entry| message_reference(feedback, entry.sid) == wanted);
        if let Some(entry) = found {
            return feedback.resend(entry.sid).await;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.sid),
            _ => break,
        }
    }
    Ok(ResendOutcome::NotDead)
}

/// Where the forms go; nothing if the button is switched off.
pub(super) struct Form<'a> {
    pub(super) base: &'a str,
    pub(super) parameters: &'a Parameters,
}

/// The part of the page that is about them.
pub(super) struct Section<'a> {
    pub(super) feedback: &'a MessageFeedback,
    pub(super) shows_sids: bool,
    pub(super) form: Option<&'a Form<'a>>,
}

impl Section<'_> {
    /// The first of them, of how many there are; what became of one that was to be sent
    /// again.
    pub(super) fn html(
        &self,
        entries: &[LedgerEntry],
        all: u64,
        resent: Option<ResendOutcome>,
    ) -> String {
        let status = match resent {
            None => "",
            Some(ResendOutcome::Queued) => {
                "<p class=\"status\" role=\"status\">The feedback is on its way to Twilio again.</p>"
            }
            Some(ResendOutcome::NotDead) => {
                "<p class=\"status warn\" role=\"status\">It is no dead letter any more.</p>"
            }
            Some(ResendOutcome::Full) => {
                "<p class=\"status warn\" role=\"status\">The outbox is full: it stays a dead letter.</p>"
            }
        };
        let mut html = format!(
            "<section id=\"dead-letters\" aria-labelledby=\"dead-letters-title\">\
             <h2 id=\"dead-letters-title\">Dead letters</h2>{status}"
        );
        if entries.is_empty() {
            html.push_str(
                "<p class=\"quiet\">None: Twilio has taken all feedback, or will.</p></section>",
            );
            return html;
        }
        let shown = entries.len() as u64;
        let of_all =
            if all > shown { format!(" The first {shown} of {all}.") } else { String::new() };
        let sid =
            if self.shows_sids { "<th scope=\"col\" class=\"text\">Message</th>" } else { "" };
        let action = match self.form {
            Some(_) => "<th scope=\"col\"><span class=\"hidden\">Action</span></th>",
            None => "",
        };
        let _ = write!(
            html,
            "<p class=\"quiet\">Feedback that Twilio will never take, of messages of any time.{of_all}</p>\
             <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of dead letters\"><table>\
             <caption class=\"hidden\">Dead letters</caption><thead><tr><th scope=\"col\">Sent</th>\
             {sid}<th scope=\"col\" class=\"text\">Country</th><th scope=\"col\" class=\"text\">Label</th>\
             <th scope=\"col\" class=\"text\">Channel</th><th scope=\"col\" class=\"text\">Failure</th>\
             <th scope=\"col\">Calls</th>{action}</tr></thead><tbody>"
        );
        for entry in entries {
            html.push_str(&row(self.feedback, entry, self.shows_sids, self.form));
        }
        html.push_str("</tbody></table></div></section>");
        html
    }
}

fn row(
    feedback: &MessageFeedback,
    entry: &LedgerEntry,
    shows_sids: bool,
    form: Option<&Form<'_>>,
) -> String {
    let sent = minute(&entry.sent_at.to_rfc3339());
    let of = entry.segment.dimensions();
    let (failure, calls) = match entry.status {
        LedgerStatus::Dead { failure, attempts, .. } => {
            let mut words = match failure.kind {
                FailureKind::Rejected => "refused",
                FailureKind::NotFound => "message not found",
                FailureKind::GaveUp => "no answer in time",
                FailureKind::OriginNotAllowed => "its origin is not allowed",
            }
            .to_owned();
            if let Some(status) = failure.status {
                let _ = write!(words, ", HTTP {status}");
            }
            if let Some(code) = failure.code {
                let _ = write!(words, ", Twilio {code}");
            }
            (words, attempts.total)
        }
        _ => return String::new(),
    };
    let sid = match shows_sids {
        true => format!("<td class=\"text\">{}</td>", entry.sid),
        false => String::new(),
    };
    let button = form.map(|form| {
        let reference = message_reference(feedback, entry.sid);
        format!(
            "<td><form method=\"post\" action=\"{}resend\">\
             <input type=\"hidden\" name=\"reference\" value=\"{reference}\">\
             <input type=\"hidden\" name=\"back\" value=\"{}\">\
             <input type=\"hidden\" name=\"slash\" value=\"{}\">\
             <button>Send again<span class=\"hidden\"> the feedback of {sent}</span></button>\
             </form></td>",
            Escaped(form.base),
            Escaped(&form.parameters.to_query()),
            u8::from(form.base == HERE),
        )
    });
    format!(
        "<tr><td>{sent}</td>{sid}<td class=\"text\">{}</td><td class=\"text\">{}</td>\
         <td class=\"text\">{}</td><td class=\"text\">{failure}</td><td>{calls}</td>{}</tr>",
        Escaped(&country_name(of.country)),
        Escaped(entry.label().unwrap_or("–")),
        of.channel.map_or("–", crate::Channel::as_str),
        button.unwrap_or_default(),
    )
}

/// `2026-11-26 12:05` of a time in RFC 3339.
pub(super) fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}
