//! When a call is repeated, and when it is given up.

use std::{net::TcpListener, time::Duration};

use tower_message_feedback::{
    BaseUrl, Confirmation, MessageFeedbackBuilder, RetryPolicy, SentMessage,
    simulator::Answer,
    store::{Failure, FailureKind, LedgerStatus},
};

use crate::support::{AC, START, Site, WAIT, World, account, credentials, patient, seconds};

/// Without `Retry-After`, everything would be due again in a millisecond.
fn impatient() -> RetryPolicy {
    RetryPolicy::default().base(Duration::from_millis(1)).max(Duration::from_millis(1))
}

async fn waits_for(status: u16, retry_after: &str, wait: Duration) {
    let world = World::with(|builder| builder.retry_policy(impatient())).await;
    let answer = Answer::status(status).with_header("retry-after", retry_after);
    world.twilio.answer_feedback(answer);
    let sid = world.act("id").await;
    world.flush().await;
    world.advance(wait - seconds(1)).await;
    assert_eq!(world.calls().len(), 1, "{status}, {retry_after}: too early");
    assert_eq!(world.attempts(sid).await, Some(1));
    assert!(world.advance(seconds(1)).await.is_empty(), "{status}, {retry_after}: too late");
    assert_eq!(world.calls().len(), 2);
    assert!(world.is_delivered(sid).await);
}

#[tokio::test]
async fn retry_after_in_seconds_is_honoured() {
    waits_for(429, "100", seconds(100)).await;
    waits_for(503, "7", seconds(7)).await;
    waits_for(500, "7", seconds(7)).await;
}

#[tokio::test]
async fn retry_after_as_a_date_is_honoured() {
    waits_for(429, "Sun, 06 Nov 1994 08:51:17 GMT", seconds(100)).await;
    waits_for(503, "Sun, 06 Nov 1994 08:49:47 GMT", seconds(10)).await;
}

#[tokio::test]
async fn retry_after_is_capped() {
    waits_for(429, "86400", seconds(600)).await;
    waits_for(503, "18446744073709551615", seconds(600)).await;
    waits_for(429, "Fri, 06 Nov 2099 08:49:37 GMT", seconds(600)).await;
}

#[tokio::test]
async fn the_cap_can_be_set() {
    let policy = impatient().max_retry_after(seconds(20));
    let world = World::with(|builder| builder.retry_policy(policy)).await;
    world.twilio.answer_feedback(Answer::status(429).with_header("retry-after", "60"));
    world.act("id").await;
    world.flush().await;
    world.advance(seconds(19)).await;
    assert_eq!(world.calls().len(), 1);
    assert!(world.advance(seconds(1)).await.is_empty());
}

#[tokio::test]
async fn retry_after_that_is_past_or_no_time_at_all_shortens_nothing() {
    for value in ["0", "-5", "soon", "Sun, 06 Nov 1994 08:00:00 GMT", ""] {
        let world = World::new().await;
        world.twilio.answer_feedback(Answer::status(503).with_header("retry-after", value));
        let sid = world.act("id").await;
        world.flush().await;
        assert_eq!(world.attempts(sid).await, Some(1), "{value}");
        assert!(world.advance(WAIT).await.is_empty(), "{value}");
    }
}

#[tokio::test]
async fn a_throttled_account_is_left_alone_as_a_whole() {
    let world = World::with(|builder| builder.max_in_flight(1)).await;
    world.twilio.answer_feedback(Answer::status(429).with_header("retry-after", "2000"));
    for id in ["one", "two", "three"] {
        world.act(id).await;
    }
    assert_eq!(world.flush().await.outbox, Some(3));
    world.act("four").await;
    world.advance(seconds(599)).await;
    assert_eq!(world.calls().len(), 1);
    world.advance(seconds(1)).await;
    world.advance(WAIT).await;
    assert_eq!(world.twilio.confirmed().len(), 4);
}

#[tokio::test]
async fn a_twilio_that_says_how_long_it_is_overloaded_gets_no_call_of_the_account_meanwhile() {
    for status in [500, 503] {
        let world = World::with(|builder| builder.retry_policy(impatient())).await;
        let answer = Answer::status(status).with_header("retry-after", "100");
        world.twilio.answer_feedback(answer);
        world.act("one").await;
        world.flush().await;
        world.act("two").await;
        world.flush().await;
        world.advance(seconds(99)).await;
        assert_eq!(world.calls().len(), 1, "{status}");
        assert!(world.advance(seconds(1)).await.is_empty(), "{status}");
        assert_eq!(world.calls().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn of_calls_that_are_throttled_together_the_one_that_says_how_long_is_heard() {
    let set = |builder: MessageFeedbackBuilder| builder.retry_policy(impatient()).max_in_flight(2);
    let world = World::without_socket(set).await;
    world.twilio.answer_feedback(Answer::status(429));
    let asks = Answer::status(429).with_header("retry-after", "100");
    world.twilio.answer_feedback(asks.after(Duration::from_millis(1)));
    world.feedback.pause_delivery();
    for id in ["one", "two"] {
        world.act(id).await;
    }
    world.feedback.resume_delivery();
    assert_eq!(world.flush().await.outbox, Some(2));
    world.advance(seconds(99)).await;
    assert_eq!(world.calls().len(), 2, "the other one of the account, too early");
    assert!(world.advance(seconds(1)).await.is_empty());
}

#[tokio::test]
async fn a_retry_waits_at_random_up_to_its_bound() {
    let world = World::with(|builder| builder.max_in_flight(64)).await;
    world.twilio.answer_feedback(Answer::status(500).times(40));
    for n in 0..40 {
        world.act(&format!("id {n}")).await;
    }
    assert_eq!(world.flush().await.outbox, Some(40));
    world.advance(WAIT / 2).await;
    let half = world.twilio.confirmed().len();
    assert!((5..=35).contains(&half), "{half} of 40 at half time");
    assert!(world.advance(WAIT / 2).await.is_empty());
}

#[tokio::test]
async fn feedback_that_nothing_settles_is_given_up_at_its_age_and_not_before() {
    let policy = patient().give_up_after(WAIT * 5).min_attempts(1);
    let world = World::with(|builder| builder.retry_policy(policy)).await;
    world.twilio.answer_feedback(Answer::status(503).always());
    let sid = world.act("id").await;
    world.flush().await;
    for _ in 0..4 {
        assert_eq!(world.advance(WAIT).await.outbox, Some(1));
    }
    world.advance(WAIT).await;
    let LedgerStatus::Dead { attempts, failure, died_at, .. } = world.status(sid).await else {
        panic!("{:?}", world.status(sid).await);
    };
    assert_eq!(failure, Failure::new(FailureKind::GaveUp, Some(503), Some(20503)));
    assert_eq!((attempts.total, died_at), (6, START + WAIT * 5));

    // Sent again, it gets the whole time anew.
    let _ = world.feedback.resend(sid).await.expect("an answer");
    assert_eq!(world.flush().await.outbox, Some(1));
    world.twilio.answer_feedback(Answer::normal());
    assert!(world.advance(WAIT).await.is_empty());
    assert!(world.is_delivered(sid).await);
}

#[tokio::test]
async fn a_refused_connection_is_retried_and_given_up_like_any_other_failure() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port()
    };
    let closed: BaseUrl = format!("http://127.0.0.1:{port}/2010-04-01").parse().expect("a URL");
    let site = Site::new().await;
    let builder = site
        .builder()
        .credentials(credentials())
        .allow_origin(closed.as_str())
        .retry_policy(patient().give_up_after(WAIT * 2).min_attempts(1));
    let world = site.world(builder);
    let sid = world.create(AC).await;
    let sent = SentMessage::new(account(AC), sid).base_url(closed);
    assert_eq!(world.feedback.confirm_sid(sent).await, Confirmation::Queued);
    assert_eq!(world.flush().await.outbox, Some(1));
    assert_eq!(world.attempts(sid).await, Some(1));
    // The others are not held up.
    let other = world.act("id").await;
    world.flush().await;
    assert!(world.is_delivered(other).await);
    world.advance(WAIT).await;
    world.advance(WAIT).await;
    let LedgerStatus::Dead { failure, .. } = world.status(sid).await else { panic!("given up") };
    assert_eq!(failure, Failure::new(FailureKind::GaveUp, None, None));
}
