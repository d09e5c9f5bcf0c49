use std::{
    future::Future,
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Response, response::Parts};
use http_body::Body;
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

use super::{
    body::{ProvideFeedbackBody, ReadBody, Reading},
    plan::Sent,
};
use crate::{
    feedback::{PendingRecord, Recorded},
    twilio::{ContentEncoding, Receipt, read_receipt},
};

/// Reads the answer to a tracked create for its SID, and has it recorded.
pub(super) struct Receive<R: Body> {
    /// Taken when it is over.
    answer: Option<(Parts, Pin<Box<ReadBody<R>>>)>,
    encoding: ContentEncoding,
    buffered: usize,
    timeout: Option<Pin<Box<Sleep>>>,
    step: Step,
}

enum Step {
    Reading(Box<Sent>),
    Recording(Pin<Box<dyn Future<Output = Recorded> + Send>>),
    Done,
}

/// Whether an answer is to be read.
pub(super) enum Received<R: Body> {
    No(Response<ProvideFeedbackBody<R>>),
    Yes(Receive<R>),
}

/// Looks at the head of an answer; one that cannot name a message is let go.
pub(super) fn receive<R: Body>(response: Response<R>, sent: Box<Sent>) -> Received<R> {
    let Some(sent) = sent.answered(response.status()) else {
        return Received::No(response.map(ProvideFeedbackBody::bare));
    };
    receive_tracked(response, sent)
}

/// The same for a good answer to a tracked create.
pub(super) fn receive_tracked<R: Body>(response: Response<R>, sent: Box<Sent>) -> Received<R> {
    let max = sent.shared().settings.max_receipt_bytes as u64;
    let fits = response.body().size_hint().lower() <= max;
    let encoding = ContentEncoding::of(response.headers()).filter(|_| fits);
    let Some(encoding) = encoding else {
        sent.unreadable();
        return Received::No(response.map(ProvideFeedbackBody::bare));
    };
    let (parts, body) = response.into_parts();
    Received::Yes(Receive {
        answer: Some((parts, Box::pin(ReadBody::new(body)))),
        encoding,
        buffered: 0,
        timeout: None,
        step: Step::Reading(sent),
    })
}

impl<R: Body> Receive<R> {
    /// Must not be polled again once it is ready.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<ProvideFeedbackBody<R>>> {
        if matches!(self.step, Step::Reading(_)) {
            let receipt = ready!(self.poll_receipt(cx));
            if let Step::Reading(sent) = std::mem::replace(&mut self.step, Step::Done) {
                let Some(receipt) = receipt else {
                    sent.unreadable();
                    return Poll::Ready(self.answer());
                };
                if let Some(Err(pending)) = sent.created(receipt).map(PendingRecord::run_at_once) {
                    self.step = Step::Recording(Box::pin(pending.run()));
                }
            }
        }
        if let Step::Recording(record) = &mut self.step {
            // What became of it is counted; the send has succeeded either way.
            let _ = ready!(record.as_mut().poll(cx));
            self.step = Step::Done;
        }
        Poll::Ready(self.answer())
    }

    fn answer(&mut self) -> Response<ProvideFeedbackBody<R>> {
        let (parts, read) = self.answer.take().expect("polled after it was ready");
        Response::from_parts(parts, ProvideFeedbackBody::read(read))
    }

    /// Reads until the end, an error, or a bound.
    fn poll_receipt(&mut self, cx: &mut Context<'_>) -> Poll<Option<Receipt>> {
        let Step::Reading(sent) = &self.step else { return Poll::Ready(None) };
        let settings = &sent.shared().settings;
        let (encoding, max) = (self.encoding, settings.max_receipt_bytes);
        let Some((_, read)) = &mut self.answer else { return Poll::Ready(None) };
        loop {
            match read.as_mut().poll_read(cx) {
                Poll::Ready(Reading::Some(bytes)) => {
                    self.buffered += bytes;
                    if self.buffered > max {
                        return Poll::Ready(None);
                    }
                }
                Poll::Ready(Reading::Over) => return Poll::Ready(receipt_in(read, encoding, max)),
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
    }
}

/// Reads the receipt without consuming what was read.
fn receipt_in<R: Body>(
    body: &ReadBody<R>,
    encoding: ContentEncoding,
    max: usize,
) -> Option<Receipt> {
    let read = |body: &[u8]| read_receipt(&encoding.decode(body, max)?);
    let mut data = body.data();
    let first = data.next()?;
    if data.next().is_none() && first.chunk().len() == first.remaining() {
        return read(first.chunk());
    }
    let mut whole = Vec::new();
    for data in body.data() {
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
