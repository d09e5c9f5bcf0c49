use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of an answer that passed through
    /// [`ProvideFeedback`](crate::ProvideFeedback).
    ///
    /// It gives the frames, the trailers and the error of the body that it
    /// wraps, in their order.
    pub struct ProvideFeedbackBody<R>
    where
        R: Body,
    {
        #[pin]
        state: BodyState<R>,
    }
}

pin_project! {
    #[project = BodyStateProj]
    enum BodyState<R>
    where
        R: Body,
    {
        /// Nobody has looked at it.
        Bare { #[pin] body: R },
        /// Its beginning, or all of it, was read.
        Read { read: ReadBody<R> },
    }
}

type PolledFrame<R> = Poll<Option<Result<Frame<<R as Body>::Data>, <R as Body>::Error>>>;

/// What was read of a body, and what is left of it.
pub(super) struct ReadBody<R: Body> {
    pub(super) frames: VecDeque<Frame<R::Data>>,
    pub(super) error: Option<R::Error>,
    /// Boxed, because a body that was polled may not move.
    pub(super) rest: Option<Pin<Box<R>>>,
    /// What the body said of its size before it was read.
    pub(super) size_hint: SizeHint,
}

impl<R: Body> ProvideFeedbackBody<R> {
    pub(super) fn bare(body: R) -> Self {
        Self { state: BodyState::Bare { body } }
    }

    pub(super) fn read(read: ReadBody<R>) -> Self {
        Self { state: BodyState::Read { read } }
    }
}

impl<R: Body> ReadBody<R> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> PolledFrame<R> {
        if let Some(frame) = self.frames.pop_front() {
            let len = frame.data_ref().map_or(0, Buf::remaining) as u64;
            self.size_hint = less(&self.size_hint, len);
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut self.rest {
            Some(rest) => rest.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
            && self.error.is_none()
            && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Some(rest) if self.frames.is_empty() && self.error.is_none() => rest.size_hint(),
            _ => self.size_hint,
        }
    }
}

fn less(hint: &SizeHint, len: u64) -> SizeHint {
    let mut less = SizeHint::new();
    less.set_lower(hint.lower().saturating_sub(len));
    if let Some(upper) = hint.upper() {
        less.set_upper(upper.saturating_sub(len));
    }
    less
}

impl<R: Body> Body for ProvideFeedbackBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().state.project() {
            BodyStateProj::Bare { body } => body.poll_frame(cx),
            BodyStateProj::Read { read } => read.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            BodyState::Bare { body } => body.is_end_stream(),
            BodyState::Read { read } => read.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            BodyState::Bare { body } => body.size_hint(),
            BodyState::Read { read } => read.size_hint(),
        }
    }
}

impl<R: Body> Default for ProvideFeedbackBody<R> {
    /// A body without frames.
    fn default() -> Self {
        Self::read(ReadBody {
            frames: VecDeque::new(),
            error: None,
            rest: None,
            size_hint: SizeHint::with_exact(0),
        })
    }
}

impl<R: Body> fmt::Debug for ProvideFeedbackBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvideFeedbackBody").finish_non_exhaustive()
    }
}
