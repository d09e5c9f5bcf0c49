use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{SignatureError, VerifyTwilioSignatureLayer, called_uri, read::ReadBody};

/// Lets only those requests through that Twilio signed. See
/// [`VerifyTwilioSignatureLayer`].
#[derive(Clone)]
pub struct VerifyTwilioSignature<S> {
    inner: S,
    layer: VerifyTwilioSignatureLayer,
}

impl<S> VerifyTwilioSignature<S> {
    /// Wraps `inner` as `layer` does.
    pub fn new(inner: S, layer: VerifyTwilioSignatureLayer) -> Self {
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

impl<S, B, R> Service<Request<B>> for VerifyTwilioSignature<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    B: Body + From<Bytes>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = VerifyTwilioSignatureFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let max = self.layer.max_body_bytes;
        let head = self.layer.verifier.check_head(&parts.headers);
        let state = match head {
            Err(error) => State::Refused { error },
            Ok(()) => {
                // The one that said it was ready is the one to call.
                let clone = self.inner.clone();
                let reading = Reading {
                    inner: std::mem::replace(&mut self.inner, clone),
                    layer: self.layer.clone(),
                    parts,
                };
                State::Reading { reading: Some(reading), body: ReadBody::new(body, max) }
            }
        };
        VerifyTwilioSignatureFuture { state }
    }
}

impl<S: fmt::Debug> fmt::Debug for VerifyTwilioSignature<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyTwilioSignature").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`VerifyTwilioSignature`].
    pub struct VerifyTwilioSignatureFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

struct Reading<S> {
    inner: S,
    layer: VerifyTwilioSignatureLayer,
    parts: Parts,
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F> {
        Reading { reading: Option<Reading<S>>, #[pin] body: ReadBody<B> },
        Calling { #[pin] future: F },
        Refused { error: SignatureError },
    }
}

impl<S, B, R> Future for VerifyTwilioSignatureFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + From<Bytes>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Calling { future } => return future.poll(cx),
                StateProj::Refused { error } => {
                    super::tell(*error);
                    let mut response = Response::new(R::default());
                    *response.status_mut() = error.status();
                    return Poll::Ready(Ok(response));
                }
                StateProj::Reading { reading, body } => {
                    let read = ready!(body.poll(cx));
                    let Reading { mut inner, layer, parts } =
                        reading.take().expect("a state is left once");
                    let verified = read.and_then(|body| {
                        let uri = called_uri(&parts);
                        layer.verifier.check(&parts.method, uri, &parts.headers, &body)?;
                        Ok(body)
                    });
                    match verified {
                        Ok(body) => {
                            let request = Request::from_parts(parts, body.into());
                            State::Calling { future: inner.call(request) }
                        }
                        Err(error) => State::Refused { error },
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for VerifyTwilioSignatureFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyTwilioSignatureFuture").finish_non_exhaustive()
    }
}
