use std::{
    fmt, mem,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{
    body::ProvideFeedbackBody,
    future::ResponseFuture,
    layer::ProvideFeedbackLayer,
    plan::id_in,
    read_form::{FormRead, ReadForm},
};
use crate::{
    Correlate,
    twilio::{CreatePath, match_create},
};

/// Tags the sends that an action can confirm, and remembers their SIDs.
///
/// A service over `http::Request` and, with the feature `reqwest`, over
/// `reqwest::Request`: around `reqwest::Client` itself. The
/// [module](crate::outgoing) says what it does.
pub struct ProvideFeedback<S, C = ()> {
    pub(super) inner: S,
    pub(super) layer: ProvideFeedbackLayer<C>,
}

impl<S, C> ProvideFeedback<S, C> {
    /// Wraps `inner` as `layer` does.
    pub fn new(inner: S, layer: ProvideFeedbackLayer<C>) -> Self {
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

impl<S, C, B, R> Service<Request<B>> for ProvideFeedback<S, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    B: Body + From<Bytes> + Unpin,
    R: Body,
    C: Correlate,
{
    type Response = Response<ProvideFeedbackBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Most requests are none: they are let go before anything is touched.
        match match_create(request.method(), request.uri().path()) {
            None => ResponseFuture::sending(self.inner.call(request), None),
            Some(path) => self.call_create(request, &path),
        }
    }
}

impl<S, C> ProvideFeedback<S, C> {
    fn call_create<B, R>(
        &mut self,
        request: Request<B>,
        path: &CreatePath,
    ) -> ResponseFuture<S, C, B, R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        B: Body + From<Bytes> + Unpin,
        R: Body,
        C: Correlate,
    {
        let (mut parts, body) = request.into_parts();
        let Parts { uri, headers, extensions, .. } = &mut parts;
        let size = body.size_hint().exact();
        let create = self.layer.options.create_of(path, uri, headers, id_in(extensions), size);
        let request = Request::from_parts(parts, body);
        let Some(create) = create else {
            return ResponseFuture::sending(self.inner.call(request), None);
        };
        let mut form = ReadForm::new(request);
        // A body in memory is there at once: then no clone is called, and the
        // readiness that the caller waited for is not lost.
        match form.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => {
                let (request, sent) = match read {
                    FormRead::Whole(parts, bytes) => self.layer.options.track(create, parts, bytes),
                    FormRead::Failed(request) => (self.layer.options.failed(request), None),
                };
                ResponseFuture::sending(self.inner.call(request), sent)
            }
            Poll::Pending => {
                let unready = self.inner.clone();
                let ready = mem::replace(&mut self.inner, unready);
                ResponseFuture::reading(form, create, ready, self.layer.clone())
            }
        }
    }
}

impl<S: Clone, C> Clone for ProvideFeedback<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for ProvideFeedback<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvideFeedback")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}
