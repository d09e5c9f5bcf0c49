//! A send through the layer, and the body of its answer.

#[path = "../outgoing/script.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod script;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::task::yield_now;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_message_feedback::{Confirmation, MessageSid, link_query, simulator::Simulator};

use self::script::{Script, Step, split};
use crate::{
    cut::{Cut, at_each_await},
    support::{AC, World, guarded},
    world::{comes_to_rest, is_sound, world},
};

const FORM: &str = "To=%2B15558675310&From=%2B15557122661\
                    &Body=Open%20https%3A%2F%2Fexample.com%2Fc%3Fid%3D1234567890";

/// Every frame comes after an await.
fn slow(text: &str) -> Script {
    let frames = split(text, 3).into_iter();
    Script::sized(text.len(), frames.flat_map(|frame| [Step::Yield, frame]))
}

/// A client whose every step is an await.
fn client(
    twilio: &Simulator,
) -> impl Service<Request<Script>, Response = Response<Script>, Error: std::fmt::Debug> + Clone + use<>
{
    let twilio = twilio.clone();
    service_fn(move |request: Request<Script>| {
        let twilio = twilio.clone();
        async move {
            yield_now().await;
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let request = Request::from_parts(parts, Full::new(body));
            let (parts, body) =
                twilio.service().oneshot(request).await.expect("infallible").into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            yield_now().await;
            let text = std::str::from_utf8(&body).expect("JSON");
            Ok::<_, script::Failed>(Response::from_parts(parts, slow(text)))
        }
    })
}

fn create(world: &World) -> Request<Script> {
    Request::post(format!("{}/Accounts/{AC}/Messages.json", world.server.base_url()))
        .header("authorization", "Bearer of-the-sender")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(slow(FORM))
        .expect("a request")
}

/// Each send is remembered or counted as one that was given up, whenever that was; what was
/// remembered can be confirmed.
async fn is_accounted_for(world: &World) {
    comes_to_rest(world).await;
    let sent: Vec<MessageSid> =
        world.twilio.messages().iter().map(|message| message.sid()).collect();
    let stats = world.feedback.stats().sends;
    // Dropped while the store has it, a record is tried again and there already.
    let recorded = stats.recorded + stats.already_recorded;
    assert_eq!(stats.tagged, recorded + stats.abandoned, "{stats:?}");
    assert!(sent.len() <= 1 && recorded <= sent.len() as u64);
    let confirmed = guarded(world.feedback.confirm("1234567890")).await;
    let expected = if recorded == 1 { Confirmation::Queued } else { Confirmation::Unknown };
    assert_eq!(confirmed, expected);
    is_sound(world, &sent[..recorded as usize]).await;
}

async fn send(cut: Cut) {
    let world = world().await;
    let layer = world.feedback.provide_layer().correlate(link_query("id"));
    let response = cut.drive(layer.layer(client(&world.twilio)).oneshot(create(&world))).await;
    if let Some(response) = response {
        assert_eq!(response.expect("an answer").status(), 201);
        assert_eq!(world.feedback.stats().sends.recorded, 1);
    }
    is_accounted_for(&world).await;
}

#[tokio::test]
async fn a_send_is_recorded_or_counted_as_given_up() {
    let polls = at_each_await(send).await;
    assert!(polls > 8, "{polls}");
}

#[tokio::test]
async fn a_body_that_is_not_read_to_its_end_loses_nothing() {
    at_each_await(|cut| async move {
        let world = world().await;
        let layer = world.feedback.provide_layer().correlate(link_query("id"));
        let response = guarded(layer.layer(client(&world.twilio)).oneshot(create(&world))).await;
        let body = response.expect("an answer").into_body();
        if let Some(body) = cut.drive(body.collect()).await {
            let body: Bytes = body.expect("a body").to_bytes();
            let sid = world.twilio.messages()[0].sid().to_string();
            assert!(std::str::from_utf8(&body).expect("JSON").contains(&sid));
        }
        assert_eq!(world.feedback.stats().sends.recorded, 1);
        is_accounted_for(&world).await;
    })
    .await;
}

/// What is no create is let through, and dropped as it would be without the layer.
#[tokio::test]
async fn another_request_leaves_nothing() {
    at_each_await(|cut| async move {
        let world = world().await;
        let layer = world.feedback.provide_layer();
        let uri = format!("{}/Accounts/{AC}/Messages/SM0.json", world.server.base_url());
        let request = Request::get(uri).body(Script::default()).expect("a request");
        drop(cut.drive(layer.layer(client(&world.twilio)).oneshot(request)).await);
        assert_eq!(world.feedback.stats().sends, Default::default());
        is_sound(&world, &[]).await;
    })
    .await;
}
