use std::{collections::VecDeque, fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};

/// What the simulator answers instead of, or on top of, its normal answer.
///
/// Queue one with [`Simulator::answer_create`] or
/// [`Simulator::answer_feedback`]. It is given once, unless
/// [`times`](Self::times) or [`always`](Self::always) says otherwise.
///
/// ```
/// use std::time::Duration;
/// use tower_message_feedback::simulator::{Answer, Simulator};
///
/// let twilio = Simulator::new();
/// // Two throttled calls, then one that is slow, then as usual.
/// twilio.answer_feedback(Answer::status(429).with_header("Retry-After", "2").times(2));
/// twilio.answer_feedback(Answer::normal().after(Duration::from_secs(3)));
/// ```
///
/// [`Simulator::answer_create`]: super::Simulator::answer_create
/// [`Simulator::answer_feedback`]: super::Simulator::answer_feedback
#[derive(Clone)]
#[must_use = "an answer does nothing until it is queued"]
pub struct Answer {
    plan: Plan,
    body: Option<Bytes>,
    headers: HeaderMap,
    delay: Duration,
    count: Count,
}

/// What becomes of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Normal,
    Status(StatusCode),
    ProcessedThen(StatusCode),
    ProcessedTwice,
    Truncated,
    Reset,
    Hang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Times(u32),
    Always,
}

impl Answer {
    /// The normal answer: the request is validated and processed.
    pub fn normal() -> Self {
        Self::new(Plan::Normal)
    }

    /// The request is not processed, not even authenticated, and is answered
    /// with `status`.
    ///
    /// From 400 on, the body is Twilio's error body, with Twilio's usual code:
    /// 90001 for 400, 20003 for 401, 20008 for 403, 20404 for 404, 20004 for
    /// 405, 20429 for 429, 20500 for 500, 20503 for 503; for any other status
    /// it has no code. Below 400 the body is empty.
    ///
    /// # Panics
    ///
    /// If `status` is not within 200 to 599.
    #[track_caller]
    pub fn status(status: u16) -> Self {
        Self::new(Plan::Status(final_status(status)))
    }

    /// The request is processed as usual, and answered with `status` whatever
    /// came of it: the work was done, and the caller cannot know.
    ///
    /// From 400 on, the body is the one of [`Answer::status`]; below, it is the
    /// normal one.
    ///
    /// # Panics
    ///
    /// If `status` is not within 200 to 599.
    #[track_caller]
    pub fn processed_then(status: u16) -> Self {
        Self::new(Plan::ProcessedThen(final_status(status)))
    }

    /// No answer, ever, and nothing is processed: the connection stays open
    /// until the caller closes it, or the server is dropped.
    pub fn hang() -> Self {
        Self::new(Plan::Hang)
    }

    /// The connection is closed without an answer, and nothing is processed.
    ///
    /// Without a socket there is no connection: the [service] then answers 502
    /// with a body that fails at once, so that a caller who never looks at the
    /// body does not take it for a success.
    ///
    /// [service]: super::Simulator::service
    pub fn reset() -> Self {
        Self::new(Plan::Reset)
    }

    /// The request is processed, and the answer breaks off half way through its
    /// body: `Content-Length` says more than comes, then the connection is
    /// closed.
    pub fn truncated() -> Self {
        Self::new(Plan::Truncated)
    }

    /// The request is processed twice, as if something on the way had repeated
    /// it, and the second answer is given: a create makes two messages, and the
    /// caller learns the SID of the second one; a confirmation is counted twice.
    ///
    /// [`received`](super::Simulator::received) lists it once.
    pub fn processed_twice() -> Self {
        Self::new(Plan::ProcessedTwice)
    }

    /// Replaces the body. The `Content-Type` stays what it was: see
    /// [`with_header`](Self::with_header).
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Adds a header, for example `Retry-After`. It replaces the simulator's own
    /// header of that name.
    ///
    /// # Panics
    ///
    /// If `name` or `value` cannot stand in an HTTP header.
    #[track_caller]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        else {
            panic!("not an HTTP header");
        };
        self.headers.append(name, value);
        self
    }

    /// Adds `Retry-After` in seconds, rounded up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_message_feedback::simulator::{Answer, Simulator};
    ///
    /// let twilio = Simulator::new();
    /// twilio.answer_feedback(Answer::status(429).retry_after(Duration::from_secs(2)));
    /// ```
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.headers.insert(RETRY_AFTER, seconds.into());
        self
    }

    /// Answers only after `delay`: on Tokio's timer, or on the clock of
    /// [`Simulator::with_clock`]. What is processed is processed on arrival,
    /// even if the caller does not wait for the answer.
    ///
    /// [`Simulator::with_clock`]: super::Simulator::with_clock
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Gives the answer to `count` requests in a row; 0 means to none.
    pub fn times(mut self, count: u32) -> Self {
        self.count = Count::Times(count);
        self
    }

    /// Gives the answer to every request, until another answer is queued.
    pub fn always(mut self) -> Self {
        self.count = Count::Always;
        self
    }

    fn new(plan: Plan) -> Self {
        Self {
            plan,
            body: None,
            headers: HeaderMap::new(),
            delay: Duration::ZERO,
            count: Count::Times(1),
        }
    }

    pub(super) fn plan(&self) -> Plan {
        self.plan
    }

    pub(super) fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("plan", &self.plan)
            .field("delay", &self.delay)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn final_status(status: u16) -> StatusCode {
    match StatusCode::from_u16(status) {
        Ok(code) if (200..=599).contains(&status) => code,
        _ => panic!("a final HTTP status is within 200 to 599"),
    }
}

/// The answers that are queued for one kind of request.
#[derive(Debug, Default)]
pub(super) struct Script(VecDeque<Answer>);

impl Script {
    pub(super) fn push(&mut self, answer: Answer) {
        if self.0.back().is_some_and(|last| last.count == Count::Always) {
            self.0.pop_back();
        }
        if answer.count != Count::Times(0) {
            self.0.push_back(answer);
        }
    }

    pub(super) fn next(&mut self) -> Option<Answer> {
        let first = self.0.front_mut()?;
        match &mut first.count {
            Count::Always => Some(first.clone()),
            Count::Times(left) if *left > 1 => {
                *left -= 1;
                Some(first.clone())
            }
            Count::Times(_) => self.0.pop_front(),
        }
    }
}
