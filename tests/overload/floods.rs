//! Floods of what is no user's action.

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{Layer, ServiceExt, service_fn};
use tower_message_feedback::{
    Confirmation, ManualClock, MessageFeedback, link_query,
    source::{header, query},
};

use crate::{
    heap::{alone, held, is_flat},
    support::{AC, Op, START, SwitchStore, World, seconds},
};

const MANY: usize = 12_000;
const X_ID: http::HeaderName = http::HeaderName::from_static("x-id");

fn routes(feedback: &MessageFeedback) -> Router {
    Router::new()
        .route("/go", get(|| async { "Thank you!" }).layer(feedback.confirm_layer(query("id"))))
        .route("/of", get(|| async { "Thank you!" }).layer(feedback.confirm_layer(header(X_ID))))
}

async fn asked(routes: &Router, request: http::request::Builder) -> StatusCode {
    let request = request.body(Body::empty()).expect("a request");
    let response = routes.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    drop(response.into_body().collect().await);
    status
}

#[tokio::test]
async fn a_flood_of_unknown_ids_is_held_in_its_bound_and_harms_no_user() {
    let _alone = alone().await;
    let world = World::with(|builder| builder.wait_for_record(1_000, seconds(60))).await;
    let routes = routes(&world.feedback);
    let known = world.send("a user's").await;
    let mut held_then = 0;
    for n in 0..MANY {
        let guess = Request::get(format!("/go?id=guess-{n:x}-of-very-many"));
        assert_eq!(asked(&routes, guess).await, 200);
        if n == MANY / 4 {
            held_then = held();
        }
    }
    is_flat(held_then, held());
    assert_eq!(world.calls().len(), 0);
    assert_eq!(asked(&routes, Request::get("/go?id=a%20user's")).await, 200);
    assert!(world.flush().await.outbox == Some(0));
    assert_eq!(world.reports(known), 1);
    assert_eq!(world.calls().len(), 1);
}

#[tokio::test]
async fn long_ids_are_no_ids_and_cost_nothing() {
    let _alone = alone().await;
    let store = SwitchStore::new(&ManualClock::new(START));
    let world = World::with(|builder| builder.store(store.clone())).await;
    let routes = routes(&world.feedback);
    let long = "x".repeat(60_000);
    let mut held_then = 0;
    for n in 0..MANY / 20 {
        assert_eq!(asked(&routes, Request::get(format!("/go?id={long}{n}"))).await, 200);
        assert_eq!(asked(&routes, Request::get("/of").header(X_ID, &long)).await, 200);
        assert_eq!(world.feedback.confirm(long.as_str()).await, Confirmation::NoId);
        if n == 100 {
            held_then = held();
        }
    }
    is_flat(held_then, held());
    assert_eq!(store.calls(Op::Confirm), 0);
}

#[tokio::test]
async fn a_flood_of_prefetches_asks_the_store_for_nothing() {
    let _alone = alone().await;
    let store = SwitchStore::new(&ManualClock::new(START));
    let world = World::with(|builder| builder.store(store.clone())).await;
    let routes = routes(&world.feedback);
    let sid = world.send("previewed").await;
    let preview = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)";
    for n in 0..MANY {
        let request = match n % 3 {
            0 => Request::head("/go?id=previewed"),
            1 => Request::get("/go?id=previewed").header("sec-purpose", "prefetch"),
            _ => Request::get("/go?id=previewed").header("user-agent", preview),
        };
        assert_eq!(asked(&routes, request).await, 200);
    }
    assert_eq!(store.calls(Op::Confirm), 0);
    assert_eq!(world.reports(sid), 0);
    assert_eq!(world.feedback.stats().confirms.not_an_action, MANY as u64);
}

fn create(body: Body) -> Request<Body> {
    Request::post(format!("https://api.twilio.com/2010-04-01/Accounts/{AC}/Messages.json"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .expect("a request")
}

/// Many sends at once, whose answers come byte by byte and never end: each is given on
/// once the bound on reading them is over, and none holds up another.
#[tokio::test(start_paused = true)]
async fn answers_that_trickle_hold_up_each_send_for_its_bound_alone() {
    let _alone = alone().await;
    const SENDS: usize = 1_000;
    let bound = seconds(1);
    let world = World::without_socket(|builder| builder.receipt_bounds(64 * 1024, bound)).await;
    let trickling = service_fn(|_: Request<Body>| async {
        let bytes = futures_util::stream::iter(0_u64..).then(|_| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b" ")))
        });
        Ok::<_, std::convert::Infallible>(Response::new(StreamBody::new(bytes.boxed())))
    });
    let twilio = world.feedback.provide_layer().correlate(link_query("id")).layer(trickling);
    let began = tokio::time::Instant::now();
    let sends = (0..SENDS).map(|n| {
        let form = format!("To=%2B1&Body=https%3A%2F%2Fa.example%3Fid%3D{n}");
        twilio.clone().oneshot(create(Body::from(form)))
    });
    let before = held();
    let answers = futures_util::future::join_all(sends).await;
    assert!(began.elapsed() <= bound + Duration::from_millis(10), "{:?}", began.elapsed());
    // What was read by then is given on, and the rest as it comes.
    for answer in answers {
        let mut body = answer.expect("an answer").into_body();
        for _ in 0..15 {
            let frame = body.frame().await.expect("more").expect("no error");
            assert_eq!(frame.into_data().expect("data"), " ");
        }
    }
    drop(twilio);
    is_flat(before, held());
    assert_eq!(world.feedback.stats().sends.tagged, SENDS as u64);
    assert_eq!(world.feedback.stats().sends.recorded, 0);
}

/// A body whose size nobody knows is not waited for: it may never end.
#[tokio::test(start_paused = true)]
async fn forms_that_trickle_pass_untouched_and_at_once() {
    let _alone = alone().await;
    let world = World::without_socket(|builder| builder).await;
    let at_once = service_fn(|request: Request<Body>| async move {
        let mut body = request.into_body();
        let first = body.frame().await.expect("a frame").expect("no error");
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(
            first.into_data().expect("data"),
        )))
    });
    let twilio = world.feedback.provide_layer().correlate(link_query("id")).layer(at_once);
    let began = tokio::time::Instant::now();
    for _ in 0..1_000 {
        let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("To=%2B1")]);
        let never = first.chain(futures_util::stream::pending());
        let answer = twilio.clone().oneshot(create(Body::from_stream(never))).await;
        let body = answer.expect("an answer").into_body().collect().await.expect("no error");
        assert_eq!(body.to_bytes(), "To=%2B1");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}
