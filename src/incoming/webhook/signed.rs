use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use axum::{
    body::Body,
    extract::{FromRef, FromRequest, Request},
};
use bytes::Bytes;
use http::request::Parts;

use super::{
    MAX_BODY_BYTES, SignatureError, SignatureVerifier, WebhookRejection, called_uri,
    read::ReadBody, tell,
};
use crate::AccountSid;

/// Any extractor, on a request that Twilio signed.
///
/// It verifies with the [`SignatureVerifier`] that is the router's state, or a part of it
/// by [`FromRef`], rejects as `E`
/// rejects, and refuses bodies of more than 64 KiB.
///
/// ```
/// use axum::{Form, Router, routing::post};
/// use tower_message_feedback::webhook::{SignatureVerifier, TwilioSigned, Twiml};
///
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Gathered { digits: String }
///
/// async fn gathered(TwilioSigned(Form(call)): TwilioSigned<Form<Gathered>>) -> Twiml {
///     Twiml::say(&format!("You pressed {}", call.digits))
/// }
///
/// let verifier = SignatureVerifier::new("AC0123456789abcdef0123456789abcdef", "secret")?;
/// let app: Router = Router::new().route("/gathered", post(gathered)).with_state(verifier);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TwilioSigned<E>(
    /// What the wrapped extractor extracted.
    pub E,
);

impl<S, E> FromRequest<S> for TwilioSigned<E>
where
    S: Send + Sync,
    SignatureVerifier: FromRef<S>,
    E: FromRequest<S>,
{
    type Rejection = WebhookRejection<E::Rejection>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body, _) = read_signed(request, &SignatureVerifier::from_ref(state)).await?;
        let request = Request::from_parts(parts, Body::from(body));
        E::from_request(request, state).await.map(Self).map_err(WebhookRejection::Inner)
    }
}

/// A request whose signature was verified, and whose it is.
pub(super) async fn read_signed(
    request: Request,
    verifier: &SignatureVerifier,
) -> Result<(Parts, Bytes, AccountSid), SignatureError> {
    let (parts, body) = request.into_parts();
    let read = async {
        verifier.check_head(&parts.headers)?;
        let body = ReadBody::new(body, MAX_BODY_BYTES).await?;
        let uri = called_uri(&parts);
        let signer = verifier.check(&parts.method, uri, &parts.headers, &body)?;
        Ok((body, signer))
    };
    let read = read.await.inspect_err(|error| tell(*error));
    read.map(|(body, signer)| (parts, body, signer))
}

impl<E> Deref for TwilioSigned<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E> DerefMut for TwilioSigned<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.0
    }
}

impl<E> fmt::Debug for TwilioSigned<E> {
    /// Shows nothing of what was extracted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioSigned").finish_non_exhaustive()
    }
}
