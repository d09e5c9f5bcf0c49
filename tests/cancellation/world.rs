//! A handle over a store of many awaits, and what has to be true of it in the end.

use tower_message_feedback::{
    MessageFeedbackBuilder, MessageSid,
    report::{Funnel, ReportQuery},
};

use crate::support::{
    Site, SwitchStore, World, credentials, guarded, in_process, seconds, settle_down,
};

/// Each operation of its store is two awaits.
pub(crate) async fn world() -> World {
    world_with(|builder| builder).await.0
}

pub(crate) async fn world_with(
    set: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
) -> (World, SwitchStore) {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time).yielding();
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let builder = builder.transport(in_process(&site.twilio));
    (site.world(set(builder)), store)
}

/// Lets pass what is looked at again, and has everything delivered.
pub(crate) async fn comes_to_rest(world: &World) {
    for _ in 0..7 {
        world.time.advance(seconds(1));
        settle_down().await;
    }
    let left = world.flush().await;
    assert!(left.is_empty(), "{left:?}");
}

/// The counters of the report, of all messages.
pub(crate) async fn total(world: &World) -> Funnel {
    let query = ReportQuery::last(seconds(24 * 3600));
    guarded(world.feedback.report(query)).await.expect("a report").total
}

/// What was confirmed is reported once, nothing is left, and it can be ended.
pub(crate) async fn is_sound(world: &World, confirmed: &[MessageSid]) {
    comes_to_rest(world).await;
    for sid in confirmed {
        assert_eq!(world.reports(*sid), 1);
    }
    assert_eq!(world.calls().len(), confirmed.len());
    let health = guarded(world.feedback.health()).await;
    assert_eq!((health.outbox, health.deferred), (Some(0), 0));
    let remaining = guarded(world.feedback.shutdown(seconds(5))).await;
    assert_eq!((remaining.outbox, remaining.deferred), (Some(0), 0));
}
