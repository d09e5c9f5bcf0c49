//! The store fails or hangs, or the caller goes away: the send is as without
//! the layer, and the record is made up for.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_message_feedback::{
    Confirmation, ManualClock, MessageFeedback, ProvideFeedbackLayer, link_query,
    store::MemoryStore,
};

use crate::{
    moody_store::MoodyStore,
    script::{Script, Step, data},
    support::*,
};

const STORE_TIMEOUT: Duration = Duration::from_millis(40);

struct Setup {
    store: MoodyStore,
    clock: ManualClock,
    feedback: MessageFeedback,
}

fn setup(max_deferred: usize) -> Setup {
    let (store, clock) = (MoodyStore::default(), ManualClock::new(NOW));
    let feedback = builder_at(ORIGIN, &clock)
        .store(store.clone())
        .store_timeout(STORE_TIMEOUT)
        .max_deferred(max_deferred)
        .build()
        .unwrap();
    Setup { store, clock, feedback }
}

impl Setup {
    fn layer(&self) -> ProvideFeedbackLayer<impl tower_message_feedback::Correlate + Clone> {
        self.feedback.provide_layer().correlate(link_query("id"))
    }

    /// Sends a tracked create, and asserts that its answer is whole.
    async fn send(&self) {
        let (seen, inner) = answering(|| {
            Response::builder().status(201).body(full(&receipt())).expect("an answer")
        });
        let sent = self.layer().layer(inner).oneshot(create(&messages(ORIGIN), LINK)).await;
        let (parts, body) = read(sent.expect("infallible")).await;
        assert_eq!((parts.status.as_u16(), &body[..]), (201, receipt().as_bytes()));
        assert_eq!(seen.lock().unwrap().len(), 1);
    }

    /// Lets the retries come round.
    async fn recover(&self) {
        self.store.heal();
        let start = Instant::now();
        while self.feedback.health().await.deferred > 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "it is never made up for");
            self.clock.advance(Duration::from_secs(1));
            // Paused time: this is over as soon as all tasks wait.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_does_not_hold_up_the_send_and_the_record_comes_later() {
    let setup = setup(10);
    setup.store.fail();
    let start = Instant::now();
    setup.send().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(setup.feedback.health().await.deferred, 1);
    assert_sends!(setup.feedback, tagged: 1, record_deferred: 1);

    setup.recover().await;
    assert_eq!(only(&setup.feedback, LINK_ID).await.sid.to_string(), SM);
    assert_sends!(setup.feedback, tagged: 1, record_deferred: 1, recorded: 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_the_send_for_its_bound_and_no_longer() {
    let setup = setup(10);
    setup.store.hang();
    let start = Instant::now();
    setup.send().await;
    assert_eq!(start.elapsed(), STORE_TIMEOUT);
    assert_sends!(setup.feedback, tagged: 1, record_deferred: 1);

    setup.recover().await;
    assert_eq!(only(&setup.feedback, LINK_ID).await.sid.to_string(), SM);
    assert_eq!(setup.feedback.stats().sends.recorded, 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_beyond_the_retry_queue_is_refused_and_counted() {
    let setup = setup(2);
    setup.store.fail();
    for _ in 0..5 {
        setup.send().await;
    }
    assert_eq!(setup.feedback.health().await.deferred, 2);
    assert_sends!(setup.feedback, tagged: 5, record_deferred: 2, record_refused: 3);
}

#[tokio::test]
async fn a_store_that_is_full_of_confirmed_messages_does_not_fail_the_send() {
    let (feedback, _dispatcher) =
        builder(ORIGIN).store(MemoryStore::builder().max_messages(1).build()).build_pair().unwrap();
    let layer = feedback.provide_layer().correlate(link_query("id"));
    for sid in [SM, "SMffffffffffffffffffffffffffffffff"] {
        let (_, inner) = answering(move || Response::new(full(&receipt().replace(SM, sid))));
        let request = create(&messages(ORIGIN), LINK);
        let response = layer.layer(inner).oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), 200);
        let _ = feedback.confirm(LINK_ID).await;
    }
    assert_sends!(feedback, tagged: 2, recorded: 1, record_refused: 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_before_its_answer_counts_as_abandoned() {
    let feedback = feedback(ORIGIN);
    let layer = feedback.provide_layer().correlate(link_query("id"));
    let never = service_fn(|_: Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>()
    });
    let mut service = layer.layer(never);
    // Dropped without a poll, and dropped while it waits.
    drop(service.call(create(&messages(ORIGIN), LINK)));
    assert_sends!(feedback, tagged: 1, abandoned: 1);
    let call = service.call(create(&messages(ORIGIN), LINK));
    assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    assert_sends!(feedback, tagged: 2, abandoned: 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_within_its_answer_counts_as_abandoned() {
    let feedback = feedback(ORIGIN);
    let layer = feedback.provide_layer().correlate(link_query("id"));
    let (_, inner) = answering(|| {
        let text = receipt();
        let stall = Step::Stall(Duration::from_secs(60));
        Response::new(Script::new([data(&text[..40]), stall, data(&text[40..])]))
    });
    let call = layer.layer(inner).oneshot(create(&messages(ORIGIN), LINK));
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    assert_sends!(feedback, tagged: 1, abandoned: 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_while_its_form_is_read_counts_nothing() {
    let feedback = feedback(ORIGIN);
    let layer = feedback.provide_layer().correlate(link_query("id"));
    let (seen, inner) = answering(|| Response::new(full("")));
    let never = Script::sized(LINK.len(), [Step::Stall(Duration::from_secs(3600)), data(LINK)]);
    let call = layer.layer(inner).oneshot(post(&messages(ORIGIN), never));
    assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    assert!(seen.lock().unwrap().is_empty());
    assert_sends!(feedback);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_once_the_sid_is_known_is_recorded_and_can_be_confirmed() {
    let setup = setup(10);
    setup.store.hang();
    let (_, inner) = answering(|| Response::new(full(&receipt())));
    let call = setup.layer().layer(inner).oneshot(create(&messages(ORIGIN), LINK));
    // The caller waits for less than the store may take.
    assert!(tokio::time::timeout(STORE_TIMEOUT / 2, call).await.is_err());
    assert_eq!(setup.feedback.health().await.deferred, 1);
    assert_sends!(setup.feedback, tagged: 1, record_deferred: 1);

    setup.recover().await;
    assert_sends!(setup.feedback, tagged: 1, record_deferred: 1, recorded: 1);
    assert_eq!(setup.feedback.confirm(LINK_ID).await, Confirmation::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_faster_than_the_record_is_confirmed_nevertheless() {
    let setup = setup(10);
    assert_eq!(setup.feedback.confirm(LINK_ID).await, Confirmation::Unknown);
    setup.send().await;
    setup.recover().await;
    assert_eq!(setup.feedback.confirm(LINK_ID).await, Confirmation::AlreadyConfirmed);
    assert_eq!(setup.feedback.stats().confirms.overtaken, 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_what_the_store_would_not_take() {
    let setup = setup(10);
    setup.store.fail();
    setup.send().await;
    let feedback = setup.feedback.clone();
    let shutdown = tokio::spawn(async move { feedback.shutdown(Duration::from_secs(3600)).await });
    tokio::task::yield_now().await;
    assert!(!shutdown.is_finished());
    setup.recover().await;
    let remaining = soon(shutdown).await.unwrap();
    assert_eq!(remaining.deferred, 0);
    assert_eq!(setup.feedback.stats().sends.recorded, 1);
}
