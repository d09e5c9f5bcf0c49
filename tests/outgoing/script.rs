//! A body that does what a script says.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Fail(u32),
    /// Pending once.
    Yield,
    /// Pending for this long.
    Stall(Duration),
}

/// What [`Step::Fail`] fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) u32);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted failure {}", self.0)
    }
}

impl std::error::Error for Failed {}

#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    /// What it says of its size; after a failure it no longer knows.
    size: Option<u64>,
    /// Whether `is_end_stream` tells that all steps are done.
    tells_end: bool,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Script {
    /// A body that says nothing of its size or its end.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// A body that says it has `size` bytes.
    pub(crate) fn sized(size: usize, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { size: Some(size as u64), ..Self::new(steps) }
    }

    pub(crate) fn telling_end(mut self) -> Self {
        self.tells_end = true;
        self
    }
}

pub(crate) fn data(text: &str) -> Step {
    Step::Data(Bytes::copy_from_slice(text.as_bytes()))
}

/// `text` in `parts` frames.
pub(crate) fn split(text: &str, parts: usize) -> Vec<Step> {
    text.as_bytes()
        .chunks(text.len().div_ceil(parts))
        .map(|part| Step::Data(Bytes::copy_from_slice(part)))
        .collect()
}

impl From<Bytes> for Script {
    fn from(bytes: Bytes) -> Self {
        Self::sized(bytes.len(), [Step::Data(bytes)]).telling_end()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        if let Some(stall) = &mut self.stall {
            std::task::ready!(stall.as_mut().poll(cx));
            self.stall = None;
        }
        match self.steps.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(data)) => {
                self.size = self.size.map(|left| left.saturating_sub(data.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Step::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Step::Fail(code)) => {
                self.size = None;
                Poll::Ready(Some(Err(Failed(code))))
            }
            Some(Step::Yield) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Stall(time)) => {
                self.stall = Some(Box::pin(sleep(time)));
                self.poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.steps.is_empty() && self.stall.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.size.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// A frame as a test compares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(u32),
}

/// Every frame of `body`, and its error.
pub(crate) async fn frames<R: Body<Data = Bytes, Error = Failed>>(body: R) -> Vec<Seen> {
    use http_body_util::BodyExt;

    let mut body = std::pin::pin!(body);
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => seen.push(Seen::Data(data)),
            Ok(Err(other)) => seen.push(Seen::Trailers(other.into_trailers().expect("trailers"))),
            Err(Failed(code)) => {
                seen.push(Seen::Error(code));
                break;
            }
        }
    }
    seen
}
