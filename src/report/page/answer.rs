//! Answers with the headers that each of them has.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};

use super::parameters::Invalid;

/// Nothing but the style sheet, and forms that go back here.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

pub(super) const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// The query or the form cannot be read.
pub(super) fn refused(Invalid(name): &Invalid) -> Response {
    let words = format!("The parameter {name} cannot be read.\n");
    answer(StatusCode::BAD_REQUEST, TEXT, words)
}

/// The store failed.
pub(super) fn failed() -> Response {
    let words = "The store does not answer. Try again in a moment.\n".to_owned();
    answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, words)
}
