//! A call on its way.

use std::{
    future::Future,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    task::{Context, Poll},
};

use tracing::Span;

use super::{call::CallResult, held::Held, transport::Exchange};

/// The call for an entry. The worker polls it itself, many in one task: a task for each costs
/// a tenth of what the call costs in all.
pub(super) struct InFlight {
    held: Option<Held>,
    exchange: Exchange,
    span: Span,
}

impl InFlight {
    pub(super) fn new(held: Held, exchange: Exchange, span: Span) -> Self {
        Self { held: Some(held), exchange, span }
    }

    /// The entry of a call that has not ended.
    pub(super) fn take(&mut self) -> Option<Held> {
        self.held.take()
    }
}

impl Future for InFlight {
    /// No entry, if it was taken.
    type Output = (Option<Held>, CallResult);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let _entered = this.span.enter();
        // The service is the application's: its panic ends this call and nothing else.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| this.exchange.as_mut().poll(cx)));
        polled.unwrap_or(Poll::Ready(CallResult::Panicked)).map(|result| (this.held.take(), result))
    }
}
