//! The routes. The lines marked `2` to `5` close the loop that line `1`, in
//! `texts.rs`, begins; without them it is a website as it was before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Form, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tower_message_feedback::{
    BaseUrl, Clock, CorrelationId, MessageFeedback, Tracked, TrackedAction, simulator::Simulator,
};

use super::{
    browser::{self, LOGIN, SESSION, clear_cookie, cookie, set_cookie},
    logins::{Entered, Logins, Text, e164},
    pages::{self, Start},
    phone, secrets,
    texts::{Account, BoxError, Texts},
};

#[derive(Clone)]
pub struct Site {
    logins: Arc<Mutex<Logins>>,
    texts: Texts,
    feedback: MessageFeedback,
    /// What the links in the texts begin with.
    url: Arc<str>,
    /// If there is one, its texts are shown.
    twilio: Option<Simulator>,
}

impl Site {
    pub fn new(
        feedback: &MessageFeedback,
        account: Account,
        api: BaseUrl,
        url: &str,
        clock: Clock,
        twilio: Option<Simulator>,
    ) -> Result<Self, BoxError> {
        Ok(Self {
            logins: Arc::new(Mutex::new(Logins::new(clock))),
            texts: Texts::new(feedback, account, api)?,
            feedback: feedback.clone(),
            url: url.into(),
            twilio,
        })
    }

    pub fn router(self, feedback: &MessageFeedback) -> Router {
        let phone = self.twilio.clone().map(phone::router).unwrap_or_default();
        Router::new()
            .route("/", get(start).post(send_code))
            .route("/code", get(ask_for_code).post(enter_code))
            .route("/again", post(send_again))
            .route("/link", get(ask_for_button).post(press_button))
            .route("/session", get(show_session))
            .route("/signout", post(sign_out))
            .layer(feedback.layer()) // 2
            .with_state(self)
            .merge(phone)
            .route("/style.css", get(|| asset("text/css", include_str!("style.css"))))
            .route("/icon.svg", get(|| asset("image/svg+xml", include_str!("icon.svg"))))
            .layer(middleware::from_fn(browser::guard))
    }

    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self, page: &pages::Page) -> Html<String> {
        Html(page.render(self.twilio.is_some()))
    }

    fn is_secure(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// The link's `id` is what the send is correlated by.
    async fn send(&self, text: &Text) -> bool {
        let Text { attempt, phone, code } = text;
        let body = format!("{code} is your code. Or open {}/link?id={attempt}", self.url);
        self.texts.send(phone, &body).await
    }
}

async fn asset(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], content)
}

/// `/?why=…`: what ended the attempt before.
#[derive(Deserialize)]
struct Why {
    why: Option<String>,
}

async fn start(State(site): State<Site>, Query(Why { why }): Query<Why>) -> Html<String> {
    let problem = match why.as_deref() {
        Some("over") => Some(Start::Over),
        Some("tries") => Some(Start::NoTriesLeft),
        _ => None,
    };
    site.page(&pages::start("", problem))
}

#[derive(Deserialize)]
struct Phone {
    phone: String,
}

/// Texts a code and a link.
async fn send_code(
    State(site): State<Site>,
    Form(Phone { phone: typed }): Form<Phone>,
) -> Result<Response, StatusCode> {
    let again = |status, problem| {
        Ok((status, site.page(&pages::start(&typed, Some(problem)))).into_response())
    };
    let Some(phone) = e164(&typed) else {
        return again(StatusCode::UNPROCESSABLE_ENTITY, Start::NotANumber);
    };
    // A new name each time: nobody can have planted it.
    let browser = secrets::id()?;
    let (attempt, code) = (secrets::id()?, secrets::code()?);
    let begun = site.logins().begin(browser.clone(), attempt, phone, code);
    let Some(text) = begun else {
        return again(StatusCode::TOO_MANY_REQUESTS, Start::TooMany);
    };
    if !site.send(&text).await {
        site.logins().forget(&text.attempt);
        return again(StatusCode::BAD_GATEWAY, Start::NotSent);
    }
    Ok((set_cookie(LOGIN, &browser, site.is_secure()), Redirect::to("/code")).into_response())
}

async fn ask_for_code(State(site): State<Site>, headers: HeaderMap) -> Response {
    let waiting = cookie(&headers, LOGIN).and_then(|browser| site.logins().waiting(browser));
    match waiting {
        Some((phone, notice)) => site.page(&pages::code(&phone, notice)).into_response(),
        None => over(&site, &headers).into_response(),
    }
}

/// Where a browser goes whose attempt is over.
fn over(site: &Site, headers: &HeaderMap) -> Redirect {
    let session = cookie(headers, SESSION).and_then(|id| site.logins().session(id));
    Redirect::to(if session.is_some() { "/session" } else { "/?why=over" })
}

/// Another text under the same attempt: its confirmation is the newest text's.
async fn send_again(State(site): State<Site>, headers: HeaderMap) -> Result<Redirect, StatusCode> {
    let browser = cookie(&headers, LOGIN).unwrap_or_default();
    let again = site.logins().text_again(browser, secrets::code()?);
    let Ok(text) = again else { return Ok(over(&site, &headers)) };
    if let Some(text) = text {
        if !site.send(&text).await {
            site.logins().not_sent(&text.attempt);
        }
    }
    Ok(Redirect::to("/code"))
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn enter_code(
    State(site): State<Site>,
    headers: HeaderMap,
    form: Tracked<Form<Code>>, // 3: `Form(form): Form<Code>` before
) -> Result<Response, StatusCode> {
    let browser = cookie(&headers, LOGIN).unwrap_or_default();
    let session = secrets::id()?;
    let entered = site.logins().enter(browser, &form.code, session.clone());
    match entered {
        Entered::Right { attempt } => {
            form.confirm_id(attempt).await; // 4
            Ok(welcome(&site, &session))
        }
        Entered::Wrong => Ok(Redirect::to("/code").into_response()),
        Entered::NoTriesLeft => Ok(Redirect::to("/?why=tries").into_response()),
        Entered::Over => Ok(over(&site, &headers).into_response()),
    }
}

fn welcome(site: &Site, session: &str) -> Response {
    let cookie = set_cookie(SESSION, session, site.is_secure());
    (cookie, clear_cookie(LOGIN), Redirect::to("/session")).into_response()
}

/// The link's query, and the form of the button behind it.
#[derive(Deserialize)]
struct Link {
    id: String,
}

impl TrackedAction for Link {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some((&self.id).into())
    }
}

/// A page with a button: messaging apps and scanners open links, too, and none
/// of them presses it.
async fn ask_for_button(State(site): State<Site>, Query(link): Query<Link>) -> Response {
    let phone = site.logins().phone_of(&link.id).map(str::to_owned);
    match phone {
        Some(phone) => site.page(&pages::link(&phone, &link.id)).into_response(),
        None => (StatusCode::GONE, site.page(&pages::gone())).into_response(),
    }
}

async fn press_button(
    State(site): State<Site>,
    link: Tracked<Form<Link>>,
) -> Result<Response, StatusCode> {
    let session = secrets::id()?;
    if !site.logins().open(&link.id, session.clone()) {
        return Ok((StatusCode::GONE, site.page(&pages::gone())).into_response());
    }
    link.confirm().await; // 5
    Ok(welcome(&site, &session))
}

async fn show_session(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let session = cookie(&headers, SESSION).and_then(|id| site.logins().session(id));
    let Some(session) = session else { return Ok(Redirect::to("/").into_response()) };
    let ledger = site.feedback.lookup(&session.attempt).await;
    let ledger = ledger.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(site.page(&pages::session(&session, &ledger)).into_response())
}

async fn sign_out(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(id) = cookie(&headers, SESSION) {
        site.logins().sign_out(id);
    }
    (clear_cookie(SESSION), Redirect::to("/")).into_response()
}
