use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
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
        Read { read: Pin<Box<ReadBody<R>>> },
        Empty,
    }
}

type PolledFrame<R> = Poll<Option<Result<Frame<<R as Body>::Data>, <R as Body>::Error>>>;

pin_project! {
    /// What was read of a body, and what is left of it. It lies on the heap: a body that
    /// was polled may not move.
    pub(super) struct ReadBody<R>
    where
        R: Body,
    {
        #[pin]
        rest: Option<R>,
        frames: Frames<R::Data>,
        error: Option<R::Error>,
        // What the body said of its size before it was read.
        size_hint: SizeHint,
    }
}

impl<R: Body> ProvideFeedbackBody<R> {
    pub(super) fn bare(body: R) -> Self {
        Self { state: BodyState::Bare { body } }
    }

    pub(super) fn read(read: Pin<Box<ReadBody<R>>>) -> Self {
        Self { state: BodyState::Read { read } }
    }
}

/// How far a body was read.
pub(super) enum Reading {
    /// This many bytes more.
    Some(usize),
    /// To its end, or to an error: it is not asked again.
    Over,
}

impl<R: Body> ReadBody<R> {
    pub(super) fn new(body: R) -> Self {
        let size_hint = body.size_hint();
        Self { rest: Some(body), frames: Frames::default(), error: None, size_hint }
    }

    /// Reads one frame, which is kept.
    pub(super) fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reading> {
        let mut this = self.project();
        let Some(rest) = this.rest.as_mut().as_pin_mut() else { return Poll::Ready(Reading::Over) };
        Poll::Ready(match ready!(rest.poll_frame(cx)) {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Buf::remaining);
                this.frames.push(frame);
                Reading::Some(length)
            }
            Some(Err(error)) => {
                // Who reads it does not ask it again after an error; it stays for those
                // who do.
                *this.error = Some(error);
                Reading::Over
            }
            None => {
                this.rest.set(None);
                Reading::Over
            }
        })
    }

    /// The data that were read and are not given out yet.
    pub(super) fn data(&self) -> impl Iterator<Item = &R::Data> + Clone {
        let frames = self.frames.first.iter().chain(&self.frames.rest);
        frames.filter_map(Frame::data_ref).filter(|data| data.has_remaining())
    }

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame<R> {
        let this = self.project();
        if let Some(frame) = this.frames.pop() {
            let len = frame.data_ref().map_or(0, Buf::remaining) as u64;
            *this.size_hint = less(this.size_hint, len);
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.rest.as_pin_mut() {
            Some(rest) => rest.poll_frame(cx),
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

/// Frames in their order. Nearly every answer is one frame, which costs no allocation.
struct Frames<D> {
    first: Option<Frame<D>>,
    rest: VecDeque<Frame<D>>,
}

impl<D> Default for Frames<D> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<D> Frames<D> {
    fn push(&mut self, frame: Frame<D>) {
        if self.is_empty() {
            self.first = Some(frame);
        } else {
            self.rest.push_back(frame);
        }
    }

    fn pop(&mut self) -> Option<Frame<D>> {
        self.first.take().or_else(|| self.rest.pop_front())
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
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
            BodyStateProj::Read { read } => read.as_mut().poll_frame(cx),
            BodyStateProj::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            BodyState::Bare { body } => body.is_end_stream(),
            BodyState::Read { read } => read.is_end_stream(),
            BodyState::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            BodyState::Bare { body } => body.size_hint(),
            BodyState::Read { read } => read.size_hint(),
            BodyState::Empty => SizeHint::with_exact(0),
        }
    }
}

impl<R: Body> Default for ProvideFeedbackBody<R> {
    /// A body without frames.
    fn default() -> Self {
        Self { state: BodyState::Empty }
    }
}

impl<R: Body> fmt::Debug for ProvideFeedbackBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvideFeedbackBody").finish_non_exhaustive()
    }
}
