//! The same around `reqwest::Client`.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, Response, Uri};
use reqwest::{Body, Request, ResponseBuilderExt};
use tower_service::Service;

use super::{
    layer::ProvideFeedbackLayer,
    plan::{Sent, id_in},
    receive::{Received, receive_tracked},
    service::ProvideFeedback,
};
use crate::{Correlate, CorrelationId, twilio::match_create};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S, C> Service<Request> for ProvideFeedback<S, C>
where
    S: Service<Request, Response = reqwest::Response>,
    S::Future: Send + 'static,
    S::Error: 'static,
    C: Correlate,
{
    type Response = reqwest::Response;
    type Error = S::Error;
    type Future = BoxFuture<Result<reqwest::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let sent = self.layer.track_reqwest(&mut request, None);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = match answer.await {
                Ok(response) => response,
                Err(error) => {
                    if let Some(sent) = sent {
                        sent.failed();
                    }
                    return Err(error);
                }
            };
            Ok(received(response, sent).await)
        })
    }
}

impl<C: Correlate> ProvideFeedbackLayer<C> {
    /// Tags `request` in place: what reqwest keeps in it beside HTTP's own
    /// parts, such as its timeout, stays. An id in `extensions` goes before one in
    /// the request's own.
    pub(super) fn track_reqwest(
        &self,
        request: &mut Request,
        extensions: Option<&Extensions>,
    ) -> Option<Box<Sent>> {
        let options = &self.options;
        // Most requests are none: they are let go before anything is copied.
        let path = match_create(request.method(), request.url().path())?;
        let uri: Uri = request.url().as_str().parse().ok()?;
        let in_extensions = extensions.and_then(id_in).or_else(|| id_in_extensions(request));
        // A stream shows no bytes, and so no size.
        let size = request.body().and_then(Body::as_bytes).map(|form| form.len() as u64);
        let create = options.create_of(&path, &uri, request.headers_mut(), in_extensions, size)?;
        let form = Bytes::copy_from_slice(request.body()?.as_bytes()?);
        let (tagged, sent) = options.sent(create, request.headers_mut(), &form);
        if let Some(tagged) = tagged {
            *request.body_mut() = Some(tagged.into());
        }
        Some(sent)
    }
}

/// The id in the extensions: reqwest keeps those of an `http::Request` that it
/// was made from, and shows them only when it is turned back into one.
fn id_in_extensions(request: &Request) -> Option<CorrelationId> {
    let request = http::Request::<Body>::try_from(request.try_clone()?).ok()?;
    id_in(request.extensions())
}

/// The same answer, once its SID is recorded.
pub(super) async fn received(
    response: reqwest::Response,
    sent: Option<Box<Sent>>,
) -> reqwest::Response {
    let Some(sent) = sent.and_then(|sent| sent.answered(response.status())) else {
        return response;
    };
    let url = response.url().clone();
    let response: Response<Body> = response.into();
    let mut response = match receive_tracked(response, sent) {
        Received::No(response) => response,
        Received::Yes(mut receive) => poll_fn(|cx| receive.poll(cx)).await,
    };
    // A conversion from `http::Response` knows the URL by an extension alone,
    // which only a builder can make.
    if let Ok(mut with_url) = Response::builder().url(url).body(()) {
        response.extensions_mut().extend(mem::take(with_url.extensions_mut()));
    }
    response.map(Body::wrap).into()
}
