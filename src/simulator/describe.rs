//! Requests as text, for a person who reads a failure: no value that a request
//! carried.

use std::fmt::Write;

use super::received::Received;
use crate::twilio::{MessageForm, is_form};

/// The most requests that are listed.
const MAX_LISTED: usize = 50;
/// The longest name of a field that is shown.
const MAX_NAME: usize = 40;

/// `POST /2010-04-01/…/Messages.json (To, From, Body): answered 201`
pub(super) fn line(received: &Received) -> String {
    let mut text = format!("{} {}", received.method, path(&received.path));
    let names = field_names(received);
    if !names.is_empty() {
        let _ = write!(text, " ({})", names.join(", "));
    }
    let _ = match received.status {
        Some(status) => write!(text, ": answered {status}"),
        None => write!(text, ": not answered"),
    };
    if let Some(refusal) = &received.refusal {
        let _ = write!(text, "; refused with {}", refusal.summary());
    }
    text
}

pub(super) fn list(received: &[Received]) -> String {
    let mut text = String::new();
    for (index, request) in received.iter().take(MAX_LISTED).enumerate() {
        let _ = write!(text, "\n  {}. {}", index + 1, line(request));
    }
    if let Some(more @ 1..) = received.len().checked_sub(MAX_LISTED) {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

/// The names of the form's fields. What does not look like a name might be a
/// value in the wrong place, and is not shown.
pub(super) fn field_names(received: &Received) -> Vec<String> {
    if !is_form(&received.headers) {
        return Vec::new();
    }
    let pairs = received.body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    MessageForm::new(&received.body)
        .fields()
        .zip(pairs)
        .map(|((name, _), pair)| {
            let is_name = pair.contains(&b'=')
                && (1..=MAX_NAME).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            if is_name { name.into_owned() } else { "…".to_owned() }
        })
        .collect()
}

/// The path, without what could be a phone number or a code: five digits in a
/// segment that is not a SID.
pub(super) fn path(path: &str) -> String {
    let masked: Vec<&str> = path
        .split('/')
        .map(|segment| {
            let digits = segment.bytes().filter(u8::is_ascii_digit).count();
            let is_version = segment == "2010-04-01";
            if digits < 5 || is_version || is_sid(segment) { segment } else { "…" }
        })
        .collect();
    masked.join("/")
}

/// Two letters and 32 hexadecimal digits, with or without a suffix.
fn is_sid(segment: &str) -> bool {
    let (sid, suffix) = segment.split_once('.').unwrap_or((segment, ""));
    sid.len() == 34
        && sid.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && sid.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit())
        && matches!(suffix, "" | "json" | "xml" | "csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_sids_and_loses_its_numbers() {
        let sid = "SM0123456789abcdef0123456789abcdef";
        let known = format!("/2010-04-01/Accounts/AC{}/Messages/{sid}.json", "0".repeat(32));
        assert_eq!(path(&known), known);
        assert_eq!(path("/v2/PhoneNumbers/+15558675310"), "/v2/PhoneNumbers/…");
        assert_eq!(path("/confirm/12345/x.123456"), "/confirm/…/…");
        assert_eq!(path(&format!("/{sid}123456.json")), "/…");
        assert_eq!(path("/v1/1234/"), "/v1/1234/");
    }
}
