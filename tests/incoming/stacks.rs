//! The services of the layers fit where Tower services go. That these compile is
//! half of the test; a click through each of them is the other.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    extract::{Query, Request},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{
    Layer, Service, ServiceBuilder, buffer::BufferLayer, service_fn, util::BoxCloneSyncService,
};
use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};
use tower_message_feedback::{
    ConfirmLayer, Confirmed,
    incoming::{Confirm, GoodAnswer, TrackActions, TrackActionsLayer},
    source::query,
};

use crate::support::{Link, Site, World};

type ByQuery = ConfirmLayer<tower_message_feedback::source::Query>;

async fn clicked(_: Confirmed<Query<Link>>) -> &'static str {
    "Thank you!"
}

fn confirm(world: &World) -> ByQuery {
    world.feedback.confirm_layer(query("id"))
}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(20))
}

/// A handler that marks nothing, and one that does.
fn routes() -> Router {
    Router::new().route("/layer", get(|| async { "Thank you!" })).route("/clicked", get(clicked))
}

/// Clicks on both, of which either only one or both confirm.
async fn click(world: &World, site: &Site) {
    let sids = [world.sent("1").await, world.sent("2").await];
    assert_eq!(site.get("/layer?id=1").await.body, "Thank you!");
    world.reported(&sids[..1]).await;
    assert_eq!(site.get("/clicked?id=2").await.body, "Thank you!");
    world.reported(&sids).await;
}

#[tokio::test]
async fn what_the_layers_make_shows_nothing_of_a_request() {
    let world = World::new().await;
    let service =
        || service_fn(async |_: http::Request<()>| Ok::<_, Infallible>(Response::new(())));
    let request = || http::Request::get("/?id=123456").body(()).expect("a request");
    let future = confirm(&world).layer(service()).call(request());
    assert_eq!(format!("{future:?}"), "ConfirmFuture { .. }");
    let mut tracking = world.feedback.layer().layer(service());
    assert_eq!(format!("{:?}", tracking.call(request())), "TrackActionsFuture { .. }");
    let shown = format!("{tracking:?}");
    assert!(shown.starts_with("TrackActions { inner: ServiceFn"), "{shown}");
}

#[tokio::test]
async fn on_a_router_its_routes_and_its_methods() {
    let world = World::new().await;
    let layer = world.feedback.layer();
    let site = Site::axum(routes().layer(confirm(&world)).layer(layer)).await;
    click(&world, &site).await;

    let world = World::new().await;
    let layer = world.feedback.layer();
    let site = Site::axum(routes().route_layer(confirm(&world)).route_layer(layer)).await;
    click(&world, &site).await;

    let world = World::new().await;
    let methods: MethodRouter = get(|| async { "Thank you!" }).layer(confirm(&world));
    let marked: MethodRouter = get(clicked).layer(world.feedback.layer());
    let routed: MethodRouter = get(clicked).route_layer(world.feedback.layer());
    let app =
        Router::new().route("/layer", methods).route("/clicked", marked).route("/routed", routed);
    click(&world, &Site::axum(app).await).await;
}

#[tokio::test]
async fn below_trace_and_timeout_and_above_them() {
    let world = World::new().await;
    let above = ServiceBuilder::new()
        .layer(world.feedback.layer())
        .layer(confirm(&world))
        .layer(TraceLayer::new_for_http())
        .layer(timeout());
    click(&world, &Site::axum(routes().layer(above)).await).await;

    let world = World::new().await;
    let below = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(timeout())
        .layer(confirm(&world))
        .layer(world.feedback.layer());
    click(&world, &Site::axum(routes().layer(below)).await).await;
}

#[tokio::test]
async fn around_a_service_whose_errors_axum_must_handle() {
    let world = World::new().await;
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|error: tower::BoxError| async move {
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()
        }))
        .layer(confirm(&world))
        .layer(world.feedback.layer())
        .layer(BufferLayer::<Request>::new(8))
        .timeout(Duration::from_secs(20));
    click(&world, &Site::axum(routes().layer(stack)).await).await;
}

#[tokio::test]
async fn around_hypers_own_bodies_boxed_or_not() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await];
    let service = service_fn(|_: http::Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Thank you!"))))
    });
    let bare =
        ServiceBuilder::new().layer(world.feedback.layer()).layer(confirm(&world)).service(service);
    let boxed = BoxCloneSyncService::new(bare.clone());
    assert_eq!(Site::hyper(bare).await.get("/?id=1").await.body, "Thank you!");
    world.reported(&sids[..1]).await;
    assert_eq!(Site::hyper(boxed).await.get("/?id=2").await.body, "Thank you!");
    world.reported(&sids).await;
}

#[tokio::test]
async fn around_tonics_routes() {
    let world = World::new().await;
    let routes = tonic::service::Routes::from(routes());
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(world.feedback.layer())
        .layer(confirm(&world))
        .service(routes);
    let site = Site::hyper(service).await;
    click(&world, &site).await;
}

/// What a generic stack asks of a service, for bodies of any kind.
#[tokio::test]
async fn the_services_keep_the_error_and_bodies_of_what_they_wrap() {
    #[derive(Debug)]
    struct Mine;
    struct RequestBody;
    struct ResponseBody;
    fn keeps<S>(_: &S)
    where
        S: Service<http::Request<RequestBody>, Response = Response<ResponseBody>, Error = Mine>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
    }
    fn infallible<S>(_: &S)
    where
        S: Service<
                http::Request<RequestBody>,
                Response = Response<ResponseBody>,
                Error = Infallible,
            >,
    {
    }
    let world = World::new().await;
    let mine = service_fn(|_: http::Request<RequestBody>| async {
        Err::<Response<ResponseBody>, _>(Mine)
    });
    let never = service_fn(|_: http::Request<RequestBody>| async {
        Ok::<_, Infallible>(Response::new(ResponseBody))
    });
    let tracking: TrackActionsLayer<GoodAnswer> = world.feedback.layer();
    keeps(&confirm(&world).layer(mine));
    keeps(&tracking.layer(mine));
    infallible(&confirm(&world).layer(never));
    infallible(&tracking.layer(never));

    let mut layered: Confirm<_, _, GoodAnswer> = confirm(&world).layer(7_u8);
    *layered.get_mut() += 1;
    assert_eq!((*layered.get_ref(), layered.into_inner()), (8, 8));
    let mut layered: TrackActions<_> = tracking.layer(7_u8);
    *layered.get_mut() += 1;
    assert_eq!((*layered.get_ref(), layered.into_inner()), (8, 8));
}
