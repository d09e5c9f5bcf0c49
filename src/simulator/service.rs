use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{self, Future},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_service::Service;

use super::{
    answer::{Answer, Plan},
    body::SimulatorBody,
    process::process,
    received::Received,
    refusal::Refusal,
    render::Reply,
    route::Route,
    state::{Shared, random_hex},
};

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What [`SimulatorService`] answers with, once it is ready.
pub type SimulatorFuture =
    Pin<Box<dyn Future<Output = Result<Response<SimulatorBody>, Infallible>> + Send>>;

/// A [`Simulator`](super::Simulator) as a Tower service, without a socket.
///
/// It takes requests with any body, reads the path of the URL and ignores its
/// scheme and host, so a client's absolute URL works as well as a server's path.
/// Bodies above 1 MiB are answered 413. It is always ready and never fails; the
/// body of an answer fails where [`Answer::reset`] or [`Answer::truncated`] was
/// asked for.
///
/// A request arrives when the future is first polled.
#[derive(Clone)]
pub struct SimulatorService {
    shared: Arc<Shared>,
}

impl SimulatorService {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl fmt::Debug for SimulatorService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorService").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for SimulatorService
where
    B: Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<SimulatorBody>;
    type Error = Infallible;
    type Future = SimulatorFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> SimulatorFuture {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(handle(&shared, request).await) })
    }
}

async fn handle<B>(shared: &Shared, request: Request<B>) -> Response<SimulatorBody>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let time = shared.read(|state| state.time.clone());
    let started = time.now();
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let in_flight = shared.enter(route.account);
    let body = read(body).await;

    let (number, answer, reply, due) = shared.change(|state| {
        let mut received = received(&parts, &route, body.as_ref().ok());
        let answer = if in_flight.place.admitted {
            state.next_answer(received.kind)
        } else {
            Answer::status(429)
        };
        let mut done = || process(state, &parts, &route, body.as_ref().map_err(Refusal::clone)?);
        let done = match answer.plan() {
            Plan::Normal | Plan::ProcessedThen(_) | Plan::Truncated => Some(done()),
            Plan::ProcessedTwice => Some(done().and_then(|_| done())),
            Plan::Status(_) | Plan::Reset | Plan::Hang => None,
        };
        if let Some(Err(refusal)) = &done {
            received.refusal = Some(refusal.clone());
        }
        let number = state.received.len();
        state.received.push(received);
        let reply = done.map(|done| done.unwrap_or_else(Reply::from));
        // Before anyone can see the request, and move the clock.
        let due = (!answer.delay().is_zero()).then(|| time.after(answer.delay()));
        (number, answer, reply, due)
    });

    if answer.plan() == Plan::Hang {
        future::pending::<()>().await;
    }
    if let Some(due) = due {
        time.wait(due).await;
    }
    if answer.plan() == Plan::Reset {
        let mut response = Response::new(SimulatorBody::reset());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return response;
    }
    let mut response = respond(&answer, reply, &route);
    let headers = response.headers_mut();
    insert(headers, "twilio-request-id", &format!("RQ{}", random_hex()));
    insert(headers, "twilio-concurrent-requests", &in_flight.place.concurrent.to_string());
    insert(
        headers,
        "twilio-request-duration",
        &format!("{:.3}", time.since(started).as_secs_f64()),
    );
    headers.extend(answer.headers().clone());

    let status = response.status().as_u16();
    shared.change(|state| {
        if let Some(received) = state.received.get_mut(number) {
            received.status = Some(status);
        }
    });
    response
}

async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large()),
        Err(_) => Err(Refusal::usual(StatusCode::BAD_REQUEST)),
    }
}

fn received(parts: &Parts, route: &Route, body: Option<&Bytes>) -> Received {
    Received {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        kind: route.kind(&parts.method),
        account: route.account,
        message: route.message(),
        headers: parts.headers.clone(),
        body: body.cloned().unwrap_or_default(),
        status: None,
        refusal: None,
    }
}

fn respond(answer: &Answer, reply: Option<Reply>, route: &Route) -> Response<SimulatorBody> {
    let usual =
        |status: StatusCode| (status.as_u16() >= 400).then(|| Refusal::usual(status).into());
    let (status, reply) = match (answer.plan(), reply) {
        (Plan::Status(status), _) => (status, usual(status)),
        (Plan::ProcessedThen(status), reply) => (status, usual(status).or(reply)),
        (_, Some(reply)) => (reply.status, Some(reply)),
        (_, None) => (StatusCode::NO_CONTENT, None),
    };
    let body = match (answer.body(), reply) {
        (Some(body), _) => body.clone(),
        (None, Some(reply)) => reply.render(route.format).into(),
        (None, None) => Bytes::new(),
    };
    let body = match answer.plan() {
        Plan::Truncated => SimulatorBody::truncated(&body),
        _ => SimulatorBody::whole(body),
    };
    let length = body.length();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(route.format.content_type()));
    if answer.plan() == Plan::Truncated {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Twilio API\""));
    }
    response
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
