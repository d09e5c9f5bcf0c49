//! A Twilio that runs in process: for this crate's tests, and for yours.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tower_message_feedback::simulator::{Answer, Simulator};
//!
//! let twilio = Simulator::new();
//! twilio.answer_feedback(Answer::status(503).times(2)); // a short outage
//! let server = twilio.serve().await?;
//! assert!(server.base_url().as_str().starts_with("http://127.0.0.1:"));
//! // Send a message there, play the user, and then:
//! // twilio.wait_until(|twilio| twilio.confirmed().len() == 1).await;
//! assert!(twilio.messages().is_empty());
//! # Ok::<(), std::io::Error>(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! How to test an application of your own with it, with faults, a clock that the
//! test owns, expectations and webhooks: [`testing`].
//!
//! It creates messages and takes feedback for them, by the rules of Twilio's
//! OpenAPI document, lists and shows messages, and sends nothing to anyone.
//! Below an optional path prefix it serves `/2010-04-01/Accounts/{AC}/Messages`,
//! `…/Messages/{SID}` and `…/Messages/{SID}/Feedback`, with `.json`, `.csv`, or,
//! without a suffix, as XML, and all of it under `…/SMS/Messages` too. Other
//! paths are answered 404; updating and deleting a message, which Twilio can
//! do, is answered 405. A list has one page and no filters.
//!
//! # What Twilio's documents do not settle
//!
//! - Feedback for a message that was created without `ProvideFeedback` is
//!   answered 400 with code 90001. This makes a forgotten tag visible.
//! - Feedback without an `Outcome` is answered 200 and changes nothing: the
//!   OpenAPI document has the field optional and names no default.
//! - A value that is not of its field's declared type is answered 400 with code
//!   20001, as is a body that is not a form.
//! - An empty value counts as no value. Of a field that is repeated, every value
//!   is checked and the first one counts.
//! - `SendAt` may lie in the past: only its form is checked.
//! - A credential that may not act on the account is answered 401.

use std::{fmt, io, sync::Arc};

use axum::Router;

mod answer;
mod auth;
mod body;
mod describe;
mod expect;
mod fields;
mod load;
mod message;
mod process;
mod received;
mod refusal;
mod render;
mod route;
mod server;
mod service;
mod state;
mod time;
mod times;
mod validate;
mod webhooks;

#[doc = include_str!("testing.md")]
#[cfg_attr(not(feature = "test-util"), allow(rustdoc::broken_intra_doc_links))]
pub mod testing {}

pub use self::{
    answer::Answer,
    body::SimulatorBody,
    expect::Expectations,
    message::{Outcome, SimulatedMessage},
    received::{Received, RequestKind},
    server::SimulatorServer,
    service::{SimulatorFuture, SimulatorService},
    times::Times,
    webhooks::{Webhook, WebhookError, Webhooks},
};
use self::{state::Shared, time::Time};
use crate::{
    clock::Clock,
    twilio::{Credentials, MessageSid},
};

/// A Twilio in process. Clones are handles to the same one.
///
/// It keeps what it received and created until the last handle, service and
/// server of it is dropped.
#[derive(Clone, Default)]
pub struct Simulator {
    shared: Arc<Shared>,
}

impl Simulator {
    /// A simulator without messages, which accepts every well-formed credential:
    /// Basic with the account of the path or any API key (`SK…`) and a password,
    /// or a bearer token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A simulator whose dates and delays go by `clock`: with a `ManualClock`
    /// (feature `test-util`), a test says when an answer is due.
    ///
    /// Without a clock, dates are the system's, and delays go by Tokio's timer.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self { shared: Arc::new(Shared::new(Time::of(clock))) }
    }

    /// From now on accepts these credentials and no other, each for its own
    /// account; every other request is answered 401. None at all locks
    /// everyone out.
    ///
    /// For a main account that acts on its subaccount, add
    /// [`Credentials::for_subaccount`].
    ///
    /// ```
    /// use tower_message_feedback::{Credentials, simulator::Simulator};
    ///
    /// let twilio = Simulator::new();
    /// let main = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?;
    /// twilio.accept_only([main]);
    /// # Ok::<(), tower_message_feedback::CredentialsError>(())
    /// ```
    pub fn accept_only(&self, credentials: impl IntoIterator<Item = Credentials>) {
        let credentials = credentials.into_iter().collect();
        self.shared.change(|state| state.accepted = Some(credentials));
    }

    /// The simulator as a Tower service, without a socket.
    #[must_use]
    pub fn service(&self) -> SimulatorService {
        SimulatorService::new(Arc::clone(&self.shared))
    }

    /// The simulator as an axum router, to be nested or merged into another.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.service())
    }

    /// Serves the simulator on a free port of 127.0.0.1 until the returned
    /// server is dropped.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with I/O and time enabled.
    pub async fn serve(&self) -> io::Result<SimulatorServer> {
        SimulatorServer::start(self.service()).await
    }

    /// Queues an answer for the next create. Queued answers are given in order;
    /// after the last one the simulator answers normally again.
    pub fn answer_create(&self, answer: Answer) {
        self.shared.change(|state| state.create_answers.push(answer));
    }

    /// Queues an answer for the next feedback call, as
    /// [`answer_create`](Self::answer_create) does for creates.
    pub fn answer_feedback(&self, answer: Answer) {
        self.shared.change(|state| state.feedback_answers.push(answer));
    }

    /// From now on answers 429 with Twilio's code 20429, and processes nothing,
    /// whenever an account has `limit` requests in flight already: creates,
    /// feedback and everything else together. `None` lifts the limit.
    ///
    /// Such an answer comes at once, and takes none from the queue of
    /// [`answer_create`](Self::answer_create) or
    /// [`answer_feedback`](Self::answer_feedback).
    ///
    /// ```
    /// use tower_message_feedback::simulator::Simulator;
    ///
    /// let twilio = Simulator::new();
    /// twilio.limit_concurrency(10);
    /// twilio.limit_concurrency(None);
    /// ```
    pub fn limit_concurrency(&self, limit: impl Into<Option<usize>>) {
        let limit = limit.into();
        self.shared.change(|state| state.load.set_limit(limit));
    }

    /// The most requests that were ever in flight at once on one account, those
    /// included that the limit turned away.
    #[must_use]
    pub fn peak_concurrency(&self) -> usize {
        self.shared.read(|state| state.load.peak())
    }

    /// Every request so far, in the order in which their bodies were complete,
    /// refused ones too.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.read(|state| state.received.clone())
    }

    /// Every message so far, in the order of their creation.
    #[must_use]
    pub fn messages(&self) -> Vec<SimulatedMessage> {
        self.shared.read(|state| state.messages.clone())
    }

    /// Forgets every message and request so far, for a run of more than fits the memory:
    /// a message that is forgotten is unknown to a feedback call.
    pub fn clear(&self) {
        self.shared.change(|state| state.clear());
    }

    /// One message as it is now.
    #[must_use]
    pub fn message(&self, sid: MessageSid) -> Option<SimulatedMessage> {
        self.shared.read(|state| state.message(sid).cloned())
    }

    /// The messages whose outcome is confirmed, in the order of their (first)
    /// confirmation.
    #[must_use]
    pub fn confirmed(&self) -> Vec<MessageSid> {
        self.shared.read(|state| state.confirmed.clone())
    }

    /// Waits until `condition` is true. It is asked at once, and again after
    /// each change: a request that arrived, a request that was answered, a new
    /// script or new credentials.
    ///
    /// It waits for ever if need be: wrap it in `tokio::time::timeout`.
    pub async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            // Made before the condition is asked: a change in between wakes it.
            let changed = self.shared.changed.notified();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, received) =
            self.shared.read(|state| (state.messages.len(), state.received.len()));
        f.debug_struct("Simulator")
            .field("messages", &messages)
            .field("received", &received)
            .finish_non_exhaustive()
    }
}
