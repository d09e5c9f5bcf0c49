//! Before the first send, and for whoever watches.

use std::time::Duration;

use tower_message_feedback::{
    BaseUrl, Credentials, DispatcherState, PreflightVerdict, simulator::Answer,
};

use crate::support::{
    AC, Mode, OTHER_AC, Op, Site, SwitchStore, World, account, credentials, guarded,
    other_credentials, seconds,
};

async fn verdicts(world: &World) -> Vec<PreflightVerdict> {
    let preflight = guarded(world.feedback.preflight(world.server.base_url())).await;
    preflight.accounts.iter().map(|account| account.verdict).collect()
}

#[tokio::test]
async fn a_preflight_tells_which_credentials_may_post_and_changes_nothing() {
    let site = Site::new().await;
    site.twilio.accept_only([credentials()]);
    let builder = site.builder().credentials(credentials()).credentials(other_credentials());
    let world = site.world(builder);
    let preflight = guarded(world.feedback.preflight(world.server.base_url())).await;
    assert!(preflight.store);
    assert!(!preflight.is_ok());
    let mut found: Vec<_> =
        preflight.accounts.iter().map(|found| (found.account, found.verdict)).collect();
    found.sort_by_key(|(account, _)| *account);
    let mut expected = vec![
        (account(AC), PreflightVerdict::Accepted),
        (account(OTHER_AC), PreflightVerdict::Refused { status: 401, code: Some(20003) }),
    ];
    expected.sort_by_key(|(account, _)| *account);
    assert_eq!(found, expected);
    assert!(world.twilio.messages().is_empty() && world.twilio.confirmed().is_empty());
    let mut delivery = world.feedback.stats().delivery;
    assert!((1..=2).contains(&delivery.connections));
    delivery.connections = 0;
    assert_eq!(delivery, Default::default());
    assert_eq!(world.feedback.health().await.open_circuits, 0);
}

#[tokio::test]
async fn a_preflight_tells_what_each_answer_means() {
    let world = World::with(|builder| builder.call_timeout(Duration::from_millis(50))).await;
    for (answer, expected) in [
        (Answer::normal(), PreflightVerdict::Accepted),
        (Answer::status(403), PreflightVerdict::Refused { status: 403, code: Some(20008) }),
        (Answer::status(503), PreflightVerdict::Unclear { status: 503 }),
        (Answer::status(200), PreflightVerdict::Unclear { status: 200 }),
        (Answer::hang(), PreflightVerdict::Unreachable),
    ] {
        world.twilio.answer_feedback(answer);
        assert_eq!(verdicts(&world).await, [expected]);
    }
    let elsewhere: BaseUrl = "https://example.com/2010-04-01".parse().expect("a URL");
    let preflight = guarded(world.feedback.preflight(elsewhere)).await;
    assert_eq!(preflight.accounts[0].verdict, PreflightVerdict::OriginNotAllowed);
}

#[tokio::test]
async fn a_preflight_tells_that_the_store_cannot_be_written() {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    store.set(Op::Forget, Mode::Fails);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let world = site.world(builder);
    let preflight = guarded(world.feedback.preflight(world.server.base_url())).await;
    assert!(!preflight.store && !preflight.is_ok());
    store.set(Op::Forget, Mode::Works);
    assert!(guarded(world.feedback.preflight(world.server.base_url())).await.is_ok());
}

#[tokio::test]
async fn a_preflight_ends_with_the_dispatcher() {
    let world = World::new().await;
    let _ = guarded(world.feedback.shutdown(seconds(5))).await;
    assert!(verdicts(&world).await.is_empty());
}

#[tokio::test]
async fn health_tells_how_long_feedback_has_waited() {
    let world = World::new().await;
    world.flush().await;
    let health = world.feedback.health().await;
    assert!(health.is_ok());
    assert_eq!((health.outbox, health.oldest_outbox_age), (Some(0), None));
    world.twilio.answer_feedback(Answer::status(500).always());
    world.act("id").await;
    world.flush().await;
    world.time.advance(seconds(90));
    let health = world.feedback.health().await;
    assert_eq!((health.outbox, health.oldest_outbox_age), (Some(1), Some(seconds(90))));
    assert_eq!(health.dispatcher, DispatcherState::Running);
}

#[tokio::test]
async fn health_tells_that_the_store_does_not_answer() {
    for mode in [Mode::Fails, Mode::Hangs] {
        let site = Site::new().await;
        let store = SwitchStore::new(&site.time);
        let builder = site.builder().credentials(credentials()).store(store.clone());
        let world = site.world(builder.store_timeout(Duration::from_millis(20)));
        store.set(Op::Counts, mode);
        let health = guarded(world.feedback.health()).await;
        assert!(!health.store && !health.is_ok());
        assert_eq!(health.outbox, None);
    }
}

#[tokio::test]
async fn credentials_of_a_provider_alone_are_not_preflown() {
    let site = Site::new().await;
    let provider = |_| -> Option<Credentials> { Some(credentials()) };
    let builder = site.builder().credentials_provider(provider);
    let world = site.world(builder);
    assert!(verdicts(&world).await.is_empty());
}
