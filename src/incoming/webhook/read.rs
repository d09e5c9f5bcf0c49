use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use pin_project_lite::pin_project;

use super::SignatureError;

pin_project! {
    /// Reads a body of no more than `max` bytes. Trailers are dropped.
    pub(super) struct ReadBody<B> {
        #[pin]
        body: B,
        max: usize,
        first: Bytes,
        all: BytesMut,
    }
}

impl<B> ReadBody<B> {
    pub(super) fn new(body: B, max: usize) -> Self {
        Self { body, max, first: Bytes::new(), all: BytesMut::new() }
    }
}

impl<B: Body> Future for ReadBody<B> {
    type Output = Result<Bytes, SignatureError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // What says that it is too long is not read at all.
        if this.body.size_hint().lower() > *this.max as u64 {
            return Poll::Ready(Err(SignatureError::Body));
        }
        while let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)) {
            let frame = frame.map_err(|_| SignatureError::Body)?;
            let Ok(mut data) = frame.into_data() else { continue };
            let length = data.remaining();
            if length > *this.max - this.first.len().max(this.all.len()) {
                return Poll::Ready(Err(SignatureError::Body));
            }
            // Almost always the whole.
            if this.first.is_empty() {
                *this.first = data.copy_to_bytes(length);
            } else {
                if this.all.is_empty() {
                    this.all.extend_from_slice(this.first);
                }
                this.all.extend_from_slice(&data.copy_to_bytes(length));
            }
        }
        let whole = match this.all.is_empty() {
            true => std::mem::take(this.first),
            false => std::mem::take(this.all).freeze(),
        };
        Poll::Ready(Ok(whole))
    }
}
