//! Where the id stands in the request.

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    routing::get,
};
use http::{HeaderName, HeaderValue, Method, request::Parts};
use tower_message_feedback::{
    CorrelationId,
    source::{self, IdSource, cookie, extension, header, path, query},
};

use crate::support::{Site, World};

async fn thank_you() -> &'static str {
    "Thank you!"
}

/// One route at `/confirm`, with a layer on it.
async fn site<Src>(world: &World, source: Src) -> Site
where
    Src: IdSource + Clone + Send + Sync + 'static,
{
    let route = get(thank_you).layer(world.feedback.confirm_layer(source));
    Site::axum(Router::new().route("/confirm", route)).await
}

#[tokio::test]
async fn a_query_is_decoded_as_the_link_in_the_message_was() {
    for query_string in [
        "id=1234567890",
        "id=a+b%20c%2F~_-",
        "id=a%2Bb",
        "id=%E8%AF%B7",
        "id=%ff%00",
        "id=100%",
        "id=a%zz",
        "id=a=b==",
        "utm=sms&id=1&x=1",
        "id=&id=2",
        "id&id=3",
        "i%64=4",
        "id=first&id=second",
        "ID=no&id=yes",
    ] {
        let world = World::new().await;
        let sid = world.send_link(&format!("Hi: http://shop.example/confirm?{query_string}")).await;
        let site = site(&world, query("id")).await;
        assert_eq!(site.get(&format!("/confirm?{query_string}")).await.body, "Thank you!");
        assert_eq!(world.confirms().queued, 1, "{query_string}");
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn plus_is_a_space_in_a_query_and_a_plus_where_it_is_escaped() {
    let world = World::new().await;
    let sids = [world.sent("a b").await, world.sent("a+b").await];
    let site = site(&world, query("id")).await;
    site.get("/confirm?id=a+b").await;
    world.reported(&sids[..1]).await;
    site.get("/confirm?id=a%2Bb").await;
    world.reported(&sids).await;
}

#[tokio::test]
async fn a_parameter_of_another_name_is_no_id() {
    let world = World::new().await;
    world.sent("1").await;
    let site = site(&world, query("id")).await;
    for query_string in ["ID=1", "xid=1", "idx=1", "x=id=1", "1", "id"] {
        assert_eq!(site.get(&format!("/confirm?{query_string}")).await.status, 200);
    }
    world.nothing_reported().await;
    assert_eq!(world.confirms().unknown, 0);
}

#[tokio::test]
async fn a_path_parameter_is_known_to_a_layer_on_the_route_and_on_the_router() {
    let world = World::new().await;
    let confirm = || world.feedback.confirm_layer(path("id"));
    let routes = || Router::new().route("/confirm/{id}", get(thank_you));
    let app = Router::new()
        .nest("/on/{shop}", Router::new().route("/c/{id}", get(thank_you).layer(confirm())))
        .nest("/router", routes().layer(confirm()))
        .nest("/routes", routes().route_layer(confirm()))
        .nest("/outer", Router::new().nest("/{id}", Router::new().route("/c", get(thank_you))))
        .layer(confirm());
    let site = Site::axum(app).await;
    let mut sids = Vec::new();
    for (id, path) in [
        ("a b/c", "/on/7/c/a%20b%2Fc"),
        ("4+711", "/router/confirm/4+711"),
        ("请", "/routes/confirm/%E8%AF%B7"),
        ("seg", "/outer/seg/c"),
    ] {
        sids.push(world.sent(id).await);
        assert_eq!(site.get(path).await.body, "Thank you!", "{path}");
        world.reported(&sids).await;
    }
}

#[tokio::test]
async fn a_router_around_nested_ones_sees_their_path_parameters() {
    let world = World::new().await;
    let sid = world.sent("4711").await;
    let inner = Router::new().route("/confirm/{id}", get(thank_you));
    let app = Router::new().nest("/api", inner).layer(world.feedback.confirm_layer(path("id")));
    let site = Site::axum(app).await;
    assert_eq!(site.get("/api/confirm/4711").await.status, 200);
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_route_without_the_path_parameter_confirms_nothing() {
    let world = World::new().await;
    world.sent("4711").await;
    let app = Router::new()
        .route("/confirm/{other}", get(thank_you))
        .route("/plain", get(thank_you))
        .layer(world.feedback.confirm_layer(path("id")));
    let site = Site::axum(app).await;
    for path in ["/confirm/4711", "/plain", "/confirm/%ff"] {
        site.get(path).await;
    }
    world.nothing_reported().await;
}

#[tokio::test]
async fn a_header_is_taken_byte_for_byte() {
    let world = World::new().await;
    let id = b"a b%20+\xff";
    let sid = world.sent(CorrelationId::new(&id[..])).await;
    let name = HeaderName::from_static("x-attempt");
    let site = site(&world, header(name.clone())).await;
    site.send(site.request(Method::GET, "/confirm").header(&name, "a b%20+")).await;
    world.nothing_reported().await;
    let value = HeaderValue::from_bytes(id).expect("a value");
    site.send(site.request(Method::GET, "/confirm").header(&name, value)).await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_cookie_is_found_among_others_with_or_without_quotes() {
    for headers in [
        &["attempt=4711"][..],
        &["theme=dark; attempt=4711; lang=en"],
        &["theme=dark;attempt=4711"],
        &["theme=dark ; attempt = 4711 ;"],
        &["attempt=\"4711\"; lang=en"],
        &["lang=en", "xattempt=1; attempt=4711"],
        &["attempt=4711; attempt=other"],
        &["novalue; =; attempt=4711"],
    ] {
        let world = World::new().await;
        let sid = world.sent("4711").await;
        let site = site(&world, cookie("attempt")).await;
        let mut request = site.request(Method::GET, "/confirm");
        for header in headers {
            request = request.header("cookie", *header);
        }
        assert_eq!(site.send(request).await.status, 200);
        assert_eq!(world.confirms().queued, 1, "{headers:?}");
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn what_only_looks_like_the_cookie_is_no_id() {
    let world = World::new().await;
    world.sent("4711").await;
    let site = site(&world, cookie("attempt")).await;
    for header in ["Attempt=4711", "xattempt=4711", "x=\"attempt=4711\"", "attempt", "attempt="] {
        site.send(site.request(Method::GET, "/confirm").header("cookie", header)).await;
    }
    world.nothing_reported().await;
}

async fn know_the_session(mut request: Request, next: Next) -> axum::response::Response {
    if request.headers().contains_key("x-session") {
        request.extensions_mut().insert(CorrelationId::new("4711"));
    }
    next.run(request).await
}

#[tokio::test]
async fn an_extension_is_what_an_outer_middleware_has_put_there() {
    let world = World::new().await;
    let sid = world.sent("4711").await;
    let app = Router::new()
        .route("/confirm", get(thank_you).layer(world.feedback.confirm_layer(extension())))
        .layer(middleware::from_fn(know_the_session));
    let site = Site::axum(app).await;
    site.get("/confirm").await;
    world.nothing_reported().await;
    site.send(site.request(Method::GET, "/confirm").header("x-session", "1")).await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_closure_over_the_head_is_a_source() {
    let world = World::new().await;
    let sid = world.sent("/confirm GET").await;
    let whole = |parts: &Parts| Some(format!("{} {}", parts.uri.path(), parts.method).into());
    let site = site(&world, whole).await;
    site.get("/confirm").await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_recipient_is_an_id_of_its_own_kind() {
    let world = World::new().await;
    let sid = world.sent(CorrelationId::recipient("+1 (555) 867-5310")).await;
    let by_number =
        |parts: &Parts| parts.headers.get("x-user")?.to_str().ok().map(CorrelationId::recipient);
    let app = Router::new()
        .route("/text", get(thank_you).layer(world.feedback.confirm_layer(query("id"))))
        .route("/user", get(thank_you).layer(world.feedback.confirm_layer(by_number)));
    let site = Site::axum(app).await;
    site.get("/text?id=%2B15558675310").await;
    world.nothing_reported().await;
    site.send(site.request(Method::GET, "/user").header("x-user", "+15558675310")).await;
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_path_template_is_a_source_inside_axum_too() {
    let world = World::new().await;
    let sid = world.sent("a b").await;
    let app = Router::new()
        .route("/confirm/{any}", get(thank_you))
        .layer(world.feedback.confirm_layer(source::path_template(String::from("/confirm/{id}"))));
    let site = Site::axum(app).await;
    site.get("/confirm/a%20b").await;
    world.reported(&[sid]).await;
}
