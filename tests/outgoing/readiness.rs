//! Tower's contract: readiness, clones, errors, and no runtime at all.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, limit::ConcurrencyLimitLayer,
    service_fn,
};
use tower_message_feedback::link_query;
use tower_test::mock;

use crate::{
    moody_store::MoodyStore,
    script::{Script, Step, data},
    support::*,
};

/// A service whose clones are not ready: it panics if it is called before it is.
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Strict {
    fn new() -> Self {
        Self { ready: false, calls: Arc::default() }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, calls: self.calls.clone() }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        self.calls.fetch_add(1, SeqCst);
        std::future::ready(Ok(Response::new(full(&receipt()))))
    }
}

/// Forms that are there at once, and one that is not.
fn forms() -> [Script; 3] {
    let (one, two) = LINK.split_at(30);
    [
        Script::from(Bytes::from_static(LINK.as_bytes())),
        Script::sized(LINK.len(), [Step::Yield, data(one), Step::Yield, data(two)]),
        Script::sized(LINK.len(), [Step::Yield, data(one), Step::Fail(1)]),
    ]
}

#[tokio::test]
async fn the_instance_that_was_waited_for_is_called() {
    let feedback = feedback(ORIGIN);
    let inner = Strict::new();
    let calls = inner.calls.clone();
    let mut service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
    for form in forms() {
        let ready = ServiceExt::<Request<Script>>::ready(&mut service).await.expect("ready");
        ready.call(post(&messages(ORIGIN), form)).await.expect("infallible");
    }
    let ready = ServiceExt::<Request<Script>>::ready(&mut service).await.expect("ready");
    ready.call(post("https://example.com/", Script::default())).await.expect("infallible");
    assert_eq!(calls.load(SeqCst), 4);
    assert_sends!(feedback, tagged: 2, recorded: 1, already_recorded: 1, form_failed: 1);
}

#[tokio::test]
async fn back_pressure_passes_through() {
    let feedback = feedback(ORIGIN);
    let (mock, mut handle) = mock::pair::<Request<Script>, Response<Full<Bytes>>>();
    let layer = feedback.provide_layer().correlate(link_query("id"));
    let mut service = mock::Spawn::new(layer.layer(mock));

    handle.allow(0);
    assert!(service.poll_ready::<Request<Script>>().is_pending());
    handle.allow(1);
    assert!(service.is_woken());
    assert!(matches!(service.poll_ready::<Request<Script>>(), Poll::Ready(Ok(()))));

    // The one slot goes with the call, though its form is not there yet: the
    // mock panics if a clone of it is called in its place.
    let (one, two) = LINK.split_at(30);
    let form = Script::sized(LINK.len(), [Step::Yield, data(one), Step::Yield, data(two)]);
    let call = tokio::spawn(service.get_mut().call(post(&messages(ORIGIN), form)));
    let (request, respond) = soon(handle.next_request()).await.expect("a request");
    assert!(service.poll_ready::<Request<Script>>().is_pending());
    let form = request.into_body().collect().await.expect("a form").to_bytes();
    assert_eq!(form, format!("{LINK}{TAG}"));
    respond.send_response(Response::new(full(&receipt())));
    soon(call).await.unwrap().expect("an answer");
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn the_inner_error_passes_through() {
    #[derive(Debug, PartialEq)]
    struct OfTheClient(u32);

    let feedback = feedback(ORIGIN);
    let layer = feedback.provide_layer().correlate(link_query("id"));
    let inner =
        service_fn(|_: Request<Script>| async { Err::<Response<Full<Bytes>>, _>(OfTheClient(7)) });
    for form in forms() {
        let sent = layer.layer(inner).oneshot(post(&messages(ORIGIN), form)).await;
        assert_eq!(sent.unwrap_err(), OfTheClient(7));
    }
    assert_sends!(feedback, tagged: 2, not_created: 2, form_failed: 1);

    // And that of `poll_ready`.
    #[derive(Clone)]
    struct NeverReady;
    impl Service<Request<Script>> for NeverReady {
        type Response = Response<Full<Bytes>>;
        type Error = OfTheClient;
        type Future = std::future::Ready<Result<Self::Response, OfTheClient>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OfTheClient>> {
            Poll::Ready(Err(OfTheClient(8)))
        }

        fn call(&mut self, _: Request<Script>) -> Self::Future {
            panic!("it is not ready")
        }
    }
    assert_eq!(layer.layer(NeverReady).ready().await.err(), Some(OfTheClient(8)));
}

#[tokio::test]
async fn a_concurrency_limit_below_counts_each_send_once() {
    let feedback = feedback(ORIGIN);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (inside, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gated, count, most) = (gate.clone(), inside.clone(), peak.clone());
    let inner = service_fn(move |_: Request<Script>| {
        let (gate, inside, peak) = (gated.clone(), count.clone(), most.clone());
        async move {
            peak.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            gate.acquire().await.expect("open").forget();
            inside.fetch_sub(1, SeqCst);
            Ok::<_, Infallible>(Response::new(full(&receipt())))
        }
    });
    let service = ServiceBuilder::new()
        .layer(feedback.provide_layer().correlate(link_query("id")))
        .layer(ConcurrencyLimitLayer::new(2))
        .service(inner);
    let calls: Vec<_> = (0..6)
        .map(|number| {
            let [whole, slow, _] = forms();
            let form = if number % 2 == 0 { whole } else { slow };
            tokio::spawn(service.clone().oneshot(post(&messages(ORIGIN), form)))
        })
        .collect();
    until(|| inside.load(SeqCst) == 2).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(inside.load(SeqCst), 2);
    gate.add_permits(6);
    for call in calls {
        soon(call).await.unwrap().expect("infallible");
    }
    assert_eq!(peak.load(SeqCst), 2);
    assert_sends!(feedback, tagged: 6, recorded: 1, already_recorded: 5);
}

#[tokio::test]
async fn a_buffer_below_and_above_works() {
    let feedback = feedback(ORIGIN);
    let layer = feedback.provide_layer().correlate(link_query("id"));
    let below = ServiceBuilder::new()
        .layer(layer.clone())
        .layer(BufferLayer::new(1))
        .service(Strict::new());
    let above = ServiceBuilder::new()
        .layer(BufferLayer::<Request<Script>>::new(1))
        .layer(layer)
        .service(Strict::new());
    for form in forms() {
        soon(below.clone().oneshot(post(&messages(ORIGIN), form))).await.expect("an answer");
    }
    for form in forms() {
        soon(above.clone().oneshot(post(&messages(ORIGIN), form))).await.expect("an answer");
    }
    assert_sends!(feedback, tagged: 4, recorded: 1, already_recorded: 3, form_failed: 2);
}

#[test]
fn build_outside_a_runtime_is_an_error_that_names_the_fix() {
    let error = builder(ORIGIN).build().unwrap_err();
    assert_eq!(error.setting(), "build");
    let text = error.to_string();
    assert!(text.contains("build_pair") && text.contains("runtime"), "{text}");
}

#[test]
fn the_layer_works_without_a_runtime() {
    let (feedback, _dispatcher) = builder(ORIGIN).build_pair().unwrap();
    let layer = feedback.provide_layer().correlate(link_query("id"));
    for form in forms() {
        // An answer that is pending now and then: there is no timer to bound it.
        let (_, inner) = answering(|| {
            let text = receipt();
            let frames = [Step::Yield, data(&text[..9]), Step::Yield, data(&text[9..])];
            Response::new(Script::new(frames))
        });
        // `answering` would not take a form that fails.
        let inner = inner.map_request(|request: Request<Script>| request.map(|_| full("")));
        let mut call = pin!(layer.layer(inner).oneshot(post(&messages(ORIGIN), form)));
        let mut polls = 0;
        let response = loop {
            if let Poll::Ready(sent) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break sent.expect("infallible");
            }
            polls += 1;
            assert!(polls < 100, "it hangs");
        };
        assert_eq!(response.status(), 200);
    }
    assert_sends!(feedback, tagged: 2, recorded: 1, already_recorded: 1, form_failed: 1);
}

#[test]
fn a_slow_store_is_waited_for_without_a_runtime() {
    let store = MoodyStore::default();
    let (feedback, _dispatcher) = builder(ORIGIN).store(store.clone()).build_pair().unwrap();
    let (_, inner) = answering(|| Response::new(full(&receipt())));
    let service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
    let mut call = pin!(service.oneshot(create(&messages(ORIGIN), LINK)));
    let mut poll = || call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    store.hang();
    assert!(poll().is_pending());
    assert!(poll().is_pending());
    store.heal();
    assert!(matches!(poll(), Poll::Ready(Ok(_))));
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

#[test]
fn a_handle_that_was_built_in_a_runtime_works_in_a_thread_without_one() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let feedback = runtime.block_on(async { feedback(ORIGIN) });
    let (_, inner) = answering(|| Response::new(full(&receipt())));
    let service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
    let mut call = pin!(service.oneshot(create(&messages(ORIGIN), LINK)));
    let sent = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(sent, Poll::Ready(Ok(_))));
    assert_sends!(feedback, tagged: 1, recorded: 1);
}
