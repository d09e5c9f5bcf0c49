//! A great many sends and confirms over real sockets.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, task::JoinSet};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{MessageFeedback, link_query, source::query, store::MemoryStore};

use crate::{
    heap::{alone, held, is_flat},
    support::{AC, credentials},
};

/// Sends and confirms at a time.
const AT_ONCE: usize = 32;
const ROUNDS: usize = 10;

/// A Twilio that remembers nothing but how much of it there was: the simulator would keep
/// every message.
#[derive(Default)]
struct Counting {
    creates: AtomicUsize,
    feedback: AtomicUsize,
}

impl Counting {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let is_feedback = request.uri().path().ends_with("/Feedback.json");
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_default();
        let answer = if is_feedback {
            assert_eq!(body, "Outcome=confirmed");
            self.feedback.fetch_add(1, Relaxed);
            "{}".to_owned()
        } else {
            assert!(body.ends_with(b"&ProvideFeedback=true"));
            let number = self.creates.fetch_add(1, Relaxed);
            format!(r#"{{"sid":"SM{number:032x}","account_sid":"{AC}"}}"#)
        };
        let mut response = Response::new(Full::from(answer));
        *response.status_mut() = StatusCode::CREATED;
        response
    }
}

async fn serve(counting: Arc<Counting>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let counting = counting.clone();
            let service = service_fn(move |request| {
                let counting = counting.clone();
                async move { Ok::<_, Infallible>(counting.answer(request).await) }
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { drop(serving.await) });
        }
    });
    address
}

/// Sockets and files that this process has open.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soak_leaves_memory_and_sockets_as_they_were() {
    let _alone = alone().await;
    let total: usize = std::env::var("SOAK").map_or(3_000, |text| text.parse().expect("a number"));
    let of_a_round = total / ROUNDS;
    let counting = Arc::<Counting>::default();
    let twilio = serve(counting.clone()).await;
    let feedback = MessageFeedback::builder()
        .credentials(credentials())
        .allow_origin(format!("http://{twilio}"))
        // Full within a round, so that what is held from then on is all there is.
        .store(MemoryStore::builder().max_messages(of_a_round / 2).build())
        .max_in_flight(AT_ONCE)
        .build()
        .expect("a handle");
    let routes = Router::new()
        .route("/go", get(|| async { "Thank you!" }).layer(feedback.confirm_layer(query("id"))));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let application = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let sender = feedback.provide_layer().correlate(link_query("id")).layer(client.clone());
    let began = Instant::now();
    let (mut held_then, mut open_then) = (0, 0);
    for round in 0..ROUNDS {
        let mut people = JoinSet::new();
        for n in 0..AT_ONCE {
            let (client, sender) = (client.clone(), sender.clone());
            people.spawn(async move {
                for person in (n..of_a_round).step_by(AT_ONCE) {
                    let id = format!("{round}-{person}-of-a-soak");
                    let url = format!("http://{twilio}/2010-04-01/Accounts/{AC}/Messages.json");
                    let form =
                        format!("To=%2B15558675310&Body=https%3A%2F%2Fa.example%2Fgo%3Fid%3D{id}");
                    let create = Request::post(url)
                        .header("authorization", "Bearer x")
                        .header("content-type", "application/x-www-form-urlencoded")
                        .body(Full::from(form))
                        .expect("a request");
                    let sent = sender.clone().oneshot(create).await.expect("an answer");
                    assert_eq!(sent.status(), StatusCode::CREATED);
                    sent.into_body().collect().await.expect("a receipt");
                    let click = Request::get(format!("http://{application}/go?id={id}"));
                    let click = click.body(Full::default()).expect("a request");
                    let clicked = client.request(click).await.expect("an answer");
                    assert_eq!(clicked.status(), StatusCode::OK);
                    clicked.into_body().collect().await.expect("thanks");
                }
            });
        }
        people.join_all().await;
        assert!(feedback.flush().await.is_empty());
        if round == 2 {
            (held_then, open_then) = (held(), open_files());
        }
    }
    let done = of_a_round * ROUNDS;
    println!(
        "{done} sends, confirms and reports in {:.1?}: {} bytes held after three rounds, {} at the end; {} and {} open files",
        began.elapsed(),
        held_then,
        held(),
        open_then,
        open_files()
    );
    assert_eq!(counting.creates.load(Relaxed), done);
    assert_eq!(counting.feedback.load(Relaxed), done);
    is_flat(held_then, held());
    assert!(
        open_files() <= open_then + 8,
        "{open_then} files were open, and then {}",
        open_files()
    );
    let left = feedback.shutdown(Duration::from_secs(10)).await;
    assert!(left.is_empty(), "{left:?}");
}
