use std::{borrow::Cow, fmt};

use axum::extract::{FromRequest, Request};

use super::{
    WebhookRejection,
    form::{SignedForm, unexpected},
};
use crate::{AccountSid, Confirmation, twilio::is_keyword};

/// A message that a user sent to the application: Twilio's incoming-message webhook.
///
/// It is extracted only if Twilio signed it, and needs
/// [`MessageFeedback::layer`](crate::MessageFeedback::layer) on the router. Answer it with
/// [`Twiml`](super::Twiml), within 15 seconds. `GET` and `POST` are both taken.
///
/// Twilio may send one twice, and a signed request never expires, so what a handler does
/// must not depend on seeing each once. [`confirm`](Self::confirm) does not.
///
/// ```
/// use tower_message_feedback::webhook::{IncomingMessage, Twiml};
///
/// async fn replied(message: IncomingMessage) -> Twiml {
///     if message.body().trim() == "1" {
///         message.confirm().await;
///     }
///     Twiml::empty()
/// }
/// ```
///
/// `Debug` shows nothing of it.
pub struct IncomingMessage {
    form: SignedForm,
    sid: String,
    from: String,
    to: String,
    body: String,
}

impl IncomingMessage {
    /// The account that received it.
    #[must_use]
    pub fn account_sid(&self) -> AccountSid {
        self.form.account()
    }

    /// The SID of this message itself. It is not that of the message that it answers:
    /// Twilio takes no feedback for it.
    #[must_use]
    pub fn message_sid(&self) -> &str {
        &self.sid
    }

    /// Who sent it: a number, or an address with its channel (`whatsapp:+15558675310`).
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Which of the application's numbers or addresses it was sent to.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Its text: up to 1,600 characters, perhaps none.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Any other field of the webhook: `NumMedia`, `ProfileName`, `ButtonPayload`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.form.get(name)
    }

    /// Whether it is `STOP`, `HELP` or another word that Twilio or a carrier acts on, or
    /// that Twilio marked as one (`OptOutType`).
    #[must_use]
    pub fn is_keyword(&self) -> bool {
        self.form.get("OptOutType").is_some_and(|kind| !kind.is_empty()) || is_keyword(&self.body)
    }

    /// Says that the user did what the message asked for that this one answers, unless
    /// it is a [keyword](Self::is_keyword).
    ///
    /// That is the message that it quotes (`OriginalRepliedMessageSid`, on WhatsApp), or
    /// the newest that was sent to [`from`](Self::from) by the same number or Messaging
    /// Service and correlated by [`conversation`](crate::conversation()), or else the
    /// newest that was correlated by [`recipient`](crate::recipient()), each of the same
    /// account.
    ///
    /// A message confirms once, however often its webhook comes, within 90 days and as
    /// long as the store remembers: the one in memory until its process ends.
    ///
    /// Otherwise it does what [`MessageFeedback::confirm`](crate::MessageFeedback::confirm)
    /// does. Dropped while it looks for the message, it has confirmed nothing; later, its
    /// confirm is done, and another process may not know that it was this message's.
    pub async fn confirm(&self) -> Confirmation {
        self.confirm_if(|message| !message.is_keyword()).await
    }

    /// The same, with the application's own rule for what counts as the action.
    pub async fn confirm_if(&self, is_action: impl FnOnce(&Self) -> bool) -> Confirmation {
        if !is_action(self) {
            return Confirmation::NotAnAction;
        }
        let quoted = self.form.get("OriginalRepliedMessageSid").and_then(|sid| sid.parse().ok());
        let service = self.form.get("MessagingServiceSid").filter(|service| !service.is_empty());
        let senders: Vec<&str> = service.as_deref().into_iter().chain([self.to.as_str()]).collect();
        self.form.confirm(&self.sid, quoted, &self.from, &senders).await
    }
}

impl<S: Send + Sync> FromRequest<S> for IncomingMessage {
    type Rejection = WebhookRejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let form = SignedForm::read(request).await?;
        Ok(Self {
            sid: form.required("MessageSid")?,
            from: form.required("From")?,
            to: form.required("To")?,
            // A status callback has none.
            body: form.get("Body").ok_or(unexpected("Body"))?.into_owned(),
            form,
        })
    }
}

impl fmt::Debug for IncomingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingMessage").finish_non_exhaustive()
    }
}
