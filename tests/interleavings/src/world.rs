//! A handle, its dispatcher, and a Twilio that only remembers what was reported.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Empty;
use shuttle::{
    future::{JoinHandle, block_on, spawn},
    thread,
};
use tokio::sync::Notify;
use tower_message_feedback::{
    Confirmation, Credentials, Dispatcher, FeedbackBody, ManualClock, MessageFeedback,
    MessageFeedbackBuilder, Recorded, SentMessage,
    store::{FeedbackStore, MemoryStore},
};
use tower_service::Service;

use super::kit::{AC, account, at, sid};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What was reported, by the paths of the calls.
#[derive(Clone, Default)]
pub(crate) struct Twilio(Arc<Reports>);

#[derive(Default)]
struct Reports {
    paths: Mutex<Vec<String>>,
    more: Notify,
}

impl Twilio {
    pub(crate) fn paths(&self) -> Vec<String> {
        self.0.paths.lock().unwrap().clone()
    }

    /// Whether the message `n` was reported; more than once it never may be.
    pub(crate) fn has(&self, n: u8) -> bool {
        let sid = sid(n).to_string();
        let times = self.paths().iter().filter(|path| path.contains(&sid)).count();
        assert!(times <= 1, "reported {times} times");
        times == 1
    }

    /// Resolves once the message `n` was reported.
    pub(crate) async fn reported(&self, n: u8) {
        loop {
            let mut more = pin!(self.0.more.notified());
            more.as_mut().enable();
            if self.has(n) {
                return;
            }
            more.await;
        }
    }
}

impl Service<Request<FeedbackBody>> for Twilio {
    type Response = Response<Empty<&'static [u8]>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<FeedbackBody>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            shuttle::future::yield_now().await;
            this.0.paths.lock().unwrap().push(request.uri().path().to_owned());
            this.0.more.notify_waiters();
            Ok(Response::new(Empty::new()))
        })
    }
}

pub(crate) struct World {
    pub(crate) feedback: MessageFeedback,
    pub(crate) dispatcher: JoinHandle<()>,
    pub(crate) twilio: Twilio,
    pub(crate) time: ManualClock,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|memory| memory)
    }

    /// A dispatcher that nobody runs.
    pub(crate) fn pair() -> (MessageFeedback, Dispatcher, Twilio) {
        let (twilio, time) = (Twilio::default(), ManualClock::new(at(1_000)));
        let builder = builder(&twilio, &time).store(memory(&time));
        let (feedback, dispatcher) = builder.build_pair().expect("it builds");
        (feedback, dispatcher, twilio)
    }

    pub(crate) fn with<S: FeedbackStore>(store: impl FnOnce(MemoryStore) -> S) -> Self {
        let (twilio, time) = (Twilio::default(), ManualClock::new(at(1_000)));
        let builder = builder(&twilio, &time).store(store(memory(&time)));
        let (feedback, dispatcher) = builder.build_pair().expect("it builds");
        Self { feedback, dispatcher: spawn(dispatcher), twilio, time }
    }

    /// Records the messages `1..=count`, each under an id of its own.
    pub(crate) fn recorded(self, count: u8) -> Self {
        for n in 1..=count {
            assert_eq!(record(&self.feedback, n), Recorded::Recorded);
        }
        self
    }

    /// Moves the clock until the future is over: whatever waits for a time gets it.
    pub(crate) fn while_time_passes<T>(&self, future: impl Future<Output = T>) -> T {
        let (time, is_over) = (self.time.clone(), Arc::new(AtomicBool::new(false)));
        let seen = is_over.clone();
        let clock = thread::spawn(move || {
            while !seen.load(SeqCst) {
                time.advance(Duration::from_secs(1));
                thread::yield_now();
            }
        });
        let output = block_on(future);
        is_over.store(true, SeqCst);
        clock.join().expect("no panic");
        output
    }

    /// Ends it; what was confirmed is reported then.
    pub(crate) fn shut_down(self) {
        let remaining = block_on(self.feedback.shutdown(Duration::from_secs(1)));
        assert_eq!((remaining.outbox, remaining.deferred), (Some(0), 0));
        block_on(self.dispatcher).expect("it ends");
    }
}

fn memory(time: &ManualClock) -> MemoryStore {
    MemoryStore::builder().clock(time.clock()).build()
}

fn builder(twilio: &Twilio, time: &ManualClock) -> MessageFeedbackBuilder {
    MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
        .correlation_key(*b"a correlation key of enough bytes")
        .transport(twilio.clone())
        .clock(time.clock())
        // Where time passes it does so between any two steps: no lease runs out by that.
        .call_timeout(DAY)
        .wait_for_record(16, DAY)
}

pub(crate) fn id(n: u8) -> String {
    format!("id {n}")
}

pub(crate) fn record(feedback: &MessageFeedback, n: u8) -> Recorded {
    block_on(feedback.record(id(n), SentMessage::new(account(), sid(n))))
}

pub(crate) fn confirm(feedback: &MessageFeedback, n: u8) -> Confirmation {
    block_on(feedback.confirm(id(n)))
}
