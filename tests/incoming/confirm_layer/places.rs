//! Around what the layer goes: routes and routers, hyper, tonic.

use std::convert::Infallible;

use axum::{Router, extract::State, routing::get};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_message_feedback::source::{path_template, query};

use crate::support::{Site, World};

async fn thank_you() -> &'static str {
    "Thank you!"
}

#[tokio::test]
async fn a_layer_on_one_route_leaves_the_others_alone() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let confirm = world.feedback.confirm_layer(query("id"));
    let app = Router::new()
        .route("/confirm", get(thank_you).layer(confirm).post(thank_you))
        .route("/other", get(thank_you));
    let site = Site::axum(app).await;
    site.get("/other?id=1").await;
    // A method that was added after the layer is outside of it.
    site.post_form("/confirm?id=1", "").await;
    world.nothing_reported().await;
    site.get("/confirm?id=1").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_layer_on_a_router_with_state_serves_all_of_its_routes() {
    let world = World::new().await;
    let sids = [world.sent("1").await, world.sent("2").await, world.sent("3").await];
    let greet = |State(name): State<&'static str>| async move { name };
    let inner = Router::new().route("/b", get(greet));
    let app = Router::new()
        .route("/a", get(greet))
        .nest("/inner", inner)
        .fallback(greet)
        .layer(world.feedback.confirm_layer(query("id")))
        .with_state("Ada");
    let site = Site::axum(app).await;
    for (count, path) in ["/a?id=1", "/inner/b?id=2", "/elsewhere?id=3"].into_iter().enumerate() {
        assert_eq!(site.get(path).await.body, "Ada");
        world.reported(&sids[..=count]).await;
    }
}

#[tokio::test]
async fn a_route_layer_does_not_see_what_no_route_matches() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let app = Router::new()
        .route("/confirm", get(thank_you))
        .route_layer(world.feedback.confirm_layer(query("id")))
        .fallback(thank_you);
    let site = Site::axum(app).await;
    assert_eq!(site.get("/elsewhere?id=1").await.status, 200);
    world.nothing_reported().await;
    site.get("/confirm?id=1").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_tower_service_over_hyper_is_served_with_a_path_template() {
    let world = World::new().await;
    let sid = world.sent("a b/c").await;
    let service = service_fn(|request: Request<Incoming>| async move {
        let body = Full::new(Bytes::from(request.uri().path().to_owned()));
        Ok::<_, Infallible>(Response::new(body))
    });
    let confirm = world.feedback.confirm_layer(path_template("/shop/confirm/{id}/now"));
    let site = Site::hyper(ServiceBuilder::new().layer(confirm).service(service)).await;
    for path in [
        "/shop/confirm/a%20b%2Fc",
        "/shop/confirm/a%20b%2Fc/now/",
        "/shop/confirm/a%20b%2Fc/then",
        "/confirm/a%20b%2Fc/now",
        "/shop/confirm//now",
        "/",
    ] {
        assert_eq!(site.get(path).await.body, path);
    }
    world.nothing_reported().await;
    assert_eq!(world.confirms().unknown, 0);
    let right = "/shop/confirm/a%20b%2Fc/now";
    assert_eq!(site.get(right).await.body, right);
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_service_of_hyper_that_fails_closes_the_connection_and_confirms_nothing() {
    let world = World::new().await;
    world.sent("1").await;
    let service = service_fn(|_: Request<Incoming>| async {
        Err::<Response<Full<Bytes>>, _>(std::io::Error::other("broken"))
    });
    let confirm = world.feedback.confirm_layer(query("id"));
    let site = Site::hyper(confirm.layer(service)).await;
    assert!(site.try_send(site.request(Method::GET, "/?id=1")).await.is_err());
    world.nothing_reported().await;
}

#[tokio::test]
async fn tonics_routes_are_a_service_like_any_other() {
    let world = World::new().await;
    let sid = world.sent("1").await;
    let bad = || async { StatusCode::BAD_REQUEST };
    let router = Router::new().route("/good", get(thank_you)).route("/bad", get(bad));
    let routes = tonic::service::Routes::from(router);
    let confirm = world.feedback.confirm_layer(query("id"));
    let site = Site::hyper(ServiceBuilder::new().layer(confirm).service(routes)).await;
    assert_eq!(site.get("/bad?id=1").await.status, 400);
    world.nothing_reported().await;
    assert_eq!(site.get("/good?id=1").await.body, "Thank you!");
    world.reported(&[sid]).await;
}

#[test]
fn a_path_template_has_one_segment_in_braces_and_a_name_in_them() {
    for template in ["/confirm", "/confirm/{}", "/confirm/{id", "/confirm/id}", "/{a}/{b}", ""] {
        let made = std::panic::catch_unwind(|| path_template(template));
        assert!(made.is_err(), "{template}");
    }
}
