//! The form fields of a create, as Twilio's OpenAPI document declares them.

use crate::twilio::{parse_bool, parse_send_at};

/// What a field's value must look like.
enum Shape {
    Bool,
    /// Between the two, inclusive.
    Integer(i64, i64),
    Number,
    /// Two letters, then 32 hexadecimal digits.
    Sid(&'static str),
    OneOf(&'static [&'static str]),
    /// `http` or `https`, with a host name in which there is no underscore.
    Url,
    DateTime,
}

/// Every declared field that is not free text, with the code of its refusal.
/// `To`, `From` and `Body` have rules of their own.
const FIELDS: &[(&str, Shape, u32)] = &[
    ("AddressRetention", Shape::OneOf(&["retain", "obfuscate"]), INVALID),
    ("ApplicationSid", Shape::Sid("AP"), INVALID),
    ("Attempt", Shape::Integer(0, i64::MAX), INVALID),
    ("ContentRetention", Shape::OneOf(&["retain", "discard"]), INVALID),
    ("ContentSid", Shape::Sid("HX"), INVALID),
    ("ForceDelivery", Shape::Bool, INVALID),
    ("MaxPrice", Shape::Number, INVALID),
    ("MediaUrl", Shape::Url, 21620),
    ("MessagingServiceSid", Shape::Sid("MG"), INVALID),
    ("ProvideFeedback", Shape::Bool, INVALID),
    ("RiskCheck", Shape::OneOf(&["enable", "disable"]), INVALID),
    ("ScheduleType", Shape::OneOf(&["fixed"]), INVALID),
    ("SendAsMms", Shape::Bool, INVALID),
    ("SendAt", Shape::DateTime, INVALID),
    ("ShortenUrls", Shape::Bool, INVALID),
    ("SmartEncoded", Shape::Bool, INVALID),
    ("StatusCallback", Shape::Url, 21609),
    ("TrafficType", Shape::OneOf(&["free"]), INVALID),
    ("ValidityPeriod", Shape::Integer(1, 36_000), INVALID),
];

/// Answers for a value that is not of its field's declared type. No public text
/// says which code Twilio gives; this is the simulator's choice.
pub(super) const INVALID: u32 = 20001;

/// The name of the field and the code, if the value is not as declared.
pub(super) fn check(name: &str, value: &str) -> Result<(), (&'static str, u32)> {
    match FIELDS.iter().find(|(declared, ..)| *declared == name) {
        Some((declared, shape, code)) if !shape.fits(value) => Err((declared, *code)),
        _ => Ok(()),
    }
}

impl Shape {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Bool => parse_bool(value).is_some(),
            Self::Integer(least, most) => {
                value.parse::<i64>().is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Self::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Sid(prefix) => is_sid(prefix, value),
            Self::OneOf(values) => values.contains(&value),
            Self::Url => is_url(value),
            Self::DateTime => parse_send_at(value).is_some(),
        }
    }
}

pub(super) fn is_sid(prefix: &str, value: &str) -> bool {
    value.strip_prefix(prefix).is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !host.is_empty()
        && !host.contains('_')
        && !value.chars().any(|char| char.is_whitespace() || char.is_control())
}

/// `+` and up to 15 digits, the first of them not 0.
pub(super) fn is_e164(value: &str) -> bool {
    value.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// `whatsapp:+15558675310`, `messenger:{id}`: a channel, and an address in it.
pub(super) fn is_channel_address(value: &str) -> bool {
    let Some((channel, address)) = value.split_once(':') else { return false };
    let is_channel = channel.starts_with(|first: char| first.is_ascii_lowercase())
        && channel.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
        });
    let is_address = match channel {
        "whatsapp" => is_e164(address),
        _ => !address.is_empty() && !address.contains(|char: char| char.is_whitespace()),
    };
    is_channel && is_address
}

/// A number, a channel address, a short code or an alphanumeric sender ID.
pub(super) fn is_sender(value: &str) -> bool {
    let is_short_code =
        (3..=8).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_alphanumeric = (1..=11).contains(&value.len())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte));
    is_e164(value) || is_channel_address(value) || is_short_code || is_alphanumeric
}
