use std::{borrow::Cow, fmt};

use axum::extract::{FromRequest, Request};
use http::StatusCode;

use super::{
    WebhookRejection,
    form::{SignedForm, unexpected},
};
use crate::{
    AccountSid, MessageSid, MessageStatus, StatusRecorded, feedback::TrackedSend,
    store::StatusUpdate,
};

/// How far Twilio has delivered a message: its status callback.
///
/// It is extracted only if Twilio signed it, and needs
/// [`MessageFeedback::layer`](crate::MessageFeedback::layer) on the router. Where the
/// application has nothing of its own to do with it, [`status_callback`] is the handler.
///
/// Callbacks come in any order, may be repeated, and may come before the answer to the
/// create.
///
/// ```
/// use http::StatusCode;
/// use tower_message_feedback::{MessageStatus, webhook::StatusCallback};
///
/// async fn status(callback: StatusCallback) -> StatusCode {
///     callback.record().await;
///     if callback.status() == Some(MessageStatus::Undelivered) {
///         // Offer the user a call instead.
///     }
///     StatusCode::NO_CONTENT
/// }
/// ```
///
/// `Debug` shows nothing of it.
pub struct StatusCallback {
    form: SignedForm,
    sid: MessageSid,
    status: String,
}

impl StatusCallback {
    /// The account that sent the message.
    #[must_use]
    pub fn account_sid(&self) -> AccountSid {
        self.form.account()
    }

    /// The message.
    #[must_use]
    pub fn message_sid(&self) -> MessageSid {
        self.sid
    }

    /// Where the message stands; `None` for a status that this version does not know, of
    /// which the field `MessageStatus` has the name.
    #[must_use]
    pub fn status(&self) -> Option<MessageStatus> {
        self.status.parse().ok()
    }

    /// Twilio's error code, if it failed, for example 30003.
    #[must_use]
    pub fn error_code(&self) -> Option<u32> {
        self.field("ErrorCode")?.parse().ok()
    }

    /// Any other field of the callback: `To`, `From`, `RawDlrDoneDate`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.form.get(name)
    }

    /// Keeps the status with its message, if that is tracked: see
    /// [`LedgerEntry::message_status`](crate::store::LedgerEntry::message_status).
    ///
    /// If the callback's URL is that of the builder's
    /// [`status_callback`](crate::MessageFeedbackBuilder::status_callback), a message is
    /// recorded that is not known yet. If a Messaging Service sent it, the sender that
    /// it chose is remembered, so that a call to that number finds the service's
    /// messages.
    ///
    /// A status that this version does not know changes nothing, and is
    /// [`NotNewer`](StatusRecorded::NotNewer). Waits for the store for as long as the
    /// builder's `store_timeout`. Safe to repeat. Cancel safe, as
    /// [`record_status`](crate::MessageFeedback::record_status) is.
    pub async fn record(&self) -> StatusRecorded {
        let shared = self.form.shared();
        let service = self.field("MessagingServiceSid").and_then(|service| service.parse().ok());
        let mut recorded = StatusRecorded::NotNewer;
        // First: what is learned comes with the next callback, too.
        if let Some(status) = self.status() {
            let mut update = StatusUpdate::new(self.sid, self.account_sid(), status);
            update.error_code = self.error_code();
            let send = TrackedSend::in_query(self.form.query(), self.account_sid());
            recorded = shared.record_status(update, send).await;
        }
        if let (Some(service), Some(from)) = (service, self.field("From")) {
            shared.learn_sender(self.account_sid(), &from, service).await;
        }
        recorded
    }
}

/// Records a [status callback](StatusCallback), and answers 204: a handler for the route
/// that the builder's
/// [`status_callback`](crate::MessageFeedbackBuilder::status_callback) names, or that
/// sends and Messaging Services of the application's name themselves.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower_message_feedback::Credentials;
/// # let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?;
/// use axum::{Router, routing::post};
/// use tower_message_feedback::{MessageFeedback, webhook::status_callback};
///
/// let feedback = MessageFeedback::builder()
///     .credentials(credentials)
///     .status_callback("https://www.example.com/twilio/status")
///     .build()?;
/// let app: Router = Router::new()
///     .route("/twilio/status", post(status_callback))
///     .layer(feedback.layer());
/// # Ok(())
/// # }
/// ```
pub async fn status_callback(callback: StatusCallback) -> StatusCode {
    // Twilio does not call again, whatever is answered: what became of it is counted.
    let _ = callback.record().await;
    StatusCode::NO_CONTENT
}

impl<S: Send + Sync> FromRequest<S> for StatusCallback {
    type Rejection = WebhookRejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let form = SignedForm::read(request).await?;
        let sid = form.required("MessageSid")?.parse().map_err(|_| unexpected("MessageSid"))?;
        let status = form.required("MessageStatus")?;
        Ok(Self { form, sid, status })
    }
}

impl fmt::Debug for StatusCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusCallback").finish_non_exhaustive()
    }
}
