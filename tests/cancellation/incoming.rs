//! Routes that confirm: their futures, and what handlers wait for.

use axum::{
    Form, Router,
    body::Body,
    extract::Query,
    routing::{get, post},
};
use http::{Request, Response};
use serde::Deserialize;
use tokio::task::yield_now;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_message_feedback::{
    Confirmed, CorrelationId, MessageFeedback, MessageSid, Tracked, TrackedAction, source::query,
    store::LedgerStatus,
};

use crate::{
    cut::{Cut, at_each_await},
    support::{World, guarded},
    world::{comes_to_rest, is_sound, world},
};

#[derive(Deserialize)]
struct Action {
    id: String,
}

impl TrackedAction for Action {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some(self.id.as_str().into())
    }
}

/// Whatever was dropped, the message is confirmed or not, and reported if it is.
async fn is_whole(world: &World, sid: MessageSid, answered: bool) {
    comes_to_rest(world).await;
    let is_reported = world.reports(sid) == 1;
    let status = world.status(sid).await;
    match is_reported {
        true => assert!(matches!(status, LedgerStatus::Delivered { .. }), "{status:?}"),
        false => assert_eq!(status, LedgerStatus::Pending),
    }
    assert!(is_reported || !answered, "it was answered and not reported");
    // What was not confirmed can be.
    assert!(guarded(world.feedback.confirm("1")).await.is_confirmed());
    is_sound(world, &[sid]).await;
}

/// Calls a route, dropped at each await; answers at how many of them the feedback was
/// reported all the same.
async fn each<S, F>(route: impl Fn(&MessageFeedback) -> S, request: F)
where
    S: Service<Request<Body>, Response = Response<Body>, Error: std::fmt::Debug>,
    F: Fn() -> Request<Body>,
{
    let scenario = async |cut: Cut| {
        let world = world().await;
        let sid = world.send("1").await;
        let response = cut.drive(route(&world.feedback).oneshot(request())).await;
        if let Some(response) = &response {
            assert_eq!(response.as_ref().expect("an answer").status(), 200);
        }
        is_whole(&world, sid, response.is_some()).await;
    };
    let polls = at_each_await(scenario).await;
    assert!(polls > 2, "{polls}");
}

fn clicked() -> Request<Body> {
    Request::get("/?id=1").body(Body::empty()).expect("a request")
}

fn posted() -> Request<Body> {
    Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("id=1"))
        .expect("a request")
}

#[tokio::test]
async fn a_route_behind_the_layer() {
    let route = service_fn(|_: Request<Body>| async {
        yield_now().await;
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    each(|feedback| feedback.confirm_layer(query("id")).layer(route), clicked).await;
}

#[tokio::test]
async fn a_handler_that_confirms() {
    async fn handler(action: Tracked<Form<Action>>) {
        yield_now().await;
        assert!(action.confirm().await.is_confirmed());
        yield_now().await;
    }
    each(|feedback| Router::new().route("/", post(handler)).layer(feedback.layer()), posted).await;
}

#[tokio::test]
async fn a_handler_that_confirms_an_id_of_its_own() {
    async fn handler(action: Tracked<Query<Action>>) {
        assert!(action.confirm_id(action.id.clone()).await.is_confirmed());
        yield_now().await;
    }
    each(|feedback| Router::new().route("/", get(handler)).layer(feedback.layer()), clicked).await;
}

#[tokio::test]
async fn a_handler_whose_good_answer_confirms() {
    async fn handler(Confirmed(_): Confirmed<Query<Action>>) {
        yield_now().await;
    }
    each(|feedback| Router::new().route("/", get(handler)).layer(feedback.layer()), clicked).await;
}
