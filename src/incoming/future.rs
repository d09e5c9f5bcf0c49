use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::{layer::Options, predicate::Predicate};
use crate::{CorrelationKeys, MessageFeedback, feedback::PendingConfirms};

/// Confirms that have begun, and cannot be undone by dropping this.
pub(super) type Confirming = Pin<Box<dyn Future<Output = ()> + Send>>;

pin_project! {
    /// The future of [`Confirm`](crate::incoming::Confirm).
    ///
    /// Dropped before the route has answered, it confirms nothing; dropped once the confirm
    /// has begun, it does not undo it.
    pub struct ConfirmFuture<F, Src, P, R> {
        #[pin]
        future: F,
        armed: Option<(CorrelationKeys, Arc<Options<Src, P>>)>,
        settling: Option<Settling<R>>,
    }
}

/// An answer that waits for its confirms to reach the store.
pub(super) struct Settling<R> {
    response: Option<Response<R>>,
    /// Nothing if they were there at once.
    confirming: Option<Confirming>,
}

impl<R> Settling<R> {
    pub(super) fn new(
        response: Response<R>,
        feedback: &MessageFeedback,
        keys: impl IntoIterator<Item = CorrelationKeys>,
    ) -> Self {
        let shared = feedback.shared();
        let targets = keys.into_iter().map(|keys| shared.by_id(keys));
        // The route answers alike, whatever became of them; it is counted.
        let rest: Vec<_> =
            targets.filter(|target| shared.confirm_at_once(target).is_none()).collect();
        let confirming = (!rest.is_empty()).then(|| {
            let pending = PendingConfirms::new(shared.clone(), rest);
            Box::pin(async move {
                pending.run().await;
            }) as Confirming
        });
        Self { response: Some(response), confirming }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<R>> {
        if let Some(confirming) = &mut self.confirming {
            ready!(confirming.as_mut().poll(cx));
        }
        Poll::Ready(self.response.take().expect("polled after it was ready"))
    }
}

impl<F, Src, P, R> ConfirmFuture<F, Src, P, R> {
    pub(super) fn new(future: F, armed: Option<(CorrelationKeys, Arc<Options<Src, P>>)>) -> Self {
        Self { future, armed, settling: None }
    }
}

impl<F, Src, P, R, E> Future for ConfirmFuture<F, Src, P, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    P: Predicate,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.settling.is_none() {
            let response = ready!(this.future.poll(cx))?;
            match this.armed.take() {
                Some((keys, options)) if options.predicate.confirms(&response) => {
                    *this.settling = Some(Settling::new(response, &options.feedback, [keys]));
                }
                _ => return Poll::Ready(Ok(response)),
            }
        }
        let settling = this.settling.as_mut().expect("it was set above");
        settling.poll(cx).map(Ok)
    }
}

impl<F, Src, P, R> fmt::Debug for ConfirmFuture<F, Src, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfirmFuture").finish_non_exhaustive()
    }
}
