//! The default transport: hyper with rustls, ring and Mozilla's roots.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;
use tower_service::Service;

use super::{
    control::Control,
    transport::{BoxError, BoxTransport, ServiceTransport},
};
use crate::twilio::FeedbackBody;

/// A client that keeps its connections, and counts those that it opens.
pub(crate) fn https_client(control: Arc<Control>) -> Result<BoxTransport, BoxError> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_webpki_roots()
        .with_no_client_auth();
    Ok(client(tls, control))
}

fn client(tls: ClientConfig, control: Arc<Control>) -> BoxTransport {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_secs(5)));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        // Plain HTTP goes only to an origin that the builder added.
        .https_or_http()
        .enable_http1();
    #[cfg(feature = "http2")]
    let connector = connector.enable_http2();
    let connector = connector.wrap_connector(Counted { http, control });
    let mut builder = Client::builder(TokioExecutor::new());
    builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
    builder.pool_idle_timeout(Duration::from_secs(60));
    // Of many calls on one connection each would wait for its timeout, if it broke in silence.
    #[cfg(feature = "http2")]
    builder
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(5));
    Box::new(ServiceTransport::new(builder.build::<_, FeedbackBody>(connector)))
}

/// Counts the connections that are opened.
#[derive(Clone)]
struct Counted {
    http: HttpConnector,
    control: Arc<Control>,
}

impl Service<Uri> for Counted {
    type Response = <HttpConnector as Service<Uri>>::Response;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(cx)
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let (opening, control) = (self.http.call(origin), self.control.clone());
        Box::pin(async move {
            let connection = opening.await?;
            control.counters.connections.increment();
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::{Request, Response, Version};
    use http_body_util::Empty;
    use hyper_util::{rt::TokioIo, server::conn::auto, service::TowerToHyperService};
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{
        RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    };
    use tokio::{net::TcpListener, task::JoinSet};
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::{delivery::call::CallResult, twilio::feedback_request};

    /// A server that speaks these protocols, the certificate that it is trusted by, and the
    /// version of each request that it answers.
    async fn server(alpn: &[&[u8]]) -> (String, ClientConfig, Arc<Mutex<Vec<Version>>>) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let trusting = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();

        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let versions = Arc::new(Mutex::new(Vec::new()));
        let seen = versions.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = tower::service_fn(move |request: Request<_>| {
                        seen.lock().unwrap().push(request.version());
                        let _: &Request<hyper::body::Incoming> = &request;
                        async {
                            Ok::<_, std::convert::Infallible>(Response::new(Empty::<&[u8]>::new()))
                        }
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    let service = TowerToHyperService::new(service);
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (origin, trusting, versions)
    }

    fn call(client: &mut BoxTransport, origin: &str) -> crate::delivery::transport::Exchange {
        let base_url = format!("{origin}/2010-04-01").parse().unwrap();
        let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let sid = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
        let request = feedback_request(&base_url, account, sid).unwrap();
        client.exchange(request, Duration::from_secs(10))
    }

    #[tokio::test]
    async fn connections_are_kept_and_counted() {
        let (origin, trusting, versions) = server(&[b"http/1.1"]).await;
        let control = Arc::new(Control::default());
        let mut client = client(trusting, control.clone());
        for _ in 0..20 {
            let result = call(&mut client, &origin).await;
            assert!(matches!(result, CallResult::Answered(_)), "{result:?}");
        }
        assert_eq!(*versions.lock().unwrap(), [Version::HTTP_11; 20]);
        assert_eq!(control.counters.snapshot().connections, 1);
    }

    #[cfg(feature = "http2")]
    #[tokio::test]
    async fn many_calls_at_once_share_a_connection_of_http_2() {
        let (origin, trusting, versions) = server(&[b"h2", b"http/1.1"]).await;
        let control = Arc::new(Control::default());
        let mut client = client(trusting, control.clone());
        assert!(matches!(call(&mut client, &origin).await, CallResult::Answered(_)));
        let mut calls = JoinSet::new();
        for _ in 0..64 {
            calls.spawn(call(&mut client, &origin));
        }
        while let Some(result) = calls.join_next().await {
            let result = result.unwrap();
            assert!(matches!(result, CallResult::Answered(_)), "{result:?}");
        }
        assert_eq!(*versions.lock().unwrap(), [Version::HTTP_2; 65]);
        assert_eq!(control.counters.snapshot().connections, 1);
    }
}
