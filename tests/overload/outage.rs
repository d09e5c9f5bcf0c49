//! Twilio is down for an hour, and the outbox is full when it comes back.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmation, Recorded, RetryPolicy, link_query,
    simulator::{Answer, RequestKind},
};

use crate::{
    heap::alone,
    support::{AC, World, seconds},
    time::flow,
};

const OUTBOX: usize = 600;
const MAX_IN_FLIGHT: usize = 8;
/// Twilio's limit on the account: sends and feedback together.
const LIMIT: usize = 10;
/// How long Twilio takes for an answer.
const TAKES: Duration = Duration::from_millis(50);

/// Sends at their usual rate, each for itself; answers how many were throttled.
async fn sends(world: &World, each: Duration, count: usize) -> usize {
    let twilio = world.twilio.clone();
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..count {
        let sender = world.feedback.provide_layer().correlate(link_query("id"));
        let sender = sender.layer(twilio.service());
        let url = format!("{}/Accounts/{AC}/Messages.json", world.server.base_url());
        let request = Request::post(url)
            .header("authorization", "Bearer x")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from("To=%2B15558675310&From=%2B15557122661&Body=x"))
            .expect("a request");
        sending.spawn(async move {
            let response = sender.oneshot(request).await.expect("infallible");
            response.status().as_u16()
        });
        tokio::time::sleep(each).await;
    }
    let statuses = sending.join_all().await;
    assert!(statuses.iter().all(|status| matches!(status, 201 | 429)), "{statuses:?}");
    statuses.into_iter().filter(|status| *status == 429).count()
}

fn feedback_calls(world: &World) -> usize {
    let received = world.twilio.received();
    received.iter().filter(|received| received.kind() == RequestKind::Feedback).count()
}

/// How it is down.
async fn an_hour_of(down: Answer) {
    let _alone = alone().await;
    let world = World::without_socket(|builder| {
        builder
            .retry_policy(RetryPolicy::default())
            .max_in_flight(MAX_IN_FLIGHT)
            .call_timeout(seconds(5))
    })
    .await;
    flow(&world.time);
    world.feedback.pause_delivery();
    for n in 0..OUTBOX {
        let sid = world.create(AC).await;
        let id = format!("person-{n}");
        assert_eq!(
            world.feedback.record(id.as_str(), world.sent(AC, sid)).await,
            Recorded::Recorded
        );
        assert_eq!(world.feedback.confirm(id.as_str()).await, Confirmation::Queued);
    }
    let of_before = feedback_calls(&world);
    assert_eq!(of_before, 0);
    world.twilio.answer_feedback(down.always());
    world.feedback.resume_delivery();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.twilio.confirmed().len(), 0);
    let in_vain = feedback_calls(&world);
    // What fails is asked for ever more rarely: at most every few minutes each.
    assert!(in_vain < OUTBOX * 40, "{in_vain} calls in vain");

    // It is back, and as slow as it always was; people go on to sign in.
    world.twilio.limit_concurrency(LIMIT);
    world.twilio.answer_create(Answer::normal().after(TAKES).always());
    world.twilio.answer_feedback(Answer::normal().after(TAKES).always());
    let back = Instant::now();
    let mut throttled = 0;
    let mut drained_after = None;
    let mut rates = Vec::new();
    let mut before = feedback_calls(&world);
    for _ in 0..90 {
        // Ten seconds of 20 sends a second: one in flight on average, and often more.
        throttled += sends(&world, TAKES, 200).await;
        let now = feedback_calls(&world);
        rates.push(now - before);
        before = now;
        if world.twilio.confirmed().len() == OUTBOX {
            drained_after = Some(back.elapsed());
            break;
        }
    }
    let sent = rates.len() * 200;
    println!(
        "{in_vain} calls in vain; drained after {drained_after:?}, {throttled} of {sent} sends throttled; calls each ten seconds: {rates:?}"
    );
    // Every entry's own wait is five minutes at most.
    assert!(drained_after.is_some_and(|after| after < seconds(600)), "{drained_after:?}");
    assert!(world.twilio.peak_concurrency() <= LIMIT);
    // Never more than its share of the account, and the sends keep theirs.
    let most = MAX_IN_FLIGHT * 10_100 / TAKES.as_millis() as usize;
    assert!(rates.iter().all(|rate| *rate <= most), "{rates:?}");
    assert!(throttled * 50 <= sent, "{throttled} of {sent} sends were throttled");
    for message in world.twilio.messages() {
        assert!(message.feedback_count() <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn twilio_overloaded_for_an_hour_comes_back_to_no_stampede() {
    an_hour_of(Answer::status(503)).await;
}

#[tokio::test(start_paused = true)]
async fn twilio_unreachable_for_an_hour_comes_back_to_no_stampede() {
    an_hour_of(Answer::reset()).await;
}

#[tokio::test(start_paused = true)]
async fn twilio_silent_for_an_hour_comes_back_to_no_stampede() {
    an_hour_of(Answer::hang()).await;
}
