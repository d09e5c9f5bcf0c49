use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of what the simulator answers.
///
/// It fails only where an [`Answer`](super::Answer) says so: with
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) in a truncated answer, with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset) in a reset.
#[derive(Debug)]
pub struct SimulatorBody {
    // `Debug` of the data would show a message's text.
    next: Next,
    /// What is said to come, and has not come yet.
    length: u64,
}

enum Next {
    Whole(Bytes),
    /// This, and then the body breaks off.
    Part(Bytes),
    /// The server writes what it has before it learns of the break.
    Flush,
    Break(io::ErrorKind),
    End,
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Part(_) => "Part",
            Self::Flush => "Flush",
            Self::Break(_) => "Break",
            Self::End => "End",
        })
    }
}

impl SimulatorBody {
    pub(super) fn whole(data: Bytes) -> Self {
        let length = data.len() as u64;
        Self { next: if data.is_empty() { Next::End } else { Next::Whole(data) }, length }
    }

    /// The first half of `data`, where all of it was announced.
    pub(super) fn truncated(data: &Bytes) -> Self {
        // Of an empty body, too, something has to be missing.
        let length = data.len().max(1) as u64;
        Self { next: Next::Part(data.slice(..data.len() / 2)), length }
    }

    /// Fails before its first byte: a server closes the connection before it
    /// has written the head.
    pub(super) fn reset() -> Self {
        Self { next: Next::Break(io::ErrorKind::ConnectionReset), length: 1 }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl Body for SimulatorBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut self.next, Next::End) {
            Next::Whole(data) => {
                self.length = 0;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Next::Part(data) => {
                self.length = self.length.saturating_sub(data.len() as u64);
                self.next = Next::Flush;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Next::Flush => {
                self.next = Next::Break(io::ErrorKind::UnexpectedEof);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Next::Break(kind) => {
                self.length = 0;
                Poll::Ready(Some(Err(io::Error::new(kind, "the simulator breaks off here"))))
            }
            Next::End => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::End)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
