//! Building a feedback call, and judging what Twilio answers.

use std::{
    convert::Infallible,
    fmt::Write,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use jiff::{Timestamp, civil::DateTime, fmt::rfc2822, tz::TimeZone};
use serde_json::Value;

use super::{AccountSid, BaseUrl, MessageSid};

/// The body of a feedback call: what a transport has to be able to send.
#[derive(Debug, Clone)]
pub struct FeedbackBody(Full<Bytes>);

impl FeedbackBody {
    const CONFIRMED: &[u8] = b"Outcome=confirmed";

    fn confirmed() -> Self {
        Self(Full::new(Bytes::from_static(Self::CONFIRMED)))
    }
}

impl Body for FeedbackBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// `POST {base}/Accounts/{AC}/Messages/{SID}/Feedback.json` with
/// `Outcome=confirmed`, before its credentials; `None` if the parts do not make a URL.
pub(crate) fn feedback_request(
    base_url: &BaseUrl,
    account: AccountSid,
    sid: MessageSid,
) -> Option<Request<FeedbackBody>> {
    let mut uri = String::with_capacity(192);
    write!(uri, "{base_url}/Accounts/{account}/Messages/{sid}/Feedback.json").ok()?;
    Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(
            USER_AGENT,
            HeaderValue::from_static(concat!("tower-message-feedback/", env!("CARGO_PKG_VERSION"))),
        )
        .body(FeedbackBody::confirmed())
        .ok()
}

/// What an answer to a feedback call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Recorded.
    Delivered,
    /// Unknown whether it was processed; the update is idempotent, so it is repeated.
    Unknown,
    /// Not processed: too many calls at once on this account.
    Throttled,
    /// Unknown message, or one that Twilio does not know yet.
    NotFound,
    /// The credentials are not accepted, or not for this.
    Unauthorized,
    /// Twilio will never take it.
    Rejected,
}

pub(crate) fn judge(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Delivered,
        401 | 403 => Verdict::Unauthorized,
        404 => Verdict::NotFound,
        429 => Verdict::Throttled,
        408 | 425 => Verdict::Unknown,
        400..=499 => Verdict::Rejected,
        // 5xx, and redirects, which are not followed: a proxy's page may go away.
        _ => Verdict::Unknown,
    }
}

/// `Retry-After`, as seconds or as an HTTP date, from now on.
pub(crate) fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        // More than can be counted is as long as can be.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let wait = http_date(text)?.as_millisecond().saturating_sub(now_ms);
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

/// In any of the three forms that RFC 9110 (5.6.7) has a recipient take.
fn http_date(text: &str) -> Option<Timestamp> {
    let obsolete = |format| {
        let date = DateTime::strptime(format, text).ok()?;
        TimeZone::UTC.to_timestamp(date).ok()
    };
    let preferred = rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    preferred
        .or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|| obsolete("%a %b %e %H:%M:%S %Y"))
}

/// Twilio's own error code in an error body, for example 20404.
pub(crate) fn error_code(body: &[u8]) -> Option<u32> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get("code")?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers, 784_111_767_000)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        // The last minute of 2016 had 61 seconds, which no clock of milliseconds shows.
        let leap = Duration::from_secs(1_483_228_799) - Duration::from_millis(784_111_767_000);
        assert_eq!(read("Sat, 31 Dec 2016 23:59:60 GMT"), Some(leap));
        for obsolete in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(read(obsolete), Some(Duration::from_secs(10)), "{obsolete}");
        }
        assert_eq!(read("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("soon"), None);
        assert_eq!(read("+7"), None);
        assert_eq!(read("-1"), None);
    }

    #[test]
    fn an_error_body_need_not_be_twilios() {
        assert_eq!(error_code(br#"{"code":20404,"message":"m","status":404}"#), Some(20404));
        for body in ["", "<html>", "[]", r#"{"code":null}"#, r#"{"code":-1}"#, r#"{"title":"x"}"#] {
            assert_eq!(error_code(body.as_bytes()), None, "{body}");
        }
    }
}
