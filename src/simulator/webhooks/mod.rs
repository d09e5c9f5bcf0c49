//! What Twilio calls: status callbacks, and inbound replies and calls.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::Response;

mod call;
mod error;

use self::call::Caller;
pub use self::{call::Webhook, error::WebhookError};
use super::{
    Simulator,
    message::SimulatedMessage,
    state::{Shared, random_hex},
};
use crate::twilio::MessageSid;

/// Who sends where nobody was named: one of Twilio's numbers for tests.
const SENDER: &str = "+15005550006";

/// Calls the application as Twilio does, signed with an account's auth token.
///
/// Made by [`Simulator::webhooks`]. Nothing is called on its own: which
/// callbacks come, in which order and how many times, is in the test's hands.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use axum::{Form, Router, routing::post};
/// use tower_message_feedback::simulator::Simulator;
///
/// # async fn send(twilio: &Simulator, callback: &str) {
/// #     let server = twilio.serve().await.unwrap();
/// #     let url = format!("{}/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json", server.base_url());
/// #     let form = [("To", "+15558675310"), ("From", "+15557122661"), ("Body", "x"), ("StatusCallback", callback)];
/// #     reqwest::Client::new().post(url).bearer_auth("x").form(&form).send().await.unwrap();
/// # }
/// let app = Router::new()
///     .route("/status", post(|| async { "" }))
///     .route("/reply", post(|| async { "<Response></Response>" }));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("http://{}", listener.local_addr()?);
/// tokio::spawn(async move { axum::serve(listener, app).await });
///
/// let twilio = Simulator::new();
/// let webhooks = twilio.webhooks("the auth token").replies_to(format!("{url}/reply"));
/// // The application sends a message with `StatusCallback={url}/status`:
/// # send(&twilio, &format!("{url}/status")).await;
/// let sid = twilio.messages()[0].sid();
///
/// webhooks.deliver(sid).await?; // sent, delivered
/// // Twilio may repeat a callback, and the order is not guaranteed:
/// let delivered = webhooks.status(sid, "delivered")?;
/// delivered.send().await?;
/// webhooks.status(sid, "sent")?.send().await?;
/// delivered.send().await?;
///
/// let answer = webhooks.reply(sid, "YES")?.send().await?;
/// assert_eq!(answer.body(), "<Response></Response>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// `Debug` does not show the token.
#[derive(Clone)]
pub struct Webhooks {
    shared: Arc<Shared>,
    token: Arc<str>,
    replies_to: Option<Arc<str>>,
    calls_to: Option<Arc<str>>,
    caller: Caller,
}

impl Simulator {
    /// The webhooks of this simulator's messages, signed with `auth_token`: the
    /// token of the account that owns the messages.
    #[must_use]
    pub fn webhooks(&self, auth_token: impl Into<String>) -> Webhooks {
        Webhooks {
            shared: Arc::clone(&self.shared),
            token: auth_token.into().into(),
            replies_to: None,
            calls_to: None,
            caller: Caller::new(),
        }
    }
}

impl Webhooks {
    /// Where replies go: what an account configures for its number or its
    /// Messaging Service.
    #[must_use]
    pub fn replies_to(mut self, url: impl Into<String>) -> Self {
        self.replies_to = Some(url.into().into());
        self
    }

    /// Where calls go: what an account configures for its number.
    #[must_use]
    pub fn calls_to(mut self, url: impl Into<String>) -> Self {
        self.calls_to = Some(url.into().into());
        self
    }

    /// A status callback to the `StatusCallback` of the message's create.
    ///
    /// `status` is Twilio's word, `sent`, `delivered`, `undelivered`, `failed`,
    /// `read`; it is not checked, and changes nothing in the simulator. For a
    /// failure, add an `ErrorCode` with [`Webhook::with_field`].
    ///
    /// # Errors
    ///
    /// If there is no such message, or its create named no `StatusCallback`.
    pub fn status(&self, sid: MessageSid, status: &str) -> Result<Webhook, WebhookError> {
        let message = self.message(sid)?;
        let url = message.status_callback().ok_or_else(WebhookError::no_status_callback)?;
        let sid = sid.to_string();
        let mut fields = vec![
            ("MessageSid", sid.clone()),
            ("MessageStatus", status.to_owned()),
            ("SmsSid", sid),
            ("SmsStatus", status.to_owned()),
            ("From", sender(&message)),
            ("To", message.to().to_owned()),
        ];
        add_common(&mut fields, &message);
        Ok(self.webhook(url, fields))
    }

    /// Sends the callbacks of a delivery, one after the other: `sent` and
    /// `delivered`, and before them `queued` if a Messaging Service had accepted
    /// or scheduled the message. Twilio sends none for a message's first status.
    ///
    /// # Errors
    ///
    /// If a callback cannot be made or sent. What the application answers is
    /// returned, and is no error.
    pub async fn deliver(&self, sid: MessageSid) -> Result<Vec<Response<Bytes>>, WebhookError> {
        let all = ["queued", "sent", "delivered"];
        let first = usize::from(self.message(sid)?.status() == "queued");
        let mut answers = Vec::new();
        for status in &all[first..] {
            answers.push(self.status(sid, status)?.send().await?);
        }
        Ok(answers)
    }

    /// The recipient of a message answers it with `body`.
    ///
    /// The reply has a `MessageSid` of its own, and no pointer to the message.
    /// For one as WhatsApp sends it, add `OriginalRepliedMessageSid` with
    /// [`Webhook::with_field`].
    ///
    /// # Errors
    ///
    /// If there is no such message, or [`replies_to`](Self::replies_to) was not
    /// called.
    pub fn reply(&self, sid: MessageSid, body: &str) -> Result<Webhook, WebhookError> {
        let message = self.message(sid)?;
        let url = self.replies_to.as_deref().ok_or_else(WebhookError::no_reply_url)?;
        let own = format!("SM{}", random_hex());
        let mut fields = vec![
            ("MessageSid", own.clone()),
            ("SmsMessageSid", own.clone()),
            ("SmsSid", own),
            ("SmsStatus", "received".to_owned()),
            ("From", message.to().to_owned()),
            ("To", sender(&message)),
            ("Body", body.to_owned()),
            ("NumMedia", "0".to_owned()),
            ("NumSegments", "1".to_owned()),
        ];
        add_common(&mut fields, &message);
        Ok(self.webhook(url, fields))
    }

    /// The recipient of a message calls its sender: the first webhook of a call.
    ///
    /// For one that follows, set `CallStatus` to `in-progress`, and perhaps `Digits`, with
    /// [`Webhook::with_field`].
    ///
    /// # Errors
    ///
    /// If there is no such message, or [`calls_to`](Self::calls_to) was not called.
    pub fn call(&self, sid: MessageSid) -> Result<Webhook, WebhookError> {
        let message = self.message(sid)?;
        let url = self.calls_to.as_deref().ok_or_else(WebhookError::no_call_url)?;
        let fields = vec![
            ("CallSid", format!("CA{}", random_hex())),
            ("AccountSid", message.account().to_string()),
            ("From", message.to().to_owned()),
            ("To", sender(&message)),
            ("CallStatus", "ringing".to_owned()),
            ("Direction", "inbound".to_owned()),
            ("ApiVersion", "2010-04-01".to_owned()),
        ];
        Ok(self.webhook(url, fields))
    }

    fn message(&self, sid: MessageSid) -> Result<SimulatedMessage, WebhookError> {
        let message = self.shared.read(|state| state.message(sid).cloned());
        message.ok_or_else(WebhookError::unknown_message)
    }

    fn webhook(&self, url: &str, fields: Vec<(&str, String)>) -> Webhook {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Webhook::new(self.caller.clone(), Arc::clone(&self.token), url.to_owned(), fields)
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").finish_non_exhaustive()
    }
}

/// The message's sender, or whom a Messaging Service chose, in the same channel.
fn sender(message: &SimulatedMessage) -> String {
    match (message.from(), message.to().split_once(':')) {
        (Some(from), _) => from.to_owned(),
        (None, Some((channel, _))) => format!("{channel}:{SENDER}"),
        (None, None) => SENDER.to_owned(),
    }
}

fn add_common(fields: &mut Vec<(&str, String)>, message: &SimulatedMessage) {
    fields.push(("AccountSid", message.account().to_string()));
    if let Some(service) = message.messaging_service_sid() {
        fields.push(("MessagingServiceSid", service.to_owned()));
    }
    fields.push(("ApiVersion", "2010-04-01".to_owned()));
}
