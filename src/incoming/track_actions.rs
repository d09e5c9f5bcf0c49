use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    context::TrackingContext,
    future::Settling,
    predicate::{GoodAnswer, Predicate},
};
use crate::{MessageFeedback, guard::Evidence};

/// Lets the extractors [`Tracked`](crate::Tracked) and
/// [`Confirmed`](crate::Confirmed), and the handle as an extractor, work on the
/// routes below it.
///
/// Made by [`MessageFeedback::layer`]. It goes on a `Router` or on a route, and
/// changes neither body nor error.
#[must_use]
pub struct TrackActionsLayer<P = GoodAnswer> {
    feedback: MessageFeedback,
    predicate: Arc<P>,
}

impl MessageFeedback {
    /// The layer that the extractors need: `.layer(feedback.layer())` on the
    /// router.
    pub fn layer(&self) -> TrackActionsLayer {
        TrackActionsLayer { feedback: self.clone(), predicate: Arc::new(GoodAnswer) }
    }
}

impl<P> TrackActionsLayer<P> {
    /// Which answers settle what [`Confirmed`](crate::Confirmed) marked, instead
    /// of those with 2xx and 3xx.
    pub fn when<Q>(self, predicate: Q) -> TrackActionsLayer<Q> {
        TrackActionsLayer { feedback: self.feedback, predicate: Arc::new(predicate) }
    }
}

impl<S, P> Layer<S> for TrackActionsLayer<P> {
    type Service = TrackActions<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        TrackActions { inner, layer: self.clone() }
    }
}

impl<P> Clone for TrackActionsLayer<P> {
    fn clone(&self) -> Self {
        Self { feedback: self.feedback.clone(), predicate: self.predicate.clone() }
    }
}

impl<P> fmt::Debug for TrackActionsLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackActionsLayer").finish_non_exhaustive()
    }
}

/// The service of [`TrackActionsLayer`].
pub struct TrackActions<S, P = GoodAnswer> {
    inner: S,
    layer: TrackActionsLayer<P>,
}

impl<S, P> TrackActions<S, P> {
    /// The wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service, unwrapped.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, B, R> Service<Request<B>> for TrackActions<S, P>
where
    S: Service<Request<B>, Response = Response<R>>,
    P: Predicate,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = TrackActionsFuture<S::Future, P, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let evidence = Evidence::of(request.method(), request.headers());
        let context = TrackingContext::new(self.layer.feedback.clone(), evidence);
        request.extensions_mut().insert(context.clone());
        TrackActionsFuture {
            future: self.inner.call(request),
            context,
            predicate: self.layer.predicate.clone(),
            settling: None,
        }
    }
}

impl<S: Clone, P> Clone for TrackActions<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S: fmt::Debug, P> fmt::Debug for TrackActions<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackActions").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`TrackActions`].
    ///
    /// Dropped before the route has answered, it confirms nothing of what a
    /// [`Confirmed`](crate::Confirmed) marked; dropped once a confirm has begun, it does not
    /// undo it.
    pub struct TrackActionsFuture<F, P, R> {
        #[pin]
        future: F,
        context: TrackingContext,
        predicate: Arc<P>,
        settling: Option<Settling<R>>,
    }
}

impl<F, P, R, E> Future for TrackActionsFuture<F, P, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    P: Predicate,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.settling.is_none() {
            let response = ready!(this.future.poll(cx))?;
            let intended = this.context.take_intended();
            if intended.is_empty() || !this.predicate.confirms(&response) {
                return Poll::Ready(Ok(response));
            }
            *this.settling = Some(Settling::new(response, this.context.feedback(), intended));
        }
        let settling = this.settling.as_mut().expect("it was set above");
        settling.poll(cx).map(Ok)
    }
}

impl<F, P, R> fmt::Debug for TrackActionsFuture<F, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackActionsFuture").finish_non_exhaustive()
    }
}
