//! Servers and clients on the loopback interface, in this process.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    body::Incoming, client::conn::http1::SendRequest, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower_message_feedback::BaseUrl;

/// How long a Twilio takes for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    After(Duration),
    Never,
}

/// A server that answers every POST with 201, as Twilio takes feedback, and counts them.
pub(crate) struct Twilio {
    pub(crate) address: SocketAddr,
    posts: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Twilio {
    pub(crate) async fn start(pace: Pace) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (posts, connections) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let twilio = Self { address, posts: posts.clone(), connections: connections.clone() };
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                connections.fetch_add(1, Relaxed);
                stream.set_nodelay(true).expect("a socket");
                let posts = posts.clone();
                let answer = service_fn(move |request: Request<Incoming>| {
                    let posts = posts.clone();
                    async move {
                        let _ = request.into_body().collect().await;
                        posts.fetch_add(1, Relaxed);
                        match pace {
                            Pace::After(Duration::ZERO) => {}
                            Pace::After(time) => tokio::time::sleep(time).await,
                            Pace::Never => std::future::pending().await,
                        }
                        let mut answer = Response::new(Full::new(Bytes::from_static(b"{}")));
                        *answer.status_mut() = StatusCode::CREATED;
                        Ok::<_, Infallible>(answer)
                    }
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        twilio
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn base_url(&self) -> BaseUrl {
        let url = format!("{}/2010-04-01", self.url());
        url.as_str().try_into().expect("a URL")
    }

    pub(crate) fn posts(&self) -> usize {
        self.posts.load(Relaxed)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Waits until so many POSTs have come.
    pub(crate) async fn has_posts(&self, posts: usize) {
        while self.posts() < posts {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

/// Serves an application.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A browser's connection that is kept.
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    address: SocketAddr,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(async move { drop(connection.await) });
        Self { sender, address }
    }

    /// Asks for a path, which has to be there.
    pub(crate) async fn get(&mut self, path: &str) {
        let request = Request::get(path)
            .header("host", self.address.to_string())
            .header(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            )
            .body(Empty::new())
            .expect("a request");
        let answer = self.sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let _ = answer.into_body().collect().await;
    }
}

/// Asks for every path, `connections` at a time, each as soon as the one before was
/// answered; answers how many it were in a second.
pub(crate) async fn throughput(
    address: SocketAddr,
    paths: Arc<Vec<String>>,
    connections: usize,
) -> f64 {
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Connection::open(address).await);
    }
    let count = paths.len() as f64;
    let began = Instant::now();
    all(clients.into_iter().map(|mut client| {
        let (paths, next) = (paths.clone(), next.clone());
        async move {
            while let Some(path) = paths.get(next.fetch_add(1, Relaxed)) {
                client.get(path).await;
            }
        }
    }))
    .await;
    count / began.elapsed().as_secs_f64()
}

/// Asks for every path at its time, `each` after the one before; answers how long each
/// took from its time on, in milliseconds, sorted.
pub(crate) async fn latencies(
    address: SocketAddr,
    paths: Arc<Vec<String>>,
    connections: usize,
    each: Duration,
) -> Vec<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Connection::open(address).await);
    }
    let began = tokio::time::Instant::now();
    let took = all(clients.into_iter().map(|mut client| {
        let (paths, next) = (paths.clone(), next.clone());
        async move {
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Relaxed);
                let Some(path) = paths.get(number) else { return took };
                let due = began + each * number as u32;
                tokio::time::sleep_until(due).await;
                client.get(path).await;
                took.push(due.elapsed().as_secs_f64() * 1e3);
            }
        }
    }))
    .await;
    let mut took: Vec<f64> = took.into_iter().flatten().collect();
    took.sort_by(f64::total_cmp);
    took
}

pub(crate) async fn all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("no panic"));
    }
    results
}
