//! A Twilio in process, a clock that stands still, and a handle between them.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of it")]

mod store;

use std::{convert::Infallible, future::Future, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, service_fn};
use tower_message_feedback::{
    AccountSid, BaseUrl, Confirmation, Credentials, FeedbackBody, ManualClock, MessageFeedback,
    MessageFeedbackBuilder, MessageSid, Recorded, Remaining, RetryPolicy, SentMessage, Timestamp,
    simulator::{Received, RequestKind, Simulator, SimulatorBody, SimulatorServer},
    store::LedgerStatus,
};

pub(crate) use self::store::{Mode, Op, SwitchStore};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_AC: &str = "ACfedcba9876543210fedcba9876543210";
pub(crate) const SK: &str = "SK0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "token-of-the-account";
pub(crate) const CORRELATION_KEY: &[u8] = b"a correlation key of enough bytes";
/// Sun, 06 Nov 1994 08:49:37 GMT
pub(crate) const START: Timestamp = Timestamp::from_millis(784_111_777_000);
/// The bound of every wait for a retry: so long that a random part of it is
/// never nothing.
pub(crate) const WAIT: Duration = seconds(1000);

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn credentials() -> Credentials {
    Credentials::auth_token(AC, TOKEN).expect("credentials")
}

pub(crate) fn other_credentials() -> Credentials {
    Credentials::auth_token(OTHER_AC, "token-of-the-other").expect("credentials")
}

pub(crate) fn account(text: &str) -> AccountSid {
    text.parse().expect("an account SID")
}

pub(crate) fn patient() -> RetryPolicy {
    RetryPolicy::default().base(WAIT).max(WAIT)
}

/// Fails a test that would hang.
pub(crate) async fn guarded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(seconds(20), future).await.expect("an end in time")
}

/// Lets everything else run until `condition` is true.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    guarded(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Lets everything else run for long enough to do what it should not do.
pub(crate) async fn settle_down() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

/// A transport that needs no socket.
pub(crate) fn in_process(
    twilio: &Simulator,
) -> impl Service<
    Request<FeedbackBody>,
    Response = Response<SimulatorBody>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let twilio = twilio.clone();
    service_fn(move |request| twilio.service().oneshot(request))
}

/// What a flush left, for a test that need not look at it.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) outbox: Option<u64>,
    pub(crate) deferred: usize,
}

impl Left {
    pub(crate) fn is_empty(&self) -> bool {
        self.outbox == Some(0) && self.deferred == 0
    }
}

impl From<Remaining> for Left {
    fn from(remaining: Remaining) -> Self {
        Self { outbox: remaining.outbox, deferred: remaining.deferred }
    }
}

pub(crate) struct World {
    pub(crate) twilio: Simulator,
    pub(crate) server: SimulatorServer,
    pub(crate) time: ManualClock,
    pub(crate) feedback: MessageFeedback,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(
        set: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
    ) -> Self {
        let site = Site::new().await;
        let builder = site.builder().credentials(credentials());
        site.world(set(builder))
    }

    /// A transport without a socket, for tests on Tokio's paused clock.
    pub(crate) async fn without_socket(
        set: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
    ) -> Self {
        let site = Site::new().await;
        let builder = site.builder().credentials(credentials()).transport(in_process(&site.twilio));
        site.world(set(builder))
    }

    /// A message that exists at Twilio and nowhere else.
    pub(crate) async fn create(&self, account: &str) -> MessageSid {
        create(&self.twilio, account, "").await
    }

    pub(crate) fn sent(&self, account: &str, sid: MessageSid) -> SentMessage {
        SentMessage::new(self::account(account), sid).base_url(self.server.base_url())
    }

    /// Creates a message and records it under `id`.
    pub(crate) async fn send(&self, id: &str) -> MessageSid {
        self.send_of(AC, id).await
    }

    pub(crate) async fn send_of(&self, account: &str, id: &str) -> MessageSid {
        let sid = self.create(account).await;
        let recorded = self.feedback.record(id, self.sent(account, sid)).await;
        assert_eq!(recorded, Recorded::Recorded);
        sid
    }

    /// Sends a message, and the user acts on it.
    pub(crate) async fn act(&self, id: &str) -> MessageSid {
        self.act_of(AC, id).await
    }

    pub(crate) async fn act_of(&self, account: &str, id: &str) -> MessageSid {
        let sid = self.send_of(account, id).await;
        assert_eq!(self.feedback.confirm(id).await, Confirmation::Queued);
        sid
    }

    /// Everything that is due is tried.
    pub(crate) async fn flush(&self) -> Left {
        guarded(self.feedback.flush()).await.into()
    }

    pub(crate) async fn advance(&self, by: Duration) -> Left {
        self.time.advance(by);
        self.flush().await
    }

    pub(crate) async fn status(&self, sid: MessageSid) -> LedgerStatus {
        let entry = self.feedback.lookup_sid(sid).await.expect("an answer");
        entry.expect("a tracked message").status
    }

    /// How often Twilio was asked in vain, if the message still waits.
    pub(crate) async fn attempts(&self, sid: MessageSid) -> Option<u32> {
        match self.status(sid).await {
            LedgerStatus::Queued { attempts, .. } => Some(attempts.total),
            _ => None,
        }
    }

    pub(crate) async fn is_delivered(&self, sid: MessageSid) -> bool {
        matches!(self.status(sid).await, LedgerStatus::Delivered { .. })
    }

    /// The feedback calls that arrived at Twilio.
    pub(crate) fn calls(&self) -> Vec<Received> {
        calls(&self.twilio)
    }

    /// How many times Twilio recorded the feedback for a message.
    pub(crate) fn reports(&self, sid: MessageSid) -> u32 {
        self.twilio.message(sid).expect("a message").feedback_count()
    }
}

pub(crate) fn calls(twilio: &Simulator) -> Vec<Received> {
    let received = twilio.received().into_iter();
    received.filter(|received| received.kind() == RequestKind::Feedback).collect()
}

/// A served Twilio and a clock, for as many handles as a test needs.
pub(crate) struct Site {
    pub(crate) twilio: Simulator,
    pub(crate) server: SimulatorServer,
    pub(crate) time: ManualClock,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let twilio = Simulator::new();
        let server = twilio.serve().await.expect("a free port");
        Self { twilio, server, time: ManualClock::new(START) }
    }

    pub(crate) fn builder(&self) -> MessageFeedbackBuilder {
        MessageFeedback::builder()
            .allow_origin(self.server.base_url().as_str())
            .clock(self.time.clock())
            .retry_policy(patient())
    }

    pub(crate) fn world(self, builder: MessageFeedbackBuilder) -> World {
        let Self { twilio, server, time } = self;
        World { twilio, server, time, feedback: builder.build().expect("a handle") }
    }

    pub(crate) fn base_url(&self) -> BaseUrl {
        self.server.base_url()
    }

    pub(crate) async fn sent(&self) -> SentMessage {
        let sid = create(&self.twilio, AC, "").await;
        SentMessage::new(account(AC), sid).base_url(self.base_url())
    }
}

/// Creates a message at Twilio, by way of no socket.
pub(crate) async fn create(twilio: &Simulator, account: &str, fields: &str) -> MessageSid {
    let form = format!("To=%2B15558675310&From=%2B15557122661&Body=x&ProvideFeedback=true{fields}");
    let bearer = "Bearer of-the-sender";
    let request = Request::post(format!("/2010-04-01/Accounts/{account}/Messages.json"))
        .header("authorization", bearer)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))
        .expect("a request");
    let response = twilio.service().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 201);
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let message: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    message["sid"].as_str().expect("a SID").parse().expect("a message SID")
}
