use std::{
    fmt,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    future::ConfirmFuture,
    guard::lets_through,
    layer::ConfirmLayer,
    predicate::{GoodAnswer, Predicate},
    source::IdSource,
};
use crate::guard::Evidence;

/// Confirms the message under a request's id once the wrapped service has given
/// a good answer. See [`ConfirmLayer`].
pub struct Confirm<S, Src, P = GoodAnswer> {
    inner: S,
    layer: ConfirmLayer<Src, P>,
}

impl<S, Src, P> Confirm<S, Src, P> {
    /// Wraps `inner` as `layer` does.
    pub fn new(inner: S, layer: ConfirmLayer<Src, P>) -> Self {
        Self { inner, layer }
    }

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

impl<S, Src, P, B, R> Service<Request<B>> for Confirm<S, Src, P>
where
    S: Service<Request<B>, Response = Response<R>>,
    Src: IdSource,
    P: Predicate,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ConfirmFuture<S::Future, Src, P, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let options = &self.layer.options;
        let shared = options.feedback.shared();
        let (mut parts, body) = request.into_parts();
        let id = options.source.find(&mut parts);
        let keys = id
            .and_then(|id| shared.keyring.keys(&id))
            .filter(|_| lets_through(shared, &Evidence::of(&parts.method, &parts.headers)));
        let future = self.inner.call(Request::from_parts(parts, body));
        ConfirmFuture::new(future, keys.map(|keys| (keys, self.layer.options.clone())))
    }
}

impl<S: Clone, Src, P> Clone for Confirm<S, Src, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S: fmt::Debug, Src, P> fmt::Debug for Confirm<S, Src, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirm").field("inner", &self.inner).finish_non_exhaustive()
    }
}
