use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    body::ProvideFeedbackBody,
    layer::ProvideFeedbackLayer,
    plan::{Create, Sent},
    read_form::{FormRead, ReadForm},
    receive::{Receive, Received, receive},
};
use crate::Correlate;

pin_project! {
    /// The future of [`ProvideFeedback`](crate::ProvideFeedback).
    ///
    /// Dropped once the SID is known, it leaves the record to the background;
    /// dropped before, the message counts as abandoned.
    pub struct ResponseFuture<S, C, B, R>
    where
        S: Service<Request<B>>,
        R: Body,
    {
        #[pin]
        state: State<S, C, B, R, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, C, B, R, F>
    where
        R: Body,
    {
        Reading { reading: Option<Box<Reading<S, C, B>>> },
        Sending { #[pin] future: F, sent: Option<Box<Sent>> },
        Receiving { receive: Receive<R> },
    }
}

type PolledAnswer<R, E> = Poll<Result<Response<ProvideFeedbackBody<R>>, E>>;

/// A create whose form is not all there yet.
struct Reading<S, C, B> {
    form: ReadForm<B>,
    create: Create,
    /// The service that the caller waited for.
    service: S,
    layer: ProvideFeedbackLayer<C>,
}

impl<S, C, B, R> ResponseFuture<S, C, B, R>
where
    S: Service<Request<B>>,
    R: Body,
{
    #[inline]
    pub(super) fn sending(future: S::Future, sent: Option<Box<Sent>>) -> Self {
        Self { state: State::Sending { future, sent } }
    }

    pub(super) fn reading(
        form: ReadForm<B>,
        create: Create,
        service: S,
        layer: ProvideFeedbackLayer<C>,
    ) -> Self {
        // On the heap, so that it makes no other request's future larger.
        let reading = Some(Box::new(Reading { form, create, service, layer }));
        Self { state: State::Reading { reading } }
    }
}

impl<S, C, B, R> Future for ResponseFuture<S, C, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + From<Bytes> + Unpin,
    R: Body,
    C: Correlate,
{
    type Output = Result<Response<ProvideFeedbackBody<R>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        // Most requests are not tracked, and no more than handed on.
        match state.as_mut().project() {
            StateProj::Sending { future, sent: None } => {
                let answer = future.poll(cx);
                answer.map_ok(|response| response.map(ProvideFeedbackBody::bare))
            }
            _ => state.poll_create(cx),
        }
    }
}

impl<S, C, B, R> State<S, C, B, R, S::Future>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + From<Bytes> + Unpin,
    R: Body,
    C: Correlate,
{
    #[inline(never)]
    fn poll_create(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledAnswer<R, S::Error> {
        loop {
            let next = match self.as_mut().project() {
                StateProj::Reading { reading } => {
                    let now = reading.as_mut().expect("the state changes when it is taken");
                    let read = ready!(now.form.poll(cx));
                    let Reading { create, mut service, layer, .. } =
                        *reading.take().expect("it was there a line ago");
                    let (request, sent) = match read {
                        FormRead::Whole(parts, form) => layer.options.track(create, parts, form),
                        FormRead::Failed(request) => (layer.options.failed(request), None),
                    };
                    State::Sending { future: service.call(request), sent }
                }
                StateProj::Sending { future, sent } => {
                    let response = match ready!(future.poll(cx)) {
                        Ok(response) => response,
                        Err(error) => {
                            if let Some(sent) = sent.take() {
                                sent.failed();
                            }
                            return Poll::Ready(Err(error));
                        }
                    };
                    let Some(sent) = sent.take() else {
                        return Poll::Ready(Ok(response.map(ProvideFeedbackBody::bare)));
                    };
                    match receive(response, sent) {
                        Received::No(response) => return Poll::Ready(Ok(response)),
                        Received::Yes(receive) => State::Receiving { receive },
                    }
                }
                StateProj::Receiving { receive } => return receive.poll(cx).map(Ok),
            };
            self.set(next);
        }
    }
}

impl<S, C, B, R> fmt::Debug for ResponseFuture<S, C, B, R>
where
    S: Service<Request<B>>,
    R: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
