use std::{
    collections::VecDeque,
    future::Future,
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Response, response::Parts};
use http_body::{Body, Frame};
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

use super::{
    body::{ProvideFeedbackBody, ReadBody},
    plan::{Sent, Track},
};
use crate::{
    feedback::Recorded,
    twilio::{ContentEncoding, Receipt, read_receipt},
};

/// Reads the answer to a tracked create for its SID, and has it recorded.
pub(super) struct Receive<R: Body> {
    /// Taken when it is over.
    answer: Option<(Parts, ReadBody<R>)>,
    encoding: ContentEncoding,
    buffered: usize,
    timeout: Option<Pin<Box<Sleep>>>,
    step: Step,
}

enum Step {
    Reading(Track),
    Recording(Pin<Box<dyn Future<Output = Recorded> + Send>>),
    Done,
}

/// Whether an answer is to be read.
pub(super) enum Received<R: Body> {
    No(Response<ProvideFeedbackBody<R>>),
    Yes(Receive<R>),
}

/// Looks at the head of an answer; one that cannot name a message is let go.
pub(super) fn receive<R: Body>(response: Response<R>, sent: Option<Sent>) -> Received<R> {
    let Some(track) = sent.and_then(|sent| sent.answered(response.status())) else {
        return Received::No(response.map(ProvideFeedbackBody::bare));
    };
    receive_tracked(response, track)
}

/// The same for a good answer to a tracked create.
pub(super) fn receive_tracked<R: Body>(response: Response<R>, track: Track) -> Received<R> {
    let size_hint = response.body().size_hint();
    let max = track.shared().settings.max_receipt_bytes as u64;
    let encoding = ContentEncoding::of(response.headers()).filter(|_| size_hint.lower() <= max);
    let Some(encoding) = encoding else {
        track.unreadable();
        return Received::No(response.map(ProvideFeedbackBody::bare));
    };
    let (parts, body) = response.into_parts();
    let read =
        ReadBody { frames: VecDeque::new(), error: None, rest: Some(Box::pin(body)), size_hint };
    Received::Yes(Receive {
        answer: Some((parts, read)),
        encoding,
        buffered: 0,
        timeout: None,
        step: Step::Reading(track),
    })
}

impl<R: Body> Receive<R> {
    /// Must not be polled again once it is ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<ProvideFeedbackBody<R>>> {
        if matches!(self.step, Step::Reading(_)) {
            let receipt = ready!(self.poll_receipt(cx));
            if let Step::Reading(track) = std::mem::replace(&mut self.step, Step::Done) {
                match receipt {
                    Some(receipt) => {
                        self.step = Step::Recording(Box::pin(track.created(receipt).run()));
                    }
                    None => track.unreadable(),
                }
            }
        }
        if let Step::Recording(record) = &mut self.step {
            // What became of it is counted; the send has succeeded either way.
            let _ = ready!(record.as_mut().poll(cx));
            self.step = Step::Done;
        }
        let (parts, read) = self.answer.take().expect("polled after it was ready");
        Poll::Ready(Response::from_parts(parts, ProvideFeedbackBody::read(read)))
    }

    /// Reads until the end, an error, or a bound.
    fn poll_receipt(&mut self, cx: &mut Context<'_>) -> Poll<Option<Receipt>> {
        let Step::Reading(track) = &self.step else { return Poll::Ready(None) };
        let settings = &track.shared().settings;
        let (encoding, max) = (self.encoding, settings.max_receipt_bytes);
        let receipt_in = |frames: &VecDeque<_>| receipt_in(frames, encoding, max);
        let Some((_, read)) = &mut self.answer else { return Poll::Ready(None) };
        while let Some(rest) = &mut read.rest {
            match rest.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.buffered += frame.data_ref().map_or(0, Buf::remaining);
                    read.frames.push_back(frame);
                    if self.buffered > max {
                        return Poll::Ready(None);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    read.error = Some(error);
                    // A body is not asked again after an error by those who
                    // read it; it stays for those who do.
                    return Poll::Ready(receipt_in(&read.frames));
                }
                Poll::Ready(None) => {
                    read.rest = None;
                    break;
                }
                Poll::Pending => {
                    if self.timeout.is_none() && Handle::try_current().is_ok() {
                        self.timeout = Some(Box::pin(sleep(settings.receipt_timeout)));
                    }
                    if let Some(timeout) = &mut self.timeout {
                        ready!(timeout.as_mut().poll(cx));
                        return Poll::Ready(None);
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(receipt_in(&read.frames))
    }
}

/// Reads the receipt without consuming the frames.
fn receipt_in<D: Buf>(
    frames: &VecDeque<Frame<D>>,
    encoding: ContentEncoding,
    max: usize,
) -> Option<Receipt> {
    let read = |body: &[u8]| read_receipt(&encoding.decode(body, max)?);
    let mut data = frames.iter().filter_map(Frame::data_ref).filter(|data| data.has_remaining());
    let first = data.next()?;
    if data.next().is_none() && first.chunk().len() == first.remaining() {
        return read(first.chunk());
    }
    let mut whole = Vec::new();
    for data in frames.iter().filter_map(Frame::data_ref) {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = data.chunks_vectored(&mut slices);
        let before = whole.len();
        slices[..filled].iter().for_each(|slice| whole.extend_from_slice(slice));
        if whole.len() - before != data.remaining() {
            return None;
        }
    }
    read(&whole)
}
