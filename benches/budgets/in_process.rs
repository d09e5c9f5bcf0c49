//! The paths of a request through the layers, without a network: instructions,
//! allocations and time on top of the bare service.

use std::{convert::Infallible, hint::black_box, time::Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service};
use tower_message_feedback::{Credentials, Dispatcher, MessageFeedback, link_query, source::query};

use crate::{
    callgrind::{self, counted_by_callgrind},
    heap,
    requests::{AC, Route, Twilio, click, create, fetch},
    table::{Spread, spread},
};

/// Messages that wait beside those that are measured.
const PENDING: u64 = 100_000;
/// The same under valgrind, which is slow. How little it matters, the rows of growth show.
const PENDING_UNDER_VALGRIND: u64 = 10_000;
const CALLS: u64 = 2_000;
/// Calls whose requests are made together.
const AT_ONCE: usize = 50;
const TURNS: usize = 41;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// A message is fetched.
    NotACreate,
    /// A create whose text has no link.
    WithoutId,
    /// A create whose link has an id, which a rule finds.
    TrackedSend,
    /// A click on such a link.
    Confirm,
}

impl Path {
    const ALL: [Self; 4] = [Self::NotACreate, Self::WithoutId, Self::TrackedSend, Self::Confirm];

    const fn name(self) -> &'static str {
        match self {
            Self::NotACreate => "not-a-create",
            Self::WithoutId => "without-id",
            Self::TrackedSend => "tracked-send",
            Self::Confirm => "confirm",
        }
    }

    fn request(self, number: u64) -> Request<Full<Bytes>> {
        match self {
            Self::NotACreate => fetch(),
            Self::WithoutId => create(None),
            Self::TrackedSend => create(Some(&id(number))),
            Self::Confirm => click(&id(number)),
        }
    }
}

fn id(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// What the layers cost on a path, on top of the bare service.
pub(crate) struct Cost {
    pub(crate) instructions: Option<f64>,
    pub(crate) allocations: f64,
    pub(crate) nanoseconds: Spread,
}

/// A handle with its messages, whose dispatcher does not run: nothing else happens in
/// this process.
struct Subject {
    feedback: MessageFeedback,
    _dispatcher: Dispatcher,
    twilio: Twilio,
    next: u64,
}

impl Subject {
    fn new(pending: u64) -> Self {
        let credentials = Credentials::auth_token(AC, "token").expect("credentials");
        let (feedback, dispatcher) =
            MessageFeedback::builder().credentials(credentials).build_pair().expect("a handle");
        let twilio = Twilio::default();
        let mut subject = Self { feedback, _dispatcher: dispatcher, twilio, next: 0 };
        while subject.next < pending {
            subject.sends();
        }
        subject
    }

    /// Sends as many messages as are confirmed in a turn.
    fn sends(&mut self) {
        let requests = self.requests(Path::TrackedSend);
        self.next += CALLS;
        let layer = self.feedback.provide_layer().correlate(link_query("id"));
        // The layer's service has a copy of its own.
        let mut sending = layer.layer(self.twilio.clone());
        calls(&mut sending, requests);
        self.twilio = sending.into_inner();
    }

    fn requests(&self, path: Path) -> Vec<Request<Full<Bytes>>> {
        (self.next..self.next + CALLS).map(|number| path.request(number)).collect()
    }

    /// Hands `measure` the calls of a turn, some at a time, through the layer or to the bare
    /// service. Their requests are made just before, as an application makes them.
    fn turn(&mut self, path: Path, layered: bool, measure: &mut dyn FnMut(&mut dyn FnMut())) {
        let first = self.next;
        if path == Path::Confirm {
            self.sends();
        } else {
            self.next += CALLS;
        }
        let sends = self.feedback.provide_layer().correlate(link_query("id"));
        let confirms = self.feedback.confirm_layer(query("id"));
        let mut sends = sends.layer(self.twilio.clone());
        let mut confirms = confirms.layer(Route);
        for from in (first..first + CALLS).step_by(AT_ONCE) {
            let requests = (from..from + AT_ONCE as u64).map(|number| path.request(number));
            let requests: Vec<_> = requests.collect();
            let mut requests = Some(requests);
            measure(&mut || {
                let requests = requests.take().unwrap_or_default();
                match (path, layered) {
                    (Path::Confirm, true) => calls(&mut confirms, requests),
                    (Path::Confirm, false) => calls(&mut Route, requests),
                    (_, true) => calls(&mut sends, requests),
                    (_, false) => calls(sends.get_mut(), requests),
                }
            });
        }
        self.twilio = sends.into_inner();
    }
}

fn calls<S, B>(service: &mut S, requests: Vec<Request<Full<Bytes>>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: Body + Unpin,
{
    for request in requests {
        let answer = service.call(request).now_or_never().expect("it answers at once");
        let Ok(mut response) = answer;
        black_box(response.body_mut().frame().now_or_never().is_some());
    }
}

fn side(layered: bool) -> &'static str {
    if layered { "layered" } else { "bare" }
}

/// The part of this program that runs under valgrind.
pub(crate) fn part(path: &str, asked: &str) {
    let path = Path::ALL.into_iter().find(|known| known.name() == path).expect("a path");
    let mut subject = Subject::new(PENDING_UNDER_VALGRIND);
    callgrind::ready();
    subject.turn(path, asked == side(true), &mut |calls| counted_by_callgrind(calls));
}

pub(crate) fn measure(path: Path) -> Cost {
    let instructions = [true, false]
        .map(|layered| callgrind::instructions(&["in-process", path.name(), side(layered)]));
    let mut subject = Subject::new(PENDING);
    let mut allocations = Vec::new();
    let mut nanoseconds = Vec::new();
    for turn in 0..TURNS {
        // Who is first has the colder caches: in turn.
        let mut took = [0.0; 2];
        for layered in [turn % 2 == 0, turn % 2 != 0] {
            subject.turn(path, layered, &mut |calls| {
                let began = Instant::now();
                calls();
                took[usize::from(layered)] += began.elapsed().as_secs_f64();
            });
        }
        nanoseconds.push((took[1] - took[0]) * 1e9 / CALLS as f64);
        let counted = [false, true].map(|layered| {
            let mut counted = 0;
            subject.turn(path, layered, &mut |calls| counted += heap::allocations(calls));
            counted as f64
        });
        allocations.push((counted[1] - counted[0]) / CALLS as f64);
    }
    let instructions = match instructions {
        [Some(layered), Some(bare)] => Some((layered as f64 - bare as f64) / CALLS as f64),
        _ => None,
    };
    Cost {
        instructions,
        allocations: spread(allocations)[1].round(),
        nanoseconds: spread(nanoseconds),
    }
}
