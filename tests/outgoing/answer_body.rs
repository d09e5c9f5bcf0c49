//! The named body type of answers, as those see it who do not read it frame by
//! frame.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_message_feedback::{link_query, outgoing::ProvideFeedbackBody};

use crate::{
    script::{Failed, Script, Step, split},
    support::*,
};

#[tokio::test]
async fn a_body_tells_its_size_and_its_end_as_it_did() {
    let feedback = feedback(ORIGIN);
    let length = receipt().len() as u64;
    // Read by the layer.
    let response = answered(&feedback, || created(full(&receipt()))).await;
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(length));
    assert!(!body.is_end_stream());
    assert!(body.frame().await.is_some());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());

    // In several frames.
    let steps = || split(&receipt(), 2);
    let response =
        answered(&feedback, move || created(Script::sized(receipt().len(), steps()))).await;
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(length));
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(body.size_hint().exact(), Some(length - first.len() as u64));

    // Of unknown size.
    let response = answered(&feedback, move || created(Script::new(steps()))).await;
    assert_eq!(response.body().size_hint().exact(), None);
    assert_eq!(response.body().size_hint().lower(), 0);

    // Not read by the layer.
    let (_, inner) = answering(|| created(full("not a create")));
    let service = feedback.provide_layer().layer(inner);
    let request = post("https://example.com/", full(""));
    let body = service.oneshot(request).await.expect("infallible").into_body();
    assert_eq!(body.size_hint().exact(), Some(12));
}

#[tokio::test]
async fn the_body_type_has_a_default_and_shows_nothing() {
    let body = ProvideFeedbackBody::<Full<Bytes>>::default();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.collect().await.unwrap().to_bytes().is_empty());

    let response = answered(&feedback(ORIGIN), || created(full(&receipt()))).await;
    let shown = format!("{:?}", response.body());
    assert!(shown.starts_with("ProvideFeedbackBody"));
    assert!(!shown.contains("Hello"), "{shown}");
}

#[tokio::test]
async fn a_layer_shows_its_settings_and_a_future_nothing() {
    let feedback = feedback(ORIGIN);
    let layer = feedback.provide_layer().correlate(link_query("id")).label("signup");
    let shown = format!("{layer:?}");
    assert!(shown.starts_with("ProvideFeedbackLayer {") && shown.contains("signup"), "{shown}");
    let (_, inner) = answering(|| created(full(&receipt())));
    let future = layer.layer(inner).call(create(&messages(ORIGIN), LINK));
    assert_eq!(format!("{future:?}"), "ResponseFuture { .. }");
}

#[tokio::test]
async fn the_error_of_a_body_is_the_one_it_had() {
    fn typed<R: Body<Error = Failed>>(_: &R) {}
    let response = answered(&feedback(ORIGIN), || created(Script::new([Step::Fail(1)]))).await;
    typed(response.body());
    assert_eq!(response.into_body().collect().await.unwrap_err(), Failed(1));
}
