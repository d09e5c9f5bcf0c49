//! A store that answers nothing for an hour.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmation, ManualClock, Refusal, link_query, simulator::SimulatorService,
};

use crate::{
    heap::{alone, held, is_flat},
    support::{AC, CORRELATION_KEY, Mode, Op, START, SwitchStore, World, seconds},
    time::flow,
};

const MAX_DEFERRED: usize = 500;
const STORE_TIMEOUT: Duration = Duration::from_millis(250);

async fn world() -> (World, SwitchStore) {
    let store = SwitchStore::new(&ManualClock::new(START)).durable();
    let world = World::without_socket(|builder| {
        builder
            .store(store.clone())
            .correlation_key(CORRELATION_KEY)
            .store_timeout(STORE_TIMEOUT)
            .max_deferred(MAX_DEFERRED)
    })
    .await;
    flow(&world.time);
    (world, store)
}

async fn send(world: &World, twilio: SimulatorService, id: &str) {
    let form = format!(
        "To=%2B15558675310&From=%2B15557122661&Body=https%3A%2F%2Fa.example%2F%3Fid%3D{id}"
    );
    let url = format!("{}/Accounts/{AC}/Messages.json", world.server.base_url());
    let request = Request::post(url)
        .header("authorization", "Bearer x")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<bytes::Bytes>::from(form))
        .expect("a request");
    let sender = world.feedback.provide_layer().correlate(link_query("id")).layer(twilio);
    let response = sender.oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 201);
    response.into_body().collect().await.expect("a receipt");
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_it_delays_no_send_fills_no_memory_and_loses_nothing_that_was_taken() {
    let _alone = alone().await;
    let (world, store) = world().await;
    Op::ALL.into_iter().for_each(|op| store.set(op, Mode::Hangs));
    let (mut taken, mut refused, mut held_then) = (0, 0, 0);
    for n in 0..1_000 {
        let id = format!("person-{n}");
        let began = Instant::now();
        send(&world, world.twilio.service(), &id).await;
        assert!(began.elapsed() <= STORE_TIMEOUT, "a send took {:?}", began.elapsed());
        let began = Instant::now();
        match world.feedback.confirm(id).await {
            Confirmation::Deferred => taken += 1,
            Confirmation::Refused(Refusal::QueueFull) => refused += 1,
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() <= STORE_TIMEOUT, "a confirm took {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(3_600)).await;
        if n == 600 {
            // The simulator's own memory is let go of.
            held_then = held();
            world.twilio.clear();
        }
    }
    assert!(taken >= MAX_DEFERRED / 2 - 1 && refused > 400, "{taken} taken, {refused} refused");
    is_flat(held_then, held());
    let began = Instant::now();
    let health = world.feedback.health().await;
    assert!(began.elapsed() <= seconds(30), "health took {:?}", began.elapsed());
    assert!(!health.store, "{health:?}");

    Op::ALL.into_iter().for_each(|op| store.set(op, Mode::Works));
    // Its messages were cleared at Twilio, which does not know them any more: what counts
    // is that each is asked for.
    let left = world.flush().await;
    assert_eq!(left.deferred, 0);
    let asked: std::collections::HashSet<_> =
        world.calls().iter().filter_map(|call| call.message()).collect();
    assert_eq!(asked.len(), taken);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_at_its_deadline() {
    let _alone = alone().await;
    let (world, store) = world().await;
    Op::ALL.into_iter().for_each(|op| store.set(op, Mode::Hangs));
    send(&world, world.twilio.service(), "one").await;
    assert_eq!(world.feedback.confirm("one").await, Confirmation::Deferred);
    let began = Instant::now();
    let left = world.feedback.shutdown(seconds(5)).await;
    assert!(began.elapsed() <= seconds(6), "{:?}", began.elapsed());
    assert_eq!((left.outbox, left.deferred), (None, 2));
}
