//! Twilio's limit on concurrency counts sends and feedback together.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{Clock, RetryPolicy, link_query, simulator::Answer};

use crate::support::{AC, OTHER_AC, WAIT, World, guarded, other_credentials, settle_down};

/// Sends `count` messages one after the other; answers how many were throttled.
async fn send(world: &World, count: usize) -> usize {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let twilio = world.feedback.provide_layer().correlate(link_query("id")).layer(client);
    let mut throttled = 0;
    for _ in 0..count {
        let request =
            Request::post(format!("{}/Accounts/{AC}/Messages.json", world.server.base_url()))
                .header("authorization", "Bearer x")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Full::from("To=%2B15558675310&From=%2B15557122661&Body=x"))
                .expect("a request");
        let response = twilio.clone().oneshot(request).await.expect("an answer");
        throttled += usize::from(response.status() == 429);
    }
    throttled
}

#[tokio::test]
async fn sends_keep_their_share_while_a_full_outbox_drains() {
    const SENDS: usize = 150;
    let policy = RetryPolicy::default().base(Duration::from_millis(40));
    let world = World::with(|builder| {
        builder.clock(Clock::system()).retry_policy(policy).max_in_flight(64)
    })
    .await;
    // A full outbox, and then an account that takes four requests at once, each
    // of which takes a while.
    world.feedback.pause_delivery();
    for n in 0..400 {
        world.act(&format!("id {n}")).await;
    }
    world.twilio.limit_concurrency(4);
    world.twilio.answer_create(Answer::normal().after(Duration::from_millis(4)).always());
    world.twilio.answer_feedback(Answer::normal().after(Duration::from_millis(4)).always());
    world.feedback.resume_delivery();

    let (one, another) = tokio::join!(send(&world, SENDS), send(&world, SENDS));
    let throttled = one + another;
    let drained = world.twilio.confirmed().len();
    assert!(throttled * 5 < 2 * SENDS, "{throttled} of {} sends throttled", 2 * SENDS);
    assert!(drained > 20, "{drained} delivered meanwhile");

    // Alone again, the outbox drains to its end.
    world.twilio.limit_concurrency(None);
    guarded(async {
        while !world.flush().await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.twilio.confirmed().len(), 400);
}

#[tokio::test]
async fn an_account_at_its_bound_does_not_hold_up_the_retry_of_another() {
    let world =
        World::with(|builder| builder.max_in_flight(1).credentials(other_credentials())).await;
    // The other account's one feedback is not found yet and waits for its retry.
    world.twilio.answer_feedback(Answer::status(404));
    let retried = world.act_of(OTHER_AC, "retried").await;
    world.flush().await;
    assert_eq!(world.attempts(retried).await, Some(1));
    // Of two feedbacks of the first account one is on its way and takes for ever.
    world.twilio.answer_feedback(Answer::hang());
    world.feedback.pause_delivery();
    world.act("in flight").await;
    world.act("behind it").await;
    settle_down().await;
    world.feedback.resume_delivery();
    guarded(world.twilio.wait_until(|_| world.calls().len() == 2)).await;
    settle_down().await;
    world.time.advance(WAIT);
    let retry = world.twilio.wait_until(|_| world.reports(retried) == 1);
    tokio::time::timeout(Duration::from_secs(5), retry).await.expect("nothing holds it up");
}
