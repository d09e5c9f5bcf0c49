//! The README's handler: a wrong code reports nothing, the right one does.

use axum::{
    Form, Router,
    extract::Query,
    http::StatusCode,
    response::Redirect,
    routing::{get, post},
};
use tower_message_feedback::{Recorded, Tracked, store::Resends};

use crate::support::{CONFIRMATION, Link, Login, Site, Told, World, soon, told};

async fn verify(action: Tracked<Form<Login>>) -> Result<(Told, Redirect), StatusCode> {
    if action.code != "4711" {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok((told(action.confirm().await), Redirect::to("/welcome")))
}

/// Confirms whatever the code is, and then fails.
async fn confirm_and_fail(action: Tracked<Form<Login>>) -> (StatusCode, Told) {
    (StatusCode::INTERNAL_SERVER_ERROR, told(action.confirm().await))
}

async fn clicked(action: Tracked<Query<Link>>) -> Told {
    told(action.confirm().await)
}

async fn site(world: &World) -> Site {
    let app = Router::new()
        .route("/login", post(verify))
        .route("/broken", post(confirm_and_fail))
        .route("/clicked", get(clicked))
        .layer(world.feedback.layer());
    Site::axum(app).await
}

#[tokio::test]
async fn a_wrong_code_reports_nothing_and_the_right_one_then_reports() {
    let world = World::new().await;
    let sid = world.sent("a1").await;
    let site = site(&world).await;
    for _ in 0..3 {
        assert_eq!(site.post_form("/login", "attempt=a1&code=0000").await.status, 401);
    }
    world.nothing_reported().await;
    let reply = site.post_form("/login", "attempt=a1&code=4711").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/welcome"));
    assert_eq!(reply.header(CONFIRMATION), "Queued");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn the_right_code_twice_reports_once_and_says_so() {
    let world = World::new().await;
    let sid = world.sent("a1").await;
    let site = site(&world).await;
    for told in ["Queued", "AlreadyConfirmed", "AlreadyConfirmed"] {
        let reply = site.post_form("/login", "attempt=a1&code=4711").await;
        assert_eq!(reply.header(CONFIRMATION), told);
    }
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn the_newest_of_three_resends_is_confirmed() {
    let world = World::new().await;
    let sids = [world.sent("a1").await, world.sent("a1").await, world.sent("a1").await];
    site(&world).await.post_form("/login", "attempt=a1&code=4711").await;
    world.reported(&sids[2..]).await;
}

#[tokio::test]
async fn the_newest_is_the_one_sent_last_in_whatever_order_they_were_recorded() {
    let world = World::new().await;
    let now = std::time::SystemTime::now();
    let mut sids = Vec::new();
    for seconds in [1, 3, 2] {
        let message = world.create().await.sent_at(now + std::time::Duration::from_secs(seconds));
        assert_eq!(world.feedback.record("a1", message).await, Recorded::Recorded);
        sids.push(world.last());
    }
    site(&world).await.post_form("/login", "attempt=a1&code=4711").await;
    world.reported(&sids[1..2]).await;
}

#[tokio::test]
async fn all_resends_are_confirmed_where_the_application_says_so() {
    let world = World::with(|builder| builder.resends(Resends::All)).await;
    let sids = [world.sent("a1").await, world.sent("a1").await, world.sent("a1").await];
    site(&world).await.post_form("/login", "attempt=a1&code=4711").await;
    let all = world.twilio.wait_until(|twilio| twilio.confirmed().len() == 3);
    soon("three reports", all).await;
    assert!(world.feedback.flush().await.is_empty());
    for sid in sids {
        assert_eq!(world.twilio.message(sid).expect("a message").feedback_count(), 1);
    }
}

#[tokio::test]
async fn what_the_handler_confirmed_stays_confirmed_whatever_it_answers() {
    let world = World::new().await;
    let sid = world.sent("a1").await;
    let reply = site(&world).await.post_form("/broken", "attempt=a1&code=").await;
    assert_eq!((reply.status, reply.header(CONFIRMATION)), (500, "Queued"));
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn an_unknown_id_is_told_to_the_handler() {
    let world = World::new().await;
    let reply = site(&world).await.post_form("/login", "attempt=zz&code=4711").await;
    assert_eq!((reply.status, reply.header(CONFIRMATION)), (303, "Unknown"));
    world.nothing_reported().await;
    assert_eq!(world.confirms().unknown, 1);
}

#[tokio::test]
async fn an_action_without_an_id_or_with_one_that_cannot_be_is_told_so() {
    let world = World::new().await;
    world.sent("1").await;
    let site = site(&world).await;
    let huge = format!("/clicked?id={}", "x".repeat(10 * 1024));
    for path in ["/clicked", "/clicked?id=", &huge] {
        let reply = site.get(path).await;
        assert_eq!((reply.status, reply.header(CONFIRMATION)), (200, "NoId"));
    }
    world.nothing_reported().await;
}

#[tokio::test]
async fn after_the_shutdown_the_handler_is_told_that_it_was_refused() {
    let world = World::new().await;
    world.sent("a1").await;
    let site = site(&world).await;
    let _ = world.feedback.shutdown(std::time::Duration::from_secs(5)).await;
    let reply = site.post_form("/login", "attempt=a1&code=4711").await;
    assert_eq!((reply.status, reply.header(CONFIRMATION)), (303, "Refused(ShutDown)"));
    world.nothing_reported().await;
}
