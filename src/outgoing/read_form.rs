use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{Request, request::Parts};
use http_body::Body;

/// Reads the form of a create, whose exact size is known.
pub(super) struct ReadForm<B> {
    request: Option<Request<B>>,
    size: u64,
    /// The first frame: almost always the whole.
    first: Bytes,
    rest: Vec<u8>,
}

pub(super) enum FormRead<B> {
    Whole(Parts, Bytes),
    /// It failed, or ended before or after its size.
    Failed(FailedForm<B>),
}

/// A create whose body is not the form that it said it was.
pub(super) struct FailedForm<B> {
    /// With what is left of the body.
    pub(super) request: Request<B>,
    /// What the body said of its size.
    pub(super) size: u64,
    /// Whether the body may not be asked for more.
    pub(super) over: bool,
}

impl<B: Body + Unpin> ReadForm<B> {
    pub(super) fn new(request: Request<B>) -> Self {
        let size = request.body().size_hint().exact().unwrap_or(0);
        Self { request: Some(request), size, first: Bytes::new(), rest: Vec::new() }
    }

    /// Must not be polled again once it is ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<FormRead<B>> {
        loop {
            let body = self.request.as_mut().expect("polled after it was ready").body_mut();
            let end = match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.push(data);
                    }
                    // One that says too little is not read without a bound.
                    self.len() > self.size
                }
                Some(Err(_)) => return Poll::Ready(self.fail(false)),
                None => true,
            };
            let body = self.request.as_ref().expect("polled after it was ready").body();
            if end || body.is_end_stream() {
                break;
            }
        }
        if self.len() != self.size {
            return Poll::Ready(self.fail(true));
        }
        let form = if self.rest.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            [&self.first[..], &self.rest].concat().into()
        };
        let (parts, _) = self.request.take().expect("polled after it was ready").into_parts();
        Poll::Ready(FormRead::Whole(parts, form))
    }

    fn len(&self) -> u64 {
        (self.first.len() + self.rest.len()) as u64
    }

    fn push(&mut self, mut data: B::Data) {
        if self.first.is_empty() {
            self.first = data.copy_to_bytes(data.remaining());
        } else {
            self.rest.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }

    fn fail(&mut self, over: bool) -> FormRead<B> {
        let request = self.request.take().expect("polled after it was ready");
        let over = over || request.body().is_end_stream();
        FormRead::Failed(FailedForm { request, size: self.size, over })
    }
}
