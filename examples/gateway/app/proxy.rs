//! The way to Twilio: this crate's layer around a plain HTTP client.

use std::{error::Error, fmt, time::Duration};

use axum::body::Body;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH},
};
use http_body_util::{LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::timeout::TimeoutBody;
use tower_message_feedback::{BaseUrl, MessageFeedback, ProvideFeedback};

use super::{BoxError, Correlation, Settings, answer, forward};

type HttpClient = Client<HttpsConnector<HttpConnector>, Body>;

/// The header by which a send may say its id.
const ID: HeaderName = HeaderName::from_static("message-feedback-id");

#[derive(Clone)]
pub struct Proxy {
    twilio: ProvideFeedback<HttpClient, Correlation>,
    upstream: BaseUrl,
    timeout: Duration,
    max_body: usize,
}

impl Proxy {
    pub fn new(feedback: &MessageFeedback, settings: &Settings) -> Result<Self, BoxError> {
        let mut layer = feedback.provide_layer().correlate(settings.correlation.clone()).header(ID);
        if let Some(label) = &settings.label {
            layer = layer.label(label.as_str());
        }
        Ok(Self {
            twilio: ServiceBuilder::new().layer(layer).service(client(settings)?),
            upstream: settings.upstream.clone(),
            timeout: settings.timeout,
            max_body: settings.max_body,
        })
    }

    /// Sends a request on, and its answer back. An error closes the caller's connection: as
    /// without the gateway, it cannot know then whether there is a message, and an answer
    /// would make some SDKs send it once more.
    pub async fn forward(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Unanswered> {
        if request.method() == Method::CONNECT {
            // What follows is not meant for this server.
            let mut refused = answer::error(StatusCode::NOT_IMPLEMENTED, "this is no tunnel");
            refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(refused);
        }
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length.and_then(|length| length.parse().ok()).is_some_and(|l: usize| l > self.max_body) {
            return Ok(too_large());
        }
        if forward::to(&self.upstream, &mut request).is_err() {
            return Ok(answer::error(StatusCode::BAD_REQUEST, "the path cannot be sent on"));
        }
        let request = request.map(|body| Body::new(Limited::new(body, self.max_body)));
        match tokio::time::timeout(self.timeout, self.twilio.oneshot(request)).await {
            Ok(Ok(mut response)) => {
                forward::strip_hop_by_hop(response.headers_mut());
                Ok(response.map(|body| Body::new(TimeoutBody::new(self.timeout, body))))
            }
            // Nothing was sent: whoever sends again makes no second message.
            Ok(Err(error)) if error.is_connect() => {
                tracing::warn!(error = %chain(&error), "the upstream is not reached");
                Ok(answer::error(StatusCode::BAD_GATEWAY, "the upstream is not reached"))
            }
            Ok(Err(error)) if is_too_large(&error) => Ok(too_large()),
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "the upstream failed");
                Err(Unanswered)
            }
            Err(_) => {
                tracing::warn!("the upstream did not answer in time");
                Err(Unanswered)
            }
        }
    }
}

/// Nobody knows whether the upstream did what it was asked to.
#[derive(Debug)]
pub struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upstream did not answer")
    }
}

impl Error for Unanswered {}

fn client(settings: &Settings) -> Result<HttpClient, BoxError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in
        settings.upstream_ca.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem))
    {
        roots.add(certificate?)?;
    }
    let provider = rustls::crypto::ring::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_secs(10)));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    // Sooner than the upstream closes them: a send on one that is closing fails.
    let idle = Duration::from_secs(20);
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(idle);
    Ok(client.build(connector))
}

fn too_large() -> Response<Body> {
    answer::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than the gateway allows")
}

fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<LengthLimitError>())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
