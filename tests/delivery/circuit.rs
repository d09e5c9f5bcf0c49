//! Credentials that Twilio refuses, or that are missing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tower_message_feedback::{Credentials, simulator::Answer};

use crate::support::{
    AC, OTHER_AC, Site, WAIT, World, credentials, other_credentials, patient, seconds,
};

/// The first probe comes within this long.
const PROBE: std::time::Duration = seconds(10);

#[tokio::test]
async fn refused_credentials_lose_nothing_and_spend_no_attempt() {
    for status in [401, 403] {
        let policy = patient().give_up_after(WAIT);
        let world = World::with(|builder| builder.retry_policy(policy)).await;
        world.twilio.answer_feedback(Answer::status(status).always());
        let mut sids = Vec::new();
        for n in 0..5 {
            sids.push(world.act(&format!("id {n}")).await);
        }
        assert_eq!(world.flush().await.outbox, Some(5));
        for _ in 0..20 {
            world.advance(WAIT).await;
        }
        for sid in &sids {
            assert_eq!(world.attempts(*sid).await, Some(0), "{status}");
        }
        assert_eq!(world.feedback.health().await.open_circuits, 1);
        assert!(!world.feedback.health().await.is_ok());
        let stats = world.feedback.stats().delivery;
        assert_eq!((stats.dead_lettered, stats.delivered), (0, 0));
        assert_eq!(stats.unauthorized, stats.calls);

        world.twilio.answer_feedback(Answer::normal());
        assert!(world.advance(WAIT).await.is_empty(), "{status}");
        assert_eq!(world.twilio.confirmed().len(), 5);
        assert!(world.feedback.health().await.is_ok());
    }
}

#[tokio::test]
async fn an_open_circuit_lets_one_probe_through_at_a_time_and_ever_more_rarely() {
    let world = World::with(|builder| builder.max_in_flight(2)).await;
    world.twilio.answer_feedback(Answer::status(401).always());
    for n in 0..10 {
        world.act(&format!("id {n}")).await;
    }
    world.flush().await;
    let opened = world.calls().len();
    assert!((1..=2).contains(&opened), "{opened} calls opened it");
    world.flush().await;
    world.advance(seconds(7)).await;
    assert_eq!(world.calls().len(), opened, "a probe before its time");
    // The waits are 10, 20, 40 … seconds, less up to a quarter.
    for (n, probe) in [10, 20, 40, 80, 160, 300, 300].into_iter().enumerate() {
        world.advance(seconds(probe)).await;
        assert_eq!(world.calls().len(), opened + n + 1, "one probe after {probe} s");
    }
}

#[tokio::test]
async fn once_a_probe_is_accepted_everything_goes_at_once() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(403).times(8));
    for n in 0..20 {
        world.act(&format!("id {n}")).await;
    }
    assert_eq!(world.flush().await.outbox, Some(20));
    assert_eq!(world.calls().len(), 8);
    assert!(world.advance(PROBE).await.is_empty());
    assert_eq!(world.calls().len(), 28);
    assert_eq!(world.feedback.health().await.open_circuits, 0);
}

#[tokio::test]
async fn another_account_is_not_held_up() {
    let world = World::with(|builder| builder.credentials(other_credentials())).await;
    let refused = world.send("refused").await;
    let mut good = Vec::new();
    for n in 0..10 {
        good.push(world.send_of(OTHER_AC, &format!("good {n}")).await);
    }
    world.twilio.accept_only([other_credentials()]);
    let _ = world.feedback.confirm("refused").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    for n in 0..10 {
        let _ = world.feedback.confirm(format!("good {n}")).await;
    }
    assert_eq!(world.flush().await.outbox, Some(1));
    assert_eq!(world.twilio.confirmed().len(), 10);
    assert_eq!(world.attempts(refused).await, Some(0));

    world.twilio.accept_only([credentials(), other_credentials()]);
    assert!(world.advance(PROBE).await.is_empty());
    assert!(world.is_delivered(refused).await);
}

#[tokio::test]
async fn an_account_without_credentials_waits_for_some() {
    let site = Site::new().await;
    let there = Arc::new(AtomicBool::new(false));
    let provider = {
        let there = there.clone();
        move |_| there.load(SeqCst).then(other_credentials)
    };
    let builder = site.builder().credentials(credentials()).credentials_provider(provider);
    let world = site.world(builder);
    let waiting = world.act_of(OTHER_AC, "waiting").await;
    let served = world.act_of(AC, "served").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert!(world.is_delivered(served).await);
    for _ in 0..5 {
        world.advance(WAIT).await;
    }
    assert_eq!(world.attempts(waiting).await, Some(0));
    assert_eq!(world.calls().len(), 1, "no call without credentials");
    assert_eq!(world.feedback.health().await.open_circuits, 1);
    there.store(true, SeqCst);
    assert!(world.advance(WAIT).await.is_empty());
    assert!(world.is_delivered(waiting).await);
}

#[tokio::test]
async fn credentials_of_another_account_are_not_used() {
    let site = Site::new().await;
    let provider = |_| Credentials::auth_token(OTHER_AC, "not yours").ok();
    let builder = site.builder().credentials_provider(provider);
    let world = site.world(builder);
    let sid = world.act("id").await;
    assert_eq!(world.flush().await.outbox, Some(1));
    assert!(world.calls().is_empty());
    assert_eq!(world.attempts(sid).await, Some(0));
}

#[tokio::test]
async fn a_probe_that_dies_on_the_way_does_not_close_the_circuit() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(401));
    world.twilio.answer_feedback(Answer::status(503));
    let sid = world.act("id").await;
    world.flush().await;
    world.advance(PROBE).await;
    assert_eq!(world.attempts(sid).await, Some(1));
    assert_eq!(world.feedback.health().await.open_circuits, 1);
    assert!(world.advance(WAIT).await.is_empty());
    assert_eq!(world.feedback.health().await.open_circuits, 0);
}
