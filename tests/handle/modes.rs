//! Adopting without risk, and stopping without loss.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmation, MessageFeedbackBuilder, MessageForm, Mode, link_query,
    simulator::{Answer, Outcome},
};

use crate::support::{AC, WAIT, World, seconds};

/// Sends a text with a link through the layer; answers the status.
async fn send(world: &World, id: &str, fields: &str) -> u16 {
    let body = format!(
        "To=%2B15558675310&From=%2B15557122661&Body=code+https%3A%2F%2Fe.com%2F%3Fid%3D{id}{fields}"
    );
    let request = Request::post(format!("{}/Accounts/{AC}/Messages.json", world.server.base_url()))
        .header("authorization", "Bearer x")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(body))
        .expect("a request");
    let layer = world.feedback.provide_layer().correlate(link_query("id"));
    let response = layer.layer(world.twilio.service()).oneshot(request).await;
    response.expect("infallible").status().as_u16()
}

fn tagged(world: &World) -> usize {
    world.twilio.messages().iter().filter(|message| message.provide_feedback()).count()
}

#[tokio::test]
async fn in_observe_nothing_is_tagged_or_posted_and_what_would_be_is_counted() {
    let world = World::with(|builder| builder.mode(Mode::Observe)).await;
    assert_eq!(send(&world, "1", "").await, 201);
    assert_eq!(send(&world, "2", "&ProvideFeedback=false").await, 201);
    assert_eq!(tagged(&world), 0);
    assert_eq!(world.feedback.confirm("1").await, Confirmation::Observed);
    assert_eq!(world.feedback.confirm("2").await, Confirmation::NeverTagged);
    assert_eq!(world.feedback.confirm("3").await, Confirmation::Unknown);
    assert!(world.flush().await.is_empty());
    assert!(world.calls().is_empty());
    let stats = world.feedback.stats();
    assert_eq!((stats.sends.observed, stats.sends.tagged, stats.sends.declined), (1, 0, 1));
    assert_eq!((stats.confirms.observed, stats.confirms.queued), (1, 0));
    assert_eq!((stats.confirms.never_tagged, stats.confirms.unknown), (1, 1));

    // Switched on, the next send under the same id is tracked.
    world.feedback.set_mode(Mode::On);
    assert_eq!(world.feedback.mode(), Mode::On);
    send(&world, "1", "").await;
    assert_eq!(tagged(&world), 1);
    assert_eq!(world.feedback.confirm("1").await, Confirmation::Queued);
    assert!(world.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 1);
}

#[tokio::test]
async fn off_leaves_sends_alone_and_counts_nothing() {
    let world = World::with(|builder| builder.mode(Mode::Off)).await;
    assert_eq!(send(&world, "1", "").await, 201);
    assert_eq!(tagged(&world), 0);
    assert_eq!(world.feedback.stats().sends, Default::default());
    assert_eq!(world.feedback.confirm("1").await, Confirmation::Unknown);
}

#[tokio::test]
async fn what_was_tagged_waits_while_the_mode_is_not_on() {
    for mode in [Mode::Observe, Mode::Off] {
        let world = World::new().await;
        send(&world, "1", "").await;
        world.feedback.set_mode(mode);
        assert_eq!(world.feedback.confirm("1").await, Confirmation::Queued);
        assert_eq!(world.flush().await.outbox, Some(1));
        assert_eq!(world.advance(seconds(3600)).await.outbox, Some(1));
        assert!(world.calls().is_empty());
        world.feedback.set_mode(Mode::On);
        assert!(world.flush().await.is_empty());
        assert_eq!(world.twilio.messages()[0].outcome(), Outcome::Confirmed);
    }
}

#[tokio::test]
async fn an_origin_may_differ_from_the_whole() {
    let world = World::new().await;
    let origin = world.server.base_url();
    send(&world, "1", "").await;
    world.feedback.set_origin_mode(&origin, Some(Mode::Off));
    send(&world, "2", "").await;
    assert_eq!(tagged(&world), 1);
    assert_eq!(world.feedback.confirm("1").await, Confirmation::Queued);
    assert_eq!(world.flush().await.outbox, Some(1));
    assert!(world.calls().is_empty());
    world.feedback.set_origin_mode(&origin, None);
    assert!(world.advance(WAIT).await.is_empty());
    assert_eq!(world.calls().len(), 1);

    // The other way round: all is off but this origin.
    world.feedback.set_mode(Mode::Off);
    world.feedback.set_origin_mode(&origin, Some(Mode::On));
    send(&world, "3", "").await;
    assert_eq!(world.feedback.confirm("3").await, Confirmation::Queued);
    assert!(world.flush().await.is_empty());
}

#[tokio::test]
async fn the_builder_sets_an_origins_mode_and_names_a_bad_one() {
    let at =
        |url: String| move |builder: MessageFeedbackBuilder| builder.origin_mode(url, Mode::Off);
    let world = World::with(at("https://api.twilio.com".to_owned())).await;
    send(&world, "1", "").await;
    assert_eq!(tagged(&world), 1);
    let error = at("nowhere".to_owned())(tower_message_feedback::MessageFeedback::builder());
    assert_eq!(error.build().expect_err("no origin").setting(), "origin_mode");
}

#[tokio::test]
async fn delivery_is_paused_and_resumed() {
    let world = World::new().await;
    world.feedback.pause_delivery();
    let sid = world.act("id").await;
    assert_eq!(world.advance(seconds(3600)).await.outbox, Some(1));
    assert!(world.calls().is_empty());
    world.feedback.resume_delivery();
    assert!(world.flush().await.is_empty());
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_what_is_paused() {
    let world = World::new().await;
    world.feedback.pause_delivery();
    world.act("id").await;
    let left = crate::support::guarded(world.feedback.shutdown(seconds(15))).await;
    assert_eq!(left.outbox, Some(1));
}

#[tokio::test]
async fn a_veto_keeps_a_send_untagged_and_its_confirm_is_told_so() {
    let codes_only = |form: &MessageForm<'_>| form.get("Body").is_some_and(|b| b.contains("code"));
    let world = World::with(|builder| builder.tag_if(codes_only)).await;
    send(&world, "1", "").await;
    send(&world, "2", "&Body=news+https%3A%2F%2Fe.com%2F%3Fid%3D2").await;
    assert_eq!(tagged(&world), 2, "the first Body counts");
    let world = World::with(|builder| builder.tag_if(|_| false)).await;
    send(&world, "1", "").await;
    assert_eq!((tagged(&world), world.feedback.stats().sends.vetoed), (0, 1));
    assert_eq!(world.feedback.confirm("1").await, Confirmation::NeverTagged);
    // What the application tags itself is its own decision.
    send(&world, "2", "&ProvideFeedback=true").await;
    assert_eq!((tagged(&world), world.feedback.stats().sends.already_tagged), (1, 1));
}

#[tokio::test]
async fn a_tag_without_an_id_is_counted() {
    let world = World::new().await;
    send(&world, "", "&ProvideFeedback=true").await;
    send(&world, "", "").await;
    let sends = world.feedback.stats().sends;
    assert_eq!((sends.tagged_without_id, sends.without_id), (1, 2));
}

#[tokio::test]
async fn feedback_gives_way_to_a_send_that_met_the_accounts_limit() {
    let world = World::with(|builder| builder.max_in_flight(4)).await;
    world.twilio.answer_create(Answer::status(429));
    assert_eq!(send(&world, "1", "").await, 429);
    for n in 0..8 {
        world.act(&format!("id {n}")).await;
    }
    // Paused at first, for at most the first wait of the policy, and then halved.
    assert_eq!(world.flush().await.outbox, Some(8));
    assert!(world.calls().is_empty());
    assert!(world.advance(WAIT).await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 8);
}
