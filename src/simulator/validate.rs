//! What a form must say.

use std::borrow::Cow;

use http::HeaderMap;

use super::{
    fields::{self, INVALID},
    message::{Draft, Outcome},
    refusal::Refusal,
};
use crate::twilio::{MessageForm, is_encoded, is_form, parse_bool};

const MAX_BODY_CHARS: usize = 1600;
const MAX_MEDIA: usize = 10;

/// Reads the body as a form. No body is an empty form, whatever its type.
pub(super) fn form<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<MessageForm<'a>, Refusal> {
    let readable = is_form(headers) && !is_encoded(headers);
    if !body.is_empty() && !readable {
        return Err(Refusal::bad_request(
            INVALID,
            "Content-Type must be application/x-www-form-urlencoded, without Content-Encoding",
        ));
    }
    Ok(MessageForm::new(body))
}

/// The first value; an empty one counts as none.
fn value<'a>(form: MessageForm<'a>, name: &str) -> Option<Cow<'a, str>> {
    form.get(name).filter(|value| !value.is_empty())
}

/// Checks a create. Fields that the OpenAPI document does not declare are
/// accepted: Twilio adds some without notice.
pub(super) fn create(form: MessageForm<'_>) -> Result<Draft, Refusal> {
    let to = value(form, "To")
        .ok_or_else(|| Refusal::bad_request(21604, "A 'To' phone number is required."))?;
    if !fields::is_e164(&to) && !fields::is_channel_address(&to) {
        return Err(Refusal::bad_request(21211, "Invalid 'To' Phone Number"));
    }

    for (name, value) in form.fields() {
        if !value.is_empty() {
            fields::check(&name, &value).map_err(|(name, code)| {
                Refusal::bad_request(code, format!("The parameter {name} is invalid"))
            })?;
        }
    }

    let (from, messaging_service_sid) = sender(form)?;
    if from.as_deref() == Some(&*to) {
        return Err(Refusal::bad_request(21266, "'To' and 'From' number cannot be the same"));
    }

    let body = value(form, "Body").unwrap_or_default();
    let media = form.get_all("MediaUrl").filter(|url| !url.is_empty()).count();
    if body.is_empty() && media == 0 && value(form, "ContentSid").is_none() {
        return Err(Refusal::bad_request(21602, "Message body is required."));
    }
    if body.chars().count() > MAX_BODY_CHARS {
        return Err(Refusal::bad_request(
            21617,
            "The concatenated message body exceeds the 1600 character limit",
        ));
    }
    if media > MAX_MEDIA {
        return Err(Refusal::bad_request(21623, "More than 10 MediaUrl parameters"));
    }

    Ok(Draft {
        scheduled: is_scheduled(form, messaging_service_sid.is_some())?,
        status_callback: value(form, "StatusCallback").map(Cow::into_owned),
        to: to.into_owned(),
        from,
        messaging_service_sid,
        body: body.into_owned(),
        media,
        provide_feedback: value(form, "ProvideFeedback")
            .is_some_and(|text| parse_bool(&text) == Some(true)),
    })
}

/// The sender and the Messaging Service. Twilio takes the service's SID in
/// `From` as well.
fn sender(form: MessageForm<'_>) -> Result<(Option<String>, Option<String>), Refusal> {
    let from = value(form, "From").map(Cow::into_owned);
    let service = value(form, "MessagingServiceSid").map(Cow::into_owned);
    match from {
        None if service.is_none() => Err(Refusal::bad_request(
            21603,
            "A 'From' phone number or a MessagingServiceSid is required.",
        )),
        Some(from) if service.is_none() && fields::is_sid("MG", &from) => Ok((None, Some(from))),
        Some(from) if !fields::is_sender(&from) => {
            Err(Refusal::bad_request(21212, "Invalid 'From' Phone Number"))
        }
        from => Ok((from, service)),
    }
}

fn is_scheduled(form: MessageForm<'_>, has_service: bool) -> Result<bool, Refusal> {
    match (value(form, "SendAt").is_some(), value(form, "ScheduleType").is_some()) {
        (false, false) => Ok(false),
        (false, true) => Err(Refusal::bad_request(35111, "SendAt timestamp is missing")),
        (true, false) => Err(Refusal::bad_request(INVALID, "SendAt requires ScheduleType=fixed")),
        (true, true) if !has_service => Err(Refusal::bad_request(
            35118,
            "MessagingServiceSid is required to schedule a message",
        )),
        (true, true) => Ok(true),
    }
}

/// What a feedback call reports; `None` if it names no outcome.
pub(super) fn outcome(form: MessageForm<'_>) -> Result<Option<Outcome>, Refusal> {
    match value(form, "Outcome").as_deref() {
        None => Ok(None),
        Some("confirmed") => Ok(Some(Outcome::Confirmed)),
        Some("unconfirmed") => Ok(Some(Outcome::Unconfirmed)),
        Some(_) => Err(Refusal::bad_request(INVALID, "The parameter Outcome is invalid")),
    }
}
