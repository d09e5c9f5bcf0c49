//! Answers with the headers that each of them has.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use super::parameters::Invalid;
use crate::store::StoreError;

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

/// Why there is no report.
pub(super) enum Trouble {
    /// The query or the form cannot be read.
    Invalid(Invalid),
    /// The store failed.
    Store,
}

impl From<Invalid> for Trouble {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<StoreError> for Trouble {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Self::Invalid(Invalid(name)) => {
                (StatusCode::BAD_REQUEST, format!("The parameter {name} cannot be read.\n"))
            }
            Self::Store => {
                let words = "The store does not answer. Try again in a moment.\n".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, words)
            }
        };
        answer(status, TEXT, words)
    }
}
