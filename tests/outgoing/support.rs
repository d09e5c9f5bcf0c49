//! What the tests of the outgoing layer share.

use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response, request, response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, util::BoxCloneService};
use tower_message_feedback::{
    Credentials, ManualClock, MessageFeedback, MessageFeedbackBuilder, MessageSid, SendStats,
    Timestamp,
    outgoing::ProvideFeedbackBody,
    simulator::{Simulator, SimulatorServer},
    store::LedgerEntry,
};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const SUB_AC: &str = "ACffffffffffffffffffffffffffffffff";
pub(crate) const SM: &str = "SM0123456789abcdef0123456789abcdef";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// A good create without a link.
pub(crate) const OTP: &str = "To=%2B15558675310&From=%2B15557122661&Body=Your+code+is+123456";
/// A good create whose link has the id 1234567890.
pub(crate) const LINK: &str = "To=%2B15558675310&From=%2B15557122661\
                        &Body=Open%20https%3A%2F%2Fexample.com%2Fc%3Fid%3D1234567890";
pub(crate) const LINK_ID: &str = "1234567890";
pub(crate) const TAG: &str = "&ProvideFeedback=true";
/// What the tests' clock shows: 2027-01-15T08:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// An origin for services in process.
pub(crate) const ORIGIN: &str = "https://api.twilio.com/2010-04-01";

pub(crate) type HttpClient<B> = Client<HttpConnector, B>;

pub(crate) fn client<B>() -> HttpClient<B>
where
    B: Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn basic() -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{AC}:token")))
}

/// A builder that allows `origin`, on a clock that stands still. Its feedback
/// leaves this process by no means.
pub(crate) fn builder(origin: &str) -> MessageFeedbackBuilder {
    builder_at(origin, &ManualClock::new(NOW))
}

pub(crate) fn builder_at(origin: &str, clock: &ManualClock) -> MessageFeedbackBuilder {
    MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
        .allow_origin(origin)
        .transport(Simulator::new().service())
        .clock(clock.clock())
}

pub(crate) fn feedback(origin: &str) -> MessageFeedback {
    builder(origin).build().expect("a handle")
}

/// Where `base_url` takes creates.
pub(crate) fn messages(base_url: impl std::fmt::Display) -> String {
    format!("{base_url}/Accounts/{AC}/Messages.json")
}

pub(crate) fn post<B>(uri: &str, body: B) -> Request<B> {
    Request::post(uri)
        .header("authorization", basic())
        .header("content-type", FORM)
        .body(body)
        .expect("a request")
}

pub(crate) fn create(uri: &str, form: &str) -> Request<Full<Bytes>> {
    post(uri, full(form))
}

pub(crate) fn full(text: &str) -> Full<Bytes> {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
}

/// Fails the test if `future` takes long, instead of hanging it.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it hangs")
}

/// The head and the whole body of an answer.
pub(crate) async fn read<B>(response: Response<B>) -> (response::Parts, Bytes)
where
    B: Body,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    (parts, soon(body.collect()).await.expect("a body").to_bytes())
}

/// The SID in the answer to a good create.
pub(crate) async fn sid_of<B>(response: Response<B>) -> MessageSid
where
    B: Body,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = read(response).await;
    assert_eq!(parts.status, 201, "{body:?}");
    let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    json["sid"].as_str().expect("a SID").parse().expect("a message SID")
}

/// The same for an answer of reqwest's.
pub(crate) async fn sid(response: reqwest::Response) -> MessageSid {
    sid_of(Response::<reqwest::Body>::from(response)).await
}

pub(crate) fn sends(feedback: &MessageFeedback) -> SendStats {
    feedback.stats().sends
}

/// Asserts that these counters of `$feedback` are as given, and all others zero.
macro_rules! assert_sends {
    ($feedback:expr $(, $counter:ident: $count:expr)* $(,)?) => {{
        #[allow(unused_mut)]
        let mut expected = tower_message_feedback::SendStats::default();
        $(expected.$counter = $count;)*
        assert_eq!($crate::support::sends(&$feedback), expected);
    }};
}
pub(crate) use assert_sends;

pub(crate) async fn lookup(feedback: &MessageFeedback, id: &str) -> Vec<LedgerEntry> {
    soon(feedback.lookup(id)).await.expect("a store in memory")
}

/// The one entry under `id`.
pub(crate) async fn only(feedback: &MessageFeedback, id: &str) -> LedgerEntry {
    let mut entries = lookup(feedback, id).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

/// An answer to a create that names the message [`SM`].
pub(crate) fn receipt() -> String {
    format!(r#"{{"account_sid":"{AC}","body":"Hello","price":null,"sid":"{SM}"}}"#)
}

/// Yields to other tasks until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never happened");
}

/// A simulator on a socket, and a handle that allows it.
pub(crate) struct Twilio {
    pub(crate) simulator: Simulator,
    pub(crate) server: SimulatorServer,
    pub(crate) feedback: MessageFeedback,
}

pub(crate) async fn twilio() -> Twilio {
    let simulator = Simulator::new();
    let server = simulator.serve().await.expect("a port");
    let feedback = feedback(server.base_url().as_str());
    Twilio { simulator, server, feedback }
}

impl Twilio {
    pub(crate) fn uri(&self) -> String {
        messages(self.server.base_url())
    }

    /// Sends through a layer that correlates by the link.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> u16 {
        let layer =
            self.feedback.provide_layer().correlate(tower_message_feedback::link_query("id"));
        let response = soon(layer.layer(client()).oneshot(request)).await.expect("an answer");
        let (parts, _) = read(response).await;
        parts.status.as_u16()
    }

    pub(crate) async fn send_form(&self, form: &str) -> u16 {
        self.send(create(&self.uri(), form)).await
    }

    /// The body of the last request, as it arrived.
    pub(crate) fn body(&self) -> String {
        let received = self.simulator.received();
        String::from_utf8(received.last().expect("a request").body().to_vec()).expect("UTF-8")
    }
}

/// What a server or service has seen: the head and the body of each request
/// whose body was complete.
pub(crate) type Seen = Arc<Mutex<Vec<(request::Parts, Bytes)>>>;

/// A server on loopback that notes complete requests and answers with [`receipt`].
pub(crate) struct Server {
    pub(crate) base_url: String,
    pub(crate) seen: Seen,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen::default();
        let task = tokio::spawn(accept(listener, seen.clone()));
        Self { base_url: format!("http://{address}/2010-04-01"), seen, task }
    }

    /// The bodies so far.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.seen.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, seen: Seen) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let seen = seen.clone();
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let seen = seen.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                seen.lock().unwrap().push((parts, body));
                let answer = Response::builder().status(201).body(full(&receipt()));
                Ok::<_, hyper::Error>(answer.expect("an answer"))
            }
        });
        connections.spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A service in process that notes requests and answers with what `answer` makes.
pub(crate) fn answering<B, R>(
    answer: impl Fn() -> Response<R> + Clone + Send + 'static,
) -> (Seen, BoxCloneService<Request<B>, Response<R>, Infallible>)
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Debug,
    R: Send + 'static,
{
    let seen = Seen::default();
    let log = seen.clone();
    let service = tower::service_fn(move |request: Request<B>| {
        let log = log.clone();
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            log.lock().unwrap().push((parts, body));
            Ok(answer())
        }
    });
    (seen, BoxCloneService::new(service))
}

/// Sends a tracked create to a service that answers with `answer`.
pub(crate) async fn answered<R>(
    feedback: &MessageFeedback,
    answer: impl Fn() -> Response<R> + Clone + Send + 'static,
) -> Response<ProvideFeedbackBody<R>>
where
    R: Body + Send + 'static,
{
    let (_, inner) = answering(answer);
    let service =
        feedback.provide_layer().correlate(tower_message_feedback::link_query("id")).layer(inner);
    service.oneshot(create(&messages(ORIGIN), LINK)).await.expect("infallible")
}

pub(crate) fn created<R>(body: R) -> Response<R> {
    Response::builder().status(201).body(body).expect("an answer")
}
