use std::{borrow::Cow, fmt};

use axum::extract::{FromRequest, Request};

use super::{WebhookRejection, form::SignedForm};
use crate::{AccountSid, Confirmation};

/// A call that a user makes to the application: Twilio's voice webhook, the first of a
/// call or one of those that follow (the `action` of a `<Gather>`).
///
/// It is extracted only if Twilio signed it, and needs
/// [`MessageFeedback::layer`](crate::MessageFeedback::layer) on the router. Answer it with
/// [`Twiml`](super::Twiml). `GET` and `POST` are both taken.
///
/// ```
/// use tower_message_feedback::webhook::{IncomingCall, Twiml};
///
/// async fn called(call: IncomingCall) -> Twiml {
///     if call.digits().is_none() {
///         return Twiml::response("<Gather numDigits=\"1\"><Say>Press 1 to confirm</Say></Gather>");
///     }
///     if call.digits().as_deref() == Some("1") {
///         call.confirm().await;
///     }
///     Twiml::say("Thank you")
/// }
/// ```
///
/// `Debug` shows nothing of it.
pub struct IncomingCall {
    form: SignedForm,
    sid: String,
    from: String,
    to: String,
}

impl IncomingCall {
    /// The account that is called.
    #[must_use]
    pub fn account_sid(&self) -> AccountSid {
        self.form.account()
    }

    /// The SID of the call: the same in each of its webhooks.
    #[must_use]
    pub fn call_sid(&self) -> &str {
        &self.sid
    }

    /// Who calls: a number, `client:…`, a SIP address, or `anonymous`.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The number that is called.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// What the user pressed, if a `<Gather>` asked for it.
    #[must_use]
    pub fn digits(&self) -> Option<Cow<'_, str>> {
        self.field("Digits")
    }

    /// Any other field of the webhook: `CallStatus`, `SpeechResult`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.form.get(name)
    }

    /// Says that the user did what the message asked for that this call answers: the
    /// newest that was sent to [`from`](Self::from) by the number that is called, or by
    /// the Messaging Service of which [status callbacks](super::StatusCallback) have told
    /// that it is one of its numbers, and correlated by
    /// [`conversation`](crate::conversation()), or else the newest that was correlated by
    /// [`recipient`](crate::recipient()), each of the same account.
    ///
    /// A call confirms once, however many webhooks it has, within 90 days and as long as
    /// the store remembers: the one in memory until its process ends.
    /// A call that the application made itself is no action.
    ///
    /// Otherwise it does what [`MessageFeedback::confirm`](crate::MessageFeedback::confirm)
    /// does; what it means to drop it, see
    /// [`IncomingMessage::confirm`](super::IncomingMessage::confirm).
    pub async fn confirm(&self) -> Confirmation {
        // `outbound-api` and `outbound-dial` are the application's.
        if self.field("Direction").is_some_and(|direction| direction.starts_with("outbound")) {
            return Confirmation::NotAnAction;
        }
        self.form.confirm(&self.sid, None, &self.from, &[&self.to]).await
    }
}

impl<S: Send + Sync> FromRequest<S> for IncomingCall {
    type Rejection = WebhookRejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let form = SignedForm::read(request).await?;
        Ok(Self {
            sid: form.required("CallSid")?,
            from: form.required("From")?,
            to: form.required("To")?,
            form,
        })
    }
}

impl fmt::Debug for IncomingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingCall").finish_non_exhaustive()
    }
}
