use std::{error::Error, fmt};

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::SignatureError;
use crate::incoming::MissingFeedbackLayer;

/// Why a webhook reached no handler.
///
/// What is not Twilio's is answered with a status and an empty body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookRejection<R = UnexpectedWebhook> {
    /// The router lacks [`MessageFeedback::layer`](crate::MessageFeedback::layer): 500.
    MissingLayer(MissingFeedbackLayer),
    /// It is not known to be Twilio's.
    Signature(SignatureError),
    /// The wrapped extractor's own rejection, passed on unchanged.
    Inner(R),
}

/// Twilio signed it, and it is another webhook than the one that the handler takes: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnexpectedWebhook {
    /// The field that is missing, or is not what it should be.
    pub field: &'static str,
}

impl UnexpectedWebhook {
    pub(super) const fn new(field: &'static str) -> Self {
        Self { field }
    }
}

impl fmt::Display for UnexpectedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this webhook has no {}, or not one that this route takes", self.field)
    }
}

impl Error for UnexpectedWebhook {}

impl IntoResponse for UnexpectedWebhook {
    fn into_response(self) -> Response {
        tracing::warn!("{self}: is another webhook configured to call this route?");
        (StatusCode::BAD_REQUEST, self.to_string()).into_response()
    }
}

impl<R> From<MissingFeedbackLayer> for WebhookRejection<R> {
    fn from(missing: MissingFeedbackLayer) -> Self {
        Self::MissingLayer(missing)
    }
}

impl<R> From<SignatureError> for WebhookRejection<R> {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl<R: fmt::Display> fmt::Display for WebhookRejection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingLayer(missing) => missing.fmt(f),
            Self::Signature(error) => error.fmt(f),
            Self::Inner(rejection) => rejection.fmt(f),
        }
    }
}

impl<R: Error + 'static> Error for WebhookRejection<R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::MissingLayer(missing) => missing.source(),
            Self::Signature(error) => error.source(),
            Self::Inner(rejection) => rejection.source(),
        }
    }
}

impl<R: IntoResponse> IntoResponse for WebhookRejection<R> {
    fn into_response(self) -> Response {
        match self {
            Self::MissingLayer(missing) => missing.into_response(),
            Self::Signature(error) => error.status().into_response(),
            Self::Inner(rejection) => rejection.into_response(),
        }
    }
}
