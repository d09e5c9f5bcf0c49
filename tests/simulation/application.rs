//! A process of the application: sends, and routes that confirm.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
    vec::IntoIter,
};

use axum::{
    Router,
    extract::{Query, State},
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use serde::Deserialize;
use tokio::sync::Notify;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_message_feedback::{
    CorrelationId, ManualClock, MessageFeedback, RetryPolicy, Tracked, TrackedAction, link_query,
    source::query,
};

use crate::{
    database::{Database, Driver},
    day::{Day, EPOCH},
    journal::{Answer, Event, Journal, Life},
    net::{BoxError, Connector, client, serve},
    twilio::{ACCOUNTS, BASE_URL, account, basic, credentials, form},
};

/// How often a process's clock moves on.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// How long the application waits for Twilio, and for the end of a process.
const SEND_TIMEOUT: Duration = Duration::from_secs(14);
const SHUTDOWN: Duration = Duration::from_secs(4);
/// At the end of the day there is time enough.
const LAST_SHUTDOWN: Duration = Duration::from_secs(100);

/// What of a process the day's faults have a hold on.
pub(crate) struct Seat {
    number: usize,
    lives: AtomicU32,
    skew_millis: Mutex<i64>,
    clock: Mutex<Option<ManualClock>>,
    stop: Notify,
    is_last: AtomicBool,
}

impl Seat {
    pub(crate) fn new(number: usize, skew_millis: i64) -> Arc<Self> {
        Arc::new(Self {
            number,
            lives: AtomicU32::new(0),
            skew_millis: Mutex::new(skew_millis),
            clock: Mutex::default(),
            stop: Notify::new(),
            is_last: AtomicBool::new(false),
        })
    }

    pub(crate) fn step_clock(&self, millis: i64) {
        *self.skew_millis.lock().expect("no panic") += millis;
        let by = Duration::from_millis(millis.unsigned_abs());
        match &*self.clock.lock().expect("no panic") {
            Some(clock) if millis < 0 => clock.step_back(by),
            Some(clock) => clock.advance(by),
            None => {}
        }
    }

    pub(crate) fn stop(&self, is_last: bool) {
        self.is_last.store(is_last, Relaxed);
        self.stop.notify_one();
    }

    fn start_clock(&self) -> ManualClock {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        let skew = *self.skew_millis.lock().expect("no panic");
        let clock = ManualClock::new(EPOCH);
        clock.advance(elapsed);
        match Duration::from_millis(skew.unsigned_abs()) {
            by if skew < 0 => clock.step_back(by),
            by => clock.advance(by),
        }
        *self.clock.lock().expect("no panic") = Some(clock.clone());
        let ticking = clock.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                ticking.advance(TICK);
            }
        });
        clock
    }
}

#[derive(Clone)]
struct Context {
    life: Life,
    feedback: MessageFeedback,
    http: Client<Connector, Full<Bytes>>,
    journal: Arc<Journal>,
    /// A send that is done twice, to see that it is noticed.
    sends_twice: bool,
}

pub(crate) async fn run(
    day: Arc<Day>,
    seat: Arc<Seat>,
    database: Arc<Database>,
    journal: Arc<Journal>,
    sends_twice: bool,
) -> io::Result<()> {
    let life = (seat.number, seat.lives.fetch_add(1, Relaxed));
    journal.note(Event::Started(life));
    let setup = day.setup;
    let mut builder = MessageFeedback::builder()
        .allow_origin(BASE_URL)
        .transport(client())
        .clock(seat.start_clock().clock())
        .correlation_key("a secret that all the processes share")
        .max_in_flight(setup.max_in_flight)
        .call_timeout(setup.call_timeout)
        .store_timeout(setup.store_timeout)
        .max_deferred(setup.max_deferred)
        .resends(setup.resends)
        .retry_policy(
            RetryPolicy::default()
                .base(setup.retry_base)
                .max(setup.retry_max)
                // 404s a second apart at first.
                .not_found_for(Duration::from_secs(63)),
        );
    for credentials in credentials() {
        builder = builder.credentials(credentials);
    }
    if day.is_shared {
        builder = builder.store(Driver(database));
    }
    let feedback = builder.build().expect("a handle");
    let context = Context {
        life,
        feedback: feedback.clone(),
        http: client(),
        journal: journal.clone(),
        sends_twice,
    };
    let routes = Router::new()
        .route("/send", post(send))
        .route("/link", get(open).layer(feedback.confirm_layer(query("id"))))
        .route("/code", post(enter).layer(feedback.layer()))
        .route("/forget", post(forget))
        .with_state(context);
    let serving = tokio::spawn(serve(routes));
    seat.stop.notified().await;
    journal.note(Event::Stopping(life));
    let time = if seat.is_last.load(Relaxed) { LAST_SHUTDOWN } else { SHUTDOWN };
    let left = feedback.shutdown(time).await;
    journal.note(Event::Stopped { life, outbox: left.outbox, deferred: left.deferred });
    serving.abort();
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Sending {
    send: u64,
    id: u64,
    opts_out: bool,
}

/// Sends a message, as an application does.
async fn send(State(context): State<Context>, Query(sending): Query<Sending>) -> StatusCode {
    let Sending { send, id, opts_out } = sending;
    let (sid, _) = ACCOUNTS[account(id)];
    let request = || {
        Request::post(format!("{BASE_URL}/2010-04-01/Accounts/{sid}/Messages.json"))
            .header("authorization", basic(sid).expect("an account of ours"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(form(send, id, opts_out)))
            .expect("a request")
    };
    if context.sends_twice && id == 7 {
        let _ = tokio::time::timeout(SEND_TIMEOUT, context.http.request(request())).await;
    }
    let bare = bare(&context, send);
    let twilio = context.feedback.provide_layer().correlate(link_query("id")).layer(bare);
    context.journal.note(Event::SendBegan { send, id });
    let sending = async {
        match twilio.oneshot(request()).await {
            Ok(response) => answer(response).await,
            Err(_) => Answer { status: None, body: Vec::new(), is_whole: false },
        }
    };
    match tokio::time::timeout(SEND_TIMEOUT, sending).await {
        Ok(answer) => {
            let status = answer.status;
            context.journal.note(Event::SendEnded { send, answer });
            match status {
                Some(200..300) => StatusCode::OK,
                _ => StatusCode::BAD_GATEWAY,
            }
        }
        Err(_) => StatusCode::GATEWAY_TIMEOUT,
    }
}

async fn answer<B>(response: Response<B>) -> Answer
where
    B: http_body::Body<Data = Bytes>,
{
    let status = Some(response.status().as_u16());
    let mut body = Vec::new();
    let mut frames = std::pin::pin!(response.into_body());
    while let Some(frame) = frames.frame().await {
        match frame {
            Ok(frame) => body.extend(frame.into_data().unwrap_or_default()),
            Err(_) => return Answer { status, body, is_whole: false },
        }
    }
    Answer { status, body, is_whole: true }
}

type BareBody = StreamBody<futures_util::stream::Iter<IntoIter<Result<Frame<Bytes>, BoxError>>>>;

/// The client below the layer, which notes what it gets and gives it on as it came.
fn bare(
    context: &Context,
    send: u64,
) -> impl Service<Request<Full<Bytes>>, Response = Response<BareBody>, Error = BoxError, Future: Send>
+ Clone {
    let context = context.clone();
    service_fn(move |request| {
        let context = context.clone();
        async move {
            let response = match context.http.request(request).await {
                Ok(response) => response,
                Err(error) => {
                    let answer = Answer { status: None, body: Vec::new(), is_whole: false };
                    context.journal.note(Event::BareAnswer { send, answer });
                    return Err(BoxError::from(error));
                }
            };
            let (parts, body) = response.into_parts();
            let received = answer(Response::from_parts(parts.clone(), body)).await;
            let mut frames = vec![Ok(Frame::data(Bytes::from(received.body.clone())))];
            if !received.is_whole {
                frames.push(Err(BoxError::from("cut off")));
            }
            context.journal.note(Event::BareAnswer { send, answer: received });
            let body = StreamBody::new(futures_util::stream::iter(frames));
            Ok(Response::from_parts(parts, body))
        }
    })
}

#[derive(Debug, Deserialize)]
struct Action {
    id: String,
    #[serde(default)]
    code: String,
}

impl Action {
    fn number(&self) -> u64 {
        self.id.trim_start_matches("login-").parse().expect("an id of ours")
    }
}

impl TrackedAction for Action {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some(CorrelationId::new(self.id.clone()))
    }
}

/// What a message's link opens: the layer confirms.
async fn open(
    State(context): State<Context>,
    method: Method,
    headers: HeaderMap,
    Query(action): Query<Action>,
) -> &'static str {
    if method == Method::GET && !headers.contains_key("sec-purpose") {
        context.journal.note(Event::Acted { life: context.life, id: action.number() });
    }
    "Thank you!"
}

/// What a message's code is typed into.
async fn enter(State(context): State<Context>, action: Tracked<Query<Action>>) -> StatusCode {
    if action.code != "right" {
        return StatusCode::UNAUTHORIZED;
    }
    let (life, id) = (context.life, action.number());
    context.journal.note(Event::Acted { life, id });
    let confirmation = action.confirm().await;
    context.journal.note(Event::Confirmed { life, id, confirmation });
    StatusCode::OK
}

async fn forget(State(context): State<Context>, Query(action): Query<Action>) -> StatusCode {
    let began = turmoil::sim_elapsed().unwrap_or_default();
    match context.feedback.forget(action.id.as_str()).await {
        Ok(_) => {
            context.journal.note(Event::Forgotten { id: action.number(), began });
            StatusCode::OK
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
