//! What every test needs: a Twilio, a handle, an application on a port, and a
//! client that does not follow redirects.

mod gate;
mod site;

use std::{fmt::Debug, future::Future, time::Duration};

use axum::http::HeaderName;
use serde::Deserialize;
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt};
use tower_message_feedback::{
    AccountSid, ConfirmStats, Confirmation, CorrelationId, Credentials, MessageFeedback,
    MessageFeedbackBuilder, MessageSid, Recorded, SentMessage, TrackedAction, link_query,
    simulator::{RequestKind, Simulator, SimulatorServer},
};

pub(crate) use self::{
    gate::{Gate, GatedStore},
    site::{Reply, Site, listen},
};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";

/// Far beyond what anything here takes.
const LONG: Duration = Duration::from_secs(20);

pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    timeout(LONG, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A Twilio, and the handle that reports to it.
pub(crate) struct World {
    pub(crate) twilio: Simulator,
    pub(crate) server: SimulatorServer,
    pub(crate) feedback: MessageFeedback,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(
        configure: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
    ) -> Self {
        let twilio = Simulator::new();
        let server = twilio.serve().await.expect("a port");
        let builder = MessageFeedback::builder()
            .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
            .allow_origin(server.base_url().as_str());
        let feedback = configure(builder).build().expect("a handle");
        Self { twilio, server, feedback }
    }

    /// Creates a message that may be confirmed, and does not record it.
    pub(crate) async fn create(&self) -> SentMessage {
        let sid = self.post(&reqwest::Client::new(), "Your code is 4711", true).await;
        let account: AccountSid = AC.parse().expect("an account");
        SentMessage::new(account, sid).base_url(self.server.base_url())
    }

    /// A message that waits for its action under `id`.
    pub(crate) async fn sent(&self, id: impl Into<CorrelationId>) -> MessageSid {
        let message = self.create().await;
        assert_eq!(self.feedback.record(id, message).await, Recorded::Recorded);
        self.last()
    }

    /// Sends `text` as an application does that has the outgoing layer around
    /// its client: the id is in the link.
    pub(crate) async fn send_link(&self, text: &str) -> MessageSid {
        let layer = self.feedback.provide_layer().correlate(link_query("id"));
        self.post(&layer.layer(reqwest::Client::new()), text, false).await
    }

    async fn post<S>(&self, client: &S, text: &str, tagged: bool) -> MessageSid
    where
        S: Service<reqwest::Request, Response = reqwest::Response, Error: Debug> + Clone,
    {
        let mut form = vec![("To", "+15558675310"), ("From", "+15557122661"), ("Body", text)];
        if tagged {
            form.push(("ProvideFeedback", "true"));
        }
        let request = reqwest::Client::new()
            .post(format!("{}/Accounts/{AC}/Messages.json", self.server.base_url()))
            .basic_auth(AC, Some("token"))
            .form(&form)
            .build()
            .expect("a request");
        let response = soon("a create", client.clone().oneshot(request)).await.expect("a response");
        assert_eq!(response.status(), 201);
        self.last()
    }

    pub(crate) fn last(&self) -> MessageSid {
        self.twilio.messages().last().expect("a message").sid()
    }

    /// Twilio learns of exactly these, in this order, and of each once.
    pub(crate) async fn reported(&self, sids: &[MessageSid]) {
        soon("a report", self.twilio.wait_until(|twilio| twilio.confirmed() == sids)).await;
        self.only_reported(sids).await;
    }

    /// The same for calls that may overtake each other.
    pub(crate) async fn reported_in_any_order(&self, sids: &[MessageSid]) {
        let count = sids.len();
        soon("reports", self.twilio.wait_until(|twilio| twilio.confirmed().len() >= count)).await;
        let confirmed = self.twilio.confirmed();
        assert!(sids.iter().all(|sid| confirmed.contains(sid)), "{confirmed:?}");
        assert_eq!(confirmed.len(), count);
        self.only_reported(&confirmed).await;
    }

    /// Whatever was to be delivered is: these, and of each one call.
    pub(crate) async fn only_reported(&self, sids: &[MessageSid]) {
        let remaining = soon("a flush", self.feedback.flush()).await;
        assert!(remaining.is_empty(), "{remaining:?}");
        assert_eq!(self.twilio.confirmed(), sids);
        for sid in sids {
            let message = self.twilio.message(*sid).expect("a message");
            assert_eq!(message.feedback_count(), 1);
        }
        assert_eq!(self.confirms().queued, sids.len() as u64);
    }

    /// Twilio has not heard a word.
    pub(crate) async fn nothing_reported(&self) {
        self.only_reported(&[]).await;
        let calls = self.twilio.received();
        assert!(calls.iter().all(|call| call.kind() != RequestKind::Feedback));
    }

    pub(crate) fn confirms(&self) -> ConfirmStats {
        self.feedback.stats().confirms
    }
}

/// What a user submits: the attempt that the message was sent for, and the code.
#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    pub(crate) attempt: String,
    pub(crate) code: String,
}

impl TrackedAction for Login {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some(self.attempt.as_str().into())
    }
}

/// A link that may lack its id.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: Option<String>,
}

impl TrackedAction for Link {
    fn correlation_id(&self) -> Option<CorrelationId> {
        self.id.as_deref().map(CorrelationId::from)
    }
}

/// Says in a header what became of a confirm, so that `HEAD` shows it too.
pub(crate) type Told = [(HeaderName, String); 1];

pub(crate) const CONFIRMATION: &str = "x-confirmation";

pub(crate) fn told(confirmation: Confirmation) -> Told {
    [(HeaderName::from_static(CONFIRMATION), format!("{confirmation:?}"))]
}
