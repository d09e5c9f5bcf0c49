use std::{error::Error, net::Ipv4Addr};

use axum::Router;
use http::{HeaderMap, Method, Request, Response, header::DATE};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tower::Service;

use super::soon;

type BoxError = Box<dyn Error + Send + Sync>;

/// An application on a port of its own, and a client for it. It ends with this.
pub(crate) struct Site {
    base: String,
    client: Client,
    task: AbortHandle,
}

/// A whole answer, without its date.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

/// A port, and the URL of what will be served on it.
pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, base)
}

impl Site {
    fn new(base: String, task: AbortHandle) -> Self {
        let client =
            Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { base, client, task }
    }

    /// Serves an axum application.
    pub(crate) async fn axum(app: Router) -> Self {
        Self::axum_on(listen().await, app)
    }

    pub(crate) fn axum_on((listener, base): (TcpListener, String), app: Router) -> Self {
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Self::new(base, task.abort_handle())
    }

    /// Serves a Tower service by hyper alone.
    pub(crate) async fn hyper<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Error: Into<BoxError>> + Send + 'static,
        B::Data: Send,
    {
        let (listener, base) = listen().await;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(service.clone());
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(async move {
                    // A service that fails closes its connection.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self::new(base, task.abort_handle())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// An error is a connection that was closed without an answer.
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> Result<Reply, reqwest::Error> {
        let response = soon("an answer", request.send()).await?;
        let status = response.status().as_u16();
        let mut headers = response.headers().clone();
        headers.remove(DATE);
        let body = soon("a body", response.text()).await?;
        Ok(Reply { status, headers, body })
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Reply {
        self.try_send(request).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn head(&self, path: &str) -> Reply {
        self.send(self.request(Method::HEAD, path)).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: &str) -> Reply {
        self.post(path, "application/x-www-form-urlencoded", form).await
    }

    pub(crate) async fn post_json(&self, path: &str, json: &str) -> Reply {
        self.post(path, "application/json", json).await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: &str) -> Reply {
        let request = self.request(Method::POST, path).header("content-type", content_type);
        self.send(request.body(body.to_owned())).await
    }

    /// Asks, and does not wait: the caller may hang up by dropping this.
    pub(crate) async fn ask(&self, path: &str) -> TcpStream {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a request");
        stream
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}
