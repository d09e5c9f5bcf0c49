//! An application that sends one-time links, and whose users click.

use std::{fmt::Debug, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Credentials, LinkQuery, MessageFeedback, MessageFeedbackBuilder, ProvideFeedback, RetryPolicy,
    link_query, store::FeedbackStore,
};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";
/// How long a feedback call may take: one that is given up is made twice.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a lease lasts then.
pub(crate) const LEASE: Duration = Duration::from_secs(34);

type Hyper = Client<HttpConnector, Full<Bytes>>;

/// What each process of the application has.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) feedback: MessageFeedback,
    twilio: ProvideFeedback<Hyper, LinkQuery>,
    bare: Hyper,
    base_url: Arc<str>,
}

/// A handle on a store that processes share; `base_url` is the simulator's. It
/// waits for a slow store on a busy machine, rather than defer.
pub(crate) fn builder(base_url: &str, store: Arc<dyn FeedbackStore>) -> MessageFeedbackBuilder {
    let retry =
        RetryPolicy::default().base(Duration::from_millis(50)).max(Duration::from_millis(500));
    MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, "token-of-the-account").expect("credentials"))
        .allow_origin(base_url)
        .store(store)
        .correlation_key(*b"a correlation key of enough bytes")
        .call_timeout(CALL_TIMEOUT)
        .store_timeout(Duration::from_secs(5))
        .retry_policy(retry)
        .max_in_flight(32)
}

impl Application {
    pub(crate) fn new(base_url: &str, builder: MessageFeedbackBuilder) -> Self {
        let feedback = builder.build().expect("a handle");
        let client = || Client::builder(TokioExecutor::new()).build_http();
        let twilio = feedback.provide_layer().correlate(link_query("id")).layer(client());
        Self { feedback, twilio, bare: client(), base_url: base_url.into() }
    }

    /// Sends a link with `id`, which needs no encoding, through the layer.
    pub(crate) async fn send(&self, id: &str) -> StatusCode {
        let sent = self.twilio.clone().oneshot(self.create(id)).await;
        Self::answer(sent.expect("Twilio is there")).await
    }

    /// Sends a link without the layer, for comparison.
    pub(crate) async fn send_bare(&self, id: &str) -> StatusCode {
        let sent = self.bare.clone().oneshot(self.create(id)).await;
        Self::answer(sent.expect("Twilio is there")).await
    }

    fn create(&self, id: &str) -> Request<Full<Bytes>> {
        let form = format!(
            "To=%2B15558675310&From=%2B15557122661&Body=https%3A%2F%2Fshop.example%2Fc%3Fid%3D{id}"
        );
        Request::post(format!("{}/Accounts/{AC}/Messages.json", self.base_url))
            .header(AUTHORIZATION, "Bearer of-the-sender")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(form))
            .expect("a request")
    }

    /// Read to its end, so that the connection serves again.
    async fn answer<B: Body<Error: Debug>>(response: Response<B>) -> StatusCode {
        let status = response.status();
        let _ = response.into_body().collect().await.expect("a whole answer");
        status
    }
}
