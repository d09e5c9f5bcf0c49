use std::fmt;

use tower_layer::Layer;

use super::{SignatureVerifier, service::VerifyTwilioSignature};

/// Lets only those requests through that Twilio signed: the layer of
/// [`VerifyTwilioSignature`].
///
/// It reads the body, up to a bound, and hands it on as it came. What it refuses is
/// answered with an empty body and the status of the
/// [`SignatureError`](super::SignatureError).
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_message_feedback::webhook::{SignatureVerifier, VerifyTwilioSignatureLayer};
///
/// # async fn voice() {}
/// let verifier = SignatureVerifier::new("AC0123456789abcdef0123456789abcdef", "secret")?
///     .public_url("https://www.example.com")?;
/// let app: Router = Router::new()
///     .route("/voice", post(voice))
///     .layer(VerifyTwilioSignatureLayer::new(verifier));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct VerifyTwilioSignatureLayer {
    pub(super) verifier: SignatureVerifier,
    pub(super) max_body_bytes: usize,
}

impl VerifyTwilioSignatureLayer {
    /// Lets through what `verifier` finds genuine.
    pub fn new(verifier: SignatureVerifier) -> Self {
        Self { verifier, max_body_bytes: super::MAX_BODY_BYTES }
    }

    /// The longest body that is read: 64 KiB by default. A longer one is refused.
    pub fn max_body_bytes(mut self, max: usize) -> Self {
        self.max_body_bytes = max;
        self
    }
}

impl<S> Layer<S> for VerifyTwilioSignatureLayer {
    type Service = VerifyTwilioSignature<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifyTwilioSignature::new(inner, self.clone())
    }
}

impl fmt::Debug for VerifyTwilioSignatureLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyTwilioSignatureLayer").finish_non_exhaustive()
    }
}
