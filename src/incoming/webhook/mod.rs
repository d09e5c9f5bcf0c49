//! What Twilio calls: incoming messages and calls, status callbacks, and the proof that
//! it is Twilio.
//!
//! A user who answers a message, or calls its sender, may do what it asked for. Twilio
//! tells the application by a webhook, which anybody could send: so each is verified by
//! its `X-Twilio-Signature`, and what is not Twilio's reaches no handler.
#![cfg_attr(
    feature = "axum",
    doc = "
```
# #[tokio::main(flavor = \"current_thread\")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use tower_message_feedback::Credentials;
# let credentials = Credentials::auth_token(\"AC0123456789abcdef0123456789abcdef\", \"x\")?;
# let client = tower::service_fn(|_: http::Request<axum::body::Body>| async {
#     Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty()))
# });
use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_message_feedback::{MessageFeedback, conversation, webhook::{IncomingMessage, Twiml}};

let feedback = MessageFeedback::builder().credentials(credentials).build()?;

// \"Reply YES to confirm your appointment\":
let twilio = ServiceBuilder::new()
    .layer(feedback.provide_layer().correlate(conversation()))
    .service(client);

async fn replied(message: IncomingMessage) -> Twiml {
    if message.body().trim().eq_ignore_ascii_case(\"yes\") {
        message.confirm().await;
    }
    Twiml::message(\"Thank you!\")
}

let app: Router = Router::new().route(\"/reply\", post(replied)).layer(feedback.layer());
# Ok(())
# }
```

[`IncomingMessage`] and [`IncomingCall`] verify with what the builder's
[`webhooks`](crate::MessageFeedbackBuilder::webhooks) says, by default with the auth
tokens of its credentials. Their sends are correlated by
[`conversation`](crate::conversation()), so that a reply finds the newest message that
its sender got from the number, or the Messaging Service, that it answers; where every
message has one sender, [`recipient`](crate::recipient()) does, too.

[`status_callback`] is the route that tells how far messages were delivered, and
[`StatusCallback`] its extractor.

[`TwilioSigned`] is the proof alone, around any extractor."
)]
//!
//! [`VerifyTwilioSignatureLayer`] is the proof for any Tower service, and
//! [`SignatureVerifier`] for anything else.

#[cfg(feature = "axum")]
mod answered;
#[cfg(feature = "axum")]
mod call;
#[cfg(feature = "axum")]
mod form;
mod layer;
#[cfg(feature = "axum")]
mod message;
mod read;
#[cfg(feature = "axum")]
mod rejection;
mod service;
#[cfg(feature = "axum")]
mod signed;
#[cfg(feature = "axum")]
mod status;
#[cfg(feature = "axum")]
mod twiml;

use http::{Uri, request::Parts};

#[cfg(feature = "axum")]
pub use self::{
    call::IncomingCall,
    message::IncomingMessage,
    rejection::{UnexpectedWebhook, WebhookRejection},
    signed::TwilioSigned,
    status::{StatusCallback, status_callback},
    twiml::Twiml,
};
pub use self::{
    layer::VerifyTwilioSignatureLayer,
    service::{VerifyTwilioSignature, VerifyTwilioSignatureFuture},
};
pub use crate::twilio::{SignatureError, SignatureVerifier};

/// The longest body that is read by default: Twilio's have a few kilobytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The URI as it was called, before a router took a prefix away.
fn called_uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = parts.extensions.get::<axum::extract::OriginalUri>() {
        return original;
    }
    &parts.uri
}

fn tell(error: SignatureError) {
    if error == SignatureError::NoAuthToken {
        tracing::error!(
            "{error}: give the verifier one, or the builder credentials with an auth token"
        );
    } else {
        tracing::debug!(reason = %error, "webhook refused");
    }
}
