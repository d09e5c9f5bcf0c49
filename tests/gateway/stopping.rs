//! The end.

use std::time::Duration;

use tower_message_feedback::simulator::Answer;

use crate::support::*;

#[tokio::test]
async fn what_is_under_way_is_answered_and_reported_before_it_ends() {
    let world = World::new().await;
    let sid = world.sent().await;
    world.twilio.answer_create(Answer::normal().after(Duration::from_millis(300)));
    let sending = tokio::spawn(world.create().send());
    soon("the create arrives", async {
        while world.twilio.received().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    world.feedback.pause_delivery();
    world.confirm(&[("to", TO)]).await;
    world.stop.notify_one();
    let answer = soon("an answer", sending).await.unwrap().expect("an answer");
    assert_eq!(answer.status(), 201);
    soon("the end", world.stopped).await.expect("no panic");
    assert!(world.client.get(format!("{}/health", world.url)).send().await.is_err());
    world.feedback.resume_delivery();
    let left = soon("the feedback", world.feedback.shutdown(Duration::from_secs(30))).await;
    assert_eq!(left.outbox, Some(0));
    assert_eq!(world.twilio.confirmed(), [sid]);
}
