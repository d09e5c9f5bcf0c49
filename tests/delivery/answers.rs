//! What becomes of a feedback for each of Twilio's answers.

use std::time::Duration;

use tower_message_feedback::{
    simulator::Answer,
    store::{Failure, FailureKind, LedgerStatus, ResendOutcome},
};

use crate::support::{START, WAIT, World, seconds};

#[tokio::test]
async fn any_answer_of_the_200s_is_a_delivery() {
    for status in [200, 201, 202, 204, 299] {
        let world = World::new().await;
        world.twilio.answer_feedback(Answer::processed_then(status));
        let sid = world.act("id").await;
        assert!(world.flush().await.is_empty(), "{status}");
        assert!(world.is_delivered(sid).await, "{status}");
        assert_eq!(world.calls().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_final_makes_a_dead_letter_at_once() {
    for (status, code) in [(400, Some(90001)), (405, Some(20004)), (410, None), (422, None)] {
        let world = World::new().await;
        world.twilio.answer_feedback(Answer::status(status));
        let sid = world.act("id").await;
        assert!(world.flush().await.is_empty(), "{status}");
        let LedgerStatus::Dead { confirmed_at, died_at, attempts, failure, .. } =
            world.status(sid).await
        else {
            panic!("{status} is final");
        };
        assert_eq!((confirmed_at, died_at, attempts.total), (START, START, 1));
        assert_eq!(failure, Failure::new(FailureKind::Rejected, Some(status), code));
        world.advance(WAIT * 10).await;
        assert_eq!(world.calls().len(), 1, "{status}");
        let stats = world.feedback.stats().delivery;
        assert_eq!((stats.dead_lettered, stats.delivered, stats.retried), (1, 0, 0));
    }
}

#[tokio::test]
async fn a_dead_letter_can_be_listed_and_sent_again() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(400).times(2));
    let mut sids = [world.act("one").await, world.act("two").await];
    world.flush().await;
    sids.sort();
    let letters = world.feedback.dead_letters(None, 10).await.expect("an answer");
    assert_eq!(letters.iter().map(|letter| letter.sid).collect::<Vec<_>>(), sids);
    let page = world.feedback.dead_letters(Some(sids[0]), 10).await.expect("an answer");
    assert_eq!(page, letters[1..]);

    let resent = world.feedback.resend(sids[0]).await.expect("an answer");
    assert_eq!(resent, ResendOutcome::Queued);
    assert!(world.flush().await.is_empty());
    assert!(world.is_delivered(sids[0]).await);
    assert_eq!(world.twilio.confirmed(), [sids[0]]);
    let again = world.feedback.resend(sids[0]).await.expect("an answer");
    assert_eq!(again, ResendOutcome::NotDead);
    assert_eq!(world.feedback.dead_letters(None, 10).await.expect("an answer").len(), 1);
}

#[tokio::test]
async fn an_answer_that_settles_nothing_is_followed_by_a_retry() {
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        let world = World::new().await;
        world.twilio.answer_feedback(Answer::status(status).times(2));
        let sid = world.act("id").await;
        for attempts in [1, 2] {
            let left = world.flush().await;
            assert_eq!(left.outbox, Some(1), "{status}");
            assert_eq!(world.attempts(sid).await, Some(attempts), "{status}");
            assert_eq!(world.calls().len(), attempts as usize, "{status}");
            world.time.advance(WAIT);
        }
        assert!(world.flush().await.is_empty(), "{status}");
        assert!(matches!(
            world.status(sid).await,
            LedgerStatus::Delivered { attempts, .. } if attempts.total == 3
        ));
        assert_eq!(world.reports(sid), 1);
        let stats = world.feedback.stats().delivery;
        assert_eq!((stats.calls, stats.retried, stats.delivered), (3, 2, 1), "{status}");
        assert_eq!(stats.throttled, if status == 429 { 2 } else { 0 });
        assert_eq!(stats.dead_lettered, 0);
    }
}

#[tokio::test]
async fn work_that_was_done_before_an_error_is_reported_twice_rather_than_lost() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::processed_then(500));
    let sid = world.act("id").await;
    world.flush().await;
    assert_eq!((world.reports(sid), world.attempts(sid).await), (1, Some(1)));
    assert!(world.advance(WAIT).await.is_empty());
    assert_eq!(world.reports(sid), 2);
}

#[tokio::test]
async fn a_missing_message_is_asked_for_over_about_ten_minutes_and_then_dead() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(404).always());
    let sid = world.act("id").await;
    world.flush().await;
    while world.attempts(sid).await.is_some() {
        assert!(world.time.now() < START + seconds(3600), "never given up");
        world.advance(seconds(5)).await;
    }
    let LedgerStatus::Dead { died_at, attempts, failure, .. } = world.status(sid).await else {
        panic!("a dead letter");
    };
    assert_eq!(failure, Failure::new(FailureKind::NotFound, Some(404), Some(20404)));
    let took = died_at.since(START);
    assert!((seconds(480)..=seconds(660)).contains(&took), "{took:?}");
    let calls = world.calls().len();
    assert!((4..=10).contains(&calls), "{calls}");
    assert_eq!(attempts.total as usize, calls);
}

#[tokio::test]
async fn a_message_that_twilio_knows_at_last_is_delivered() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(404).times(3));
    let sid = world.act("id").await;
    world.flush().await;
    assert_eq!(world.attempts(sid).await, Some(1));
    assert!(world.advance(seconds(600)).await.outbox == Some(1));
    world.advance(seconds(600)).await;
    assert!(world.advance(seconds(600)).await.is_empty());
    assert!(world.is_delivered(sid).await);
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn only_answers_of_404_in_a_row_count_towards_a_missing_message() {
    let world = World::new().await;
    for _ in 0..4 {
        world.twilio.answer_feedback(Answer::status(404).times(5));
        world.twilio.answer_feedback(Answer::status(500));
    }
    let sid = world.act("id").await;
    world.flush().await;
    for _ in 0..24 {
        world.advance(WAIT).await;
    }
    assert!(world.is_delivered(sid).await);
    assert_eq!(world.calls().len(), 25);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new().await;
    let elsewhere = crate::support::Site::new().await;
    let location = format!("{}/Accounts", elsewhere.base_url());
    for status in [301, 302, 303, 307, 308] {
        let answer = Answer::status(status).with_header("location", &location);
        world.twilio.answer_feedback(answer);
    }
    let sid = world.act("id").await;
    world.flush().await;
    for attempts in 1..=5 {
        assert_eq!(world.attempts(sid).await, Some(attempts));
        world.advance(WAIT).await;
    }
    assert!(world.is_delivered(sid).await);
    assert!(elsewhere.twilio.received().is_empty());
    assert_eq!(world.calls().len(), 6);
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_survived_whatever_the_status() {
    let large = vec![b'x'; 1 << 20];
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(500).with_body(large.clone()));
    world.twilio.answer_feedback(Answer::processed_then(200).with_body(large));
    let sid = world.act("id").await;
    world.flush().await;
    assert_eq!(world.attempts(sid).await, Some(1));
    assert!(world.advance(WAIT).await.is_empty());
    assert!(world.is_delivered(sid).await);
    assert_eq!(world.calls().len(), 2);
}

#[tokio::test]
async fn an_error_body_that_is_not_twilios_costs_only_the_code() {
    for body in ["<html>gone</html>", "{\"code\":", "[]", ""] {
        let world = World::new().await;
        world.twilio.answer_feedback(Answer::status(400).with_body(body));
        let sid = world.act("id").await;
        world.flush().await;
        let LedgerStatus::Dead { failure, .. } = world.status(sid).await else { panic!("{body}") };
        assert_eq!(failure, Failure::new(FailureKind::Rejected, Some(400), None), "{body}");
    }
}

#[tokio::test]
async fn a_call_that_hangs_ends_with_its_timeout_and_is_repeated() {
    let world = World::with(|builder| builder.call_timeout(Duration::from_millis(50))).await;
    world.twilio.answer_feedback(Answer::hang());
    let sid = world.act("id").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert_eq!(world.attempts(sid).await, Some(1));
    assert!(world.advance(WAIT).await.is_empty());
    assert!(world.is_delivered(sid).await);
}
