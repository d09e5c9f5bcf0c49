//! A transport of the application's own.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower::{Service, service_fn};
use tower_message_feedback::{
    Confirmation, FeedbackBody, SentMessage,
    store::{Failure, FailureKind, LedgerStatus},
};

use crate::support::{AC, Site, WAIT, World, account, credentials, in_process, patient};

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[tokio::test]
async fn any_tower_service_carries_the_calls() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let transport = {
        let seen = seen.clone();
        service_fn(move |request: Request<FeedbackBody>| {
            seen.lock().expect("no panic").push(request.uri().to_string());
            async { Ok::<_, io::Error>(answer(StatusCode::OK)) }
        })
    };
    // An origin of Twilio's own needs no permission.
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials()).transport(transport);
    let world = site.world(builder);
    let sid = world.create(AC).await;
    let dublin = "https://api.dublin.ie1.twilio.com/2010-04-01".parse().expect("a URL");
    let sent = SentMessage::new(account(AC), sid).base_url(dublin);
    assert_eq!(world.feedback.confirm_sid(sent).await, Confirmation::Queued);
    assert!(world.flush().await.is_empty());
    assert_eq!(
        *seen.lock().expect("no panic"),
        [format!(
            "https://api.dublin.ie1.twilio.com/2010-04-01/Accounts/{AC}/Messages/{sid}/Feedback.json"
        )]
    );
}

#[tokio::test]
async fn a_transport_that_panics_costs_one_attempt_and_nothing_else() {
    let calls = Arc::new(AtomicUsize::new(0));
    let transport = {
        let calls = calls.clone();
        service_fn(move |_| {
            let n = calls.fetch_add(1, SeqCst);
            async move {
                assert!(n > 0, "the first call panics");
                Ok::<_, io::Error>(answer(StatusCode::OK))
            }
        })
    };
    let world = World::with(|builder| builder.transport(transport)).await;
    let sid = world.act("id").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert_eq!(world.attempts(sid).await, Some(1));
    assert!(world.feedback.health().await.is_ok());
    assert!(world.advance(WAIT).await.is_empty());
    assert!(world.is_delivered(sid).await);
}

#[tokio::test]
async fn a_transport_that_fails_is_tried_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let transport = {
        let calls = calls.clone();
        service_fn(move |_| {
            let n = calls.fetch_add(1, SeqCst);
            async move {
                match n {
                    0..3 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset")),
                    _ => Ok(answer(StatusCode::OK)),
                }
            }
        })
    };
    let world = World::with(|builder| builder.transport(transport)).await;
    let sid = world.act("id").await;
    for attempts in 1..=3 {
        world.flush().await;
        assert_eq!(world.attempts(sid).await, Some(attempts));
        world.time.advance(WAIT);
    }
    assert!(world.flush().await.is_empty());
    assert_eq!(calls.load(SeqCst), 4);
}

/// An answer of 400 whose body comes in these pieces; counts those that were read.
async fn answering_in(
    pieces: impl Iterator<Item = &'static [u8]> + Clone + Send + 'static,
) -> (World, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let transport = {
        let read = read.clone();
        service_fn(move |_: Request<FeedbackBody>| {
            let read = read.clone();
            let frames = pieces.clone().map(move |piece| {
                read.fetch_add(1, SeqCst);
                Ok::<_, io::Error>(Frame::data(Bytes::from_static(piece)))
            });
            let response =
                Response::builder().status(400).body(StreamBody::new(stream::iter(frames)));
            std::future::ready(Ok::<_, io::Error>(response.expect("a response")))
        })
    };
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials()).transport(transport);
    (site.world(builder), read)
}

#[tokio::test]
async fn a_code_is_read_from_a_body_in_pieces() {
    let pieces = [&b"{\"co"[..], b"de\": 90", b"001}"];
    let (world, _) = answering_in(pieces.into_iter()).await;
    let sid = world.act("id").await;
    world.flush().await;
    let LedgerStatus::Dead { failure, .. } = world.status(sid).await else {
        panic!("a dead letter");
    };
    assert_eq!(failure, Failure::new(FailureKind::Rejected, Some(400), Some(90001)));
}

#[tokio::test]
async fn a_body_that_is_longer_than_any_of_twilios_is_not_read_to_its_end() {
    let (world, read) = answering_in(std::iter::repeat_n(&[b' '; 1000][..], 1000)).await;
    world.act("id").await;
    assert!(world.flush().await.is_empty());
    let read = read.load(SeqCst);
    assert!((65..=67).contains(&read), "{read} pieces of 1,000 bytes");
}

/// Ready only when it is told so; to call it before is a mistake.
#[derive(Clone)]
struct NeverReady;

impl Service<Request<FeedbackBody>> for NeverReady {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = std::future::Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<FeedbackBody>) -> Self::Future {
        panic!("called without being ready");
    }
}

#[tokio::test]
async fn a_transport_that_never_gets_ready_ends_with_the_timeout() {
    let timeout = Duration::from_millis(20);
    let world = World::with(|builder| builder.transport(NeverReady).call_timeout(timeout)).await;
    let sid = world.act("id").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert_eq!(world.attempts(sid).await, Some(1));
}

#[tokio::test]
async fn a_transport_of_several_layers_fits() {
    let site = Site::new().await;
    let transport = tower::ServiceBuilder::new()
        .timeout(Duration::from_secs(30))
        .concurrency_limit(2)
        .service(in_process(&site.twilio));
    let builder = site.builder().credentials(credentials()).transport(transport);
    let world = site.world(builder.retry_policy(patient()));
    for n in 0..20 {
        world.act(&format!("id {n}")).await;
    }
    assert!(world.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 20);
}
