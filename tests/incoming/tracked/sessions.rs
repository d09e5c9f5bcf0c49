//! Where the id comes from when the user does not send it: the session, a signed
//! cookie, the number that they typed.

use axum::{Form, Router, http::StatusCode, routing::post};
use axum_extra::extract::cookie::{Cookie, Key, SignedCookieJar};
use reqwest::header::{COOKIE, SET_COOKIE};
use serde::Deserialize;
use tower_message_feedback::{Confirmation, CorrelationId, E164, MessageFeedback, Tracked};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::support::{CONFIRMATION, Reply, Site, Told, World, told};

const RIGHT: &str = "code=4711";

#[derive(Deserialize)]
struct Code {
    code: String,
}

impl Code {
    fn check(&self) -> Result<(), StatusCode> {
        if self.code == "4711" { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    }
}

/// Who posts `form` with the cookies that `reply` set.
async fn post_with(site: &Site, path: &str, form: &str, cookie: &str) -> Reply {
    let request = site
        .request(http::Method::POST, path)
        .header(COOKIE, cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    site.send(request).await
}

fn cookie_of(reply: &Reply) -> String {
    let cookie = reply.headers[SET_COOKIE].to_str().expect("ASCII");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn an_id_that_lies_in_the_session_confirms_the_message_of_that_session() {
    async fn begin(session: Session) {
        let attempt = session.id().map_or_else(|| "first".to_owned(), |id| id.to_string());
        session.insert("attempt", attempt).await.expect("a session");
    }
    async fn verify(
        session: Session,
        feedback: MessageFeedback,
        Form(code): Form<Code>,
    ) -> Result<Told, StatusCode> {
        code.check()?;
        let attempt: Option<String> = session.get("attempt").await.expect("a session");
        Ok(told(match attempt {
            Some(attempt) => feedback.confirm(attempt).await,
            None => Confirmation::NoId,
        }))
    }
    let world = World::new().await;
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/verify", post(verify))
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false))
        .layer(world.feedback.layer());
    let site = Site::axum(app).await;
    let cookie = cookie_of(&site.post_form("/begin", "").await);
    let sid = world.sent("first").await;
    assert_eq!(post_with(&site, "/verify", "code=1", &cookie).await.status, 401);
    // Somebody else's session, or none, has no attempt.
    assert_eq!(site.post_form("/verify", RIGHT).await.header(CONFIRMATION), "NoId");
    world.nothing_reported().await;
    let reply = post_with(&site, "/verify", RIGHT, &cookie).await;
    assert_eq!(reply.header(CONFIRMATION), "Queued");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn an_id_in_a_signed_cookie_confirms_and_a_forged_one_does_not() {
    async fn begin(jar: SignedCookieJar) -> SignedCookieJar {
        jar.add(Cookie::new("attempt", "of the cookie"))
    }
    async fn verify(jar: SignedCookieJar, action: Tracked<Form<Code>>) -> Result<Told, StatusCode> {
        action.check()?;
        Ok(told(match jar.get("attempt") {
            Some(attempt) => action.confirm_id(attempt.value()).await,
            None => Confirmation::NoId,
        }))
    }
    let world = World::new().await;
    let app = Router::new()
        .route("/begin", post(begin))
        .route("/verify", post(verify))
        .layer(world.feedback.layer())
        .with_state(Key::generate());
    let site = Site::axum(app).await;
    let cookie = cookie_of(&site.post_form("/begin", "").await);
    let sid = world.sent("of the cookie").await;
    let forged = "attempt=of%20the%20cookie";
    for cookie in [forged, &cookie.replace("the", "any")] {
        let reply = post_with(&site, "/verify", RIGHT, cookie).await;
        assert_eq!(reply.header(CONFIRMATION), "NoId");
    }
    assert_eq!(post_with(&site, "/verify", "code=1", &cookie).await.status, 401);
    world.nothing_reported().await;
    let reply = post_with(&site, "/verify", RIGHT, &cookie).await;
    assert_eq!(reply.header(CONFIRMATION), "Queued");
    world.reported(&[sid]).await;
}

#[tokio::test]
async fn the_number_that_the_user_typed_confirms_the_message_to_it() {
    #[derive(Deserialize)]
    struct Typed {
        phone: String,
        code: String,
    }
    async fn verify(action: Tracked<Form<Typed>>) -> Result<Told, StatusCode> {
        let number = E164::parse(&action.phone, "US").map_err(|_| StatusCode::BAD_REQUEST)?;
        Code { code: action.code.clone() }.check()?;
        Ok(told(action.confirm_id(number).await))
    }
    let world = World::new().await;
    let app = Router::new().route("/", post(verify)).layer(world.feedback.layer());
    let site = Site::axum(app).await;
    let mut sids = Vec::new();
    for typed in ["(415) 555-2671", "415.555.2671", "1 415 555 2671", "%2B1 415-555-2671"] {
        sids.push(world.sent(CorrelationId::recipient("+14155552671")).await);
        let form = format!("phone={typed}&code=");
        assert_eq!(site.post_form("/", &form).await.status, 401);
        let right = site.post_form("/", &format!("{form}4711")).await;
        assert_eq!(right.header(CONFIRMATION), "Queued", "{typed}");
    }
    assert_eq!(site.post_form("/", "phone=hello&code=4711").await.status, 400);
    let other = site.post_form("/", "phone=(415) 555-2672&code=4711").await;
    assert_eq!(other.header(CONFIRMATION), "Unknown");
    world.reported(&sids).await;
}
