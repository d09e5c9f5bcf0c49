use std::{error::Error, fmt};

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// The router lacks [`MessageFeedback::layer`](crate::MessageFeedback::layer):
/// a mistake of the application, answered 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingFeedbackLayer;

impl MissingFeedbackLayer {
    /// 500 Internal Server Error.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    /// The text that names the fix.
    #[must_use]
    pub fn body_text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for MissingFeedbackLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the router lacks the message feedback layer: add `.layer(feedback.layer())` to it, \
             where `feedback` is the application's `MessageFeedback`",
        )
    }
}

impl Error for MissingFeedbackLayer {}

impl IntoResponse for MissingFeedbackLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        (self.status(), self.body_text()).into_response()
    }
}

/// Why [`Tracked`](crate::Tracked) or [`Confirmed`](crate::Confirmed) was not
/// extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackedRejection<R> {
    /// The router lacks the layer.
    MissingLayer(MissingFeedbackLayer),
    /// The wrapped extractor's own rejection, passed on unchanged.
    Inner(R),
}

impl<R> From<MissingFeedbackLayer> for TrackedRejection<R> {
    fn from(missing: MissingFeedbackLayer) -> Self {
        Self::MissingLayer(missing)
    }
}

impl<R: fmt::Display> fmt::Display for TrackedRejection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingLayer(missing) => missing.fmt(f),
            Self::Inner(rejection) => rejection.fmt(f),
        }
    }
}

impl<R: Error + 'static> Error for TrackedRejection<R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::MissingLayer(missing) => missing.source(),
            Self::Inner(rejection) => rejection.source(),
        }
    }
}

impl<R: IntoResponse> IntoResponse for TrackedRejection<R> {
    fn into_response(self) -> Response {
        match self {
            Self::MissingLayer(missing) => missing.into_response(),
            Self::Inner(rejection) => rejection.into_response(),
        }
    }
}
