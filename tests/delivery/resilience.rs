//! What must not stop, lose or falsify feedback.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower::{Service, service_fn};
use tower_message_feedback::{
    AccountSid, Credentials, DispatcherState, FeedbackBody, simulator::Answer,
};

use crate::support::{
    AC, OTHER_AC, Site, WAIT, World, credentials, guarded, in_process, other_credentials, patient,
    seconds,
};

#[tokio::test]
async fn time_behind_refused_credentials_makes_no_dead_letter() {
    let policy = patient().give_up_after(WAIT);
    let world = World::with(|builder| builder.retry_policy(policy)).await;
    world.twilio.answer_feedback(Answer::status(401).always());
    let sid = world.act("id").await;
    for _ in 0..20 {
        world.advance(WAIT).await;
    }
    // Repaired at last, but Twilio has a moment of its own.
    world.twilio.answer_feedback(Answer::status(500).times(3));
    for _ in 0..6 {
        world.advance(WAIT).await;
    }
    assert!(world.is_delivered(sid).await, "{:?}", world.status(sid).await);
}

#[tokio::test]
async fn a_throttled_call_is_never_given_up() {
    let policy = patient().give_up_after(WAIT).min_attempts(1);
    let world = World::with(|builder| builder.retry_policy(policy)).await;
    world.twilio.answer_feedback(Answer::status(429).times(12));
    let sid = world.act("id").await;
    for _ in 0..14 {
        world.advance(WAIT).await;
    }
    assert!(world.is_delivered(sid).await, "{:?}", world.status(sid).await);
}

#[tokio::test]
async fn an_account_that_stays_throttled_is_asked_ever_more_rarely() {
    let world = World::with(|builder| builder.retry_policy(patient().max(WAIT * 1000))).await;
    world.twilio.answer_feedback(Answer::status(429).always());
    for n in 0..200 {
        world.act(&format!("id {n}")).await;
    }
    world.flush().await;
    for _ in 0..100 {
        world.advance(WAIT).await;
    }
    // Eight at once, a hundred times over, would be eight hundred.
    let calls = world.calls().len();
    assert!(calls < 60, "{calls} calls");
}

#[tokio::test]
async fn a_provider_that_panics_does_not_end_the_dispatcher() {
    let site = Site::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let provider = move |_: AccountSid| -> Option<Credentials> {
        assert!(asked.fetch_add(1, SeqCst) > 0, "the first time");
        Some(credentials())
    };
    let builder = site.builder().credentials_provider(provider);
    let world = site.world(builder);
    let sid = world.act("id").await;
    world.flush().await;
    assert_eq!(world.feedback.health().await.dispatcher, DispatcherState::Running);
    world.advance(seconds(10)).await;
    assert!(world.is_delivered(sid).await);
}

/// Panics when it is cloned for its first call.
struct Fragile<S>(S, Arc<AtomicUsize>);

impl<S: Clone> Clone for Fragile<S> {
    fn clone(&self) -> Self {
        assert!(self.1.fetch_add(1, SeqCst) > 0, "the first time");
        Self(self.0.clone(), self.1.clone())
    }
}

impl<S: Service<Request<FeedbackBody>>> Service<Request<FeedbackBody>> for Fragile<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<FeedbackBody>) -> S::Future {
        self.0.call(request)
    }
}

#[tokio::test]
async fn a_transport_whose_clone_panics_does_not_end_the_dispatcher() {
    let site = Site::new().await;
    let transport = Fragile(in_process(&site.twilio), Arc::default());
    let builder = site.builder().credentials(credentials()).transport(transport);
    let world = site.world(builder);
    let sid = world.act("id").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert!(world.advance(WAIT).await.is_empty());
    assert!(world.is_delivered(sid).await);
}

#[tokio::test]
async fn a_timeout_without_end_is_one() {
    let world = World::with(|builder| builder.call_timeout(Duration::MAX)).await;
    world.act("id").await;
    assert!(world.flush().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_retries_of_accounts_that_work() {
    let site = Site::new().await;
    let refuses = service_fn({
        let twilio = in_process(&site.twilio);
        move |request: Request<FeedbackBody>| {
            let mut twilio = twilio.clone();
            async move {
                if request.uri().path().contains(OTHER_AC) {
                    let refused = Response::builder().status(401).body(axum::body::Body::empty());
                    return Ok::<_, Infallible>(refused.unwrap());
                }
                Ok(twilio.call(request).await?.map(axum::body::Body::new))
            }
        }
    });
    let builder = site.builder().credentials(credentials()).credentials(other_credentials());
    let world = site.world(builder.transport(refuses));
    world.twilio.answer_feedback(Answer::status(500));
    world.act_of(OTHER_AC, "refused").await;
    let sid = world.act_of(AC, "retried").await;
    assert_eq!(world.flush().await.outbox, Some(2));

    let feedback = world.feedback.clone();
    let shutdown = tokio::spawn(async move { feedback.shutdown(seconds(15)).await });
    tokio::time::sleep(seconds(5)).await;
    assert!(!shutdown.is_finished(), "one will still be delivered");
    world.time.advance(WAIT);
    let left = guarded(shutdown).await.expect("no panic");
    assert_eq!(left.outbox, Some(1), "the refused one");
    assert_eq!(world.reports(sid), 1);
}

/// Breaks off, or never ends.
struct Broken {
    ends: bool,
}

impl Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.ends { Poll::Ready(Some(Err(io::Error::other("reset")))) } else { Poll::Pending }
    }
}

/// Answers with `status` and a broken body, and counts the calls.
async fn answering(status: u16, ends: bool) -> (World, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let site = Site::new().await;
    let transport = service_fn({
        let calls = calls.clone();
        move |_: Request<FeedbackBody>| {
            calls.fetch_add(1, SeqCst);
            let response = Response::builder().status(status).body(Broken { ends });
            std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
        }
    });
    let builder = site.builder().credentials(credentials()).transport(transport);
    (site.world(builder), calls)
}

#[tokio::test(start_paused = true)]
async fn the_status_counts_whatever_becomes_of_the_body() {
    for ends in [true, false] {
        let (world, calls) = answering(200, ends).await;
        let sid = world.act("id").await;
        assert!(world.flush().await.is_empty(), "ends: {ends}");
        assert!(world.is_delivered(sid).await);
        assert_eq!(calls.load(SeqCst), 1);

        let (world, _) = answering(403, ends).await;
        world.act("id").await;
        world.flush().await;
        assert_eq!(world.feedback.health().await.open_circuits, 1, "ends: {ends}");
    }
}
