use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Map, Value};

/// An error that the simulator answers. Its message never repeats a value of
/// the request.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: Option<u32>,
    message: Cow<'static, str>,
}

impl Refusal {
    fn new(status: StatusCode, code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: Some(code), message: message.into() }
    }

    /// 400 with one of Twilio's codes.
    pub(super) fn bad_request(code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20003, "Authenticate")
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 20404, "The requested resource was not found")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, 20004, "Method not allowed")
    }

    pub(super) fn too_large() -> Self {
        Self::usual(StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// What Twilio usually says with a status.
    pub(super) fn usual(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::bad_request(90001, "Bad request"),
            401 => Self::unauthenticated(),
            403 => {
                Self::new(status, 20008, "Resource not accessible with the credentials provided")
            }
            404 => Self::not_found(),
            405 => Self::method_not_allowed(),
            429 => Self::new(status, 20429, "Too Many Requests"),
            500 => Self::new(status, 20500, "Internal Server Error"),
            503 => Self::new(status, 20503, "Service Unavailable"),
            _ => Self {
                status,
                code: None,
                message: status.canonical_reason().unwrap_or("Error").into(),
            },
        }
    }

    /// In one line, for a person.
    pub(super) fn summary(&self) -> String {
        let status = self.status.as_u16();
        match self.code {
            Some(code) => format!("{status}, {code}: {}", self.message),
            None => format!("{status}: {}", self.message),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let mut fields = Map::new();
        if let Some(code) = self.code {
            fields.insert("code".into(), code.into());
            fields.insert(
                "more_info".into(),
                format!("https://www.twilio.com/docs/errors/{code}").into(),
            );
        }
        fields.insert("message".into(), self.message.as_ref().into());
        fields.insert("status".into(), self.status.as_u16().into());
        Value::Object(fields)
    }
}
