//! An application that texts links and codes. The lines marked `1` to `5` close
//! the loop; without them it is the application it was before.

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Form, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode, header},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_message_feedback::{
    BaseUrl, CorrelationId, MessageFeedback, Tracked, TrackedAction, link_query, source::query,
};

type BoxError = Box<dyn Error + Send + Sync>;

/// The account that sends.
#[derive(Clone)]
pub struct Account {
    pub sid: String,
    pub user: String,
    pub password: String,
    pub from: String,
}

impl Account {
    /// One for the simulator, which accepts any.
    pub fn example() -> Self {
        let sid = "AC0123456789abcdef0123456789abcdef".to_owned();
        Self { user: sid.clone(), sid, password: "token".into(), from: "+15557122661".into() }
    }

    pub fn from_env() -> Option<Self> {
        let var = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let sid = var("TWILIO_ACCOUNT_SID")?;
        let (user, password) = var("TWILIO_API_KEY")
            .zip(var("TWILIO_API_SECRET"))
            .or_else(|| Some((sid.clone(), var("TWILIO_AUTH_TOKEN")?)))?;
        Some(Self { sid, user, password, from: var("TWILIO_FROM").unwrap_or_default() })
    }
}

#[derive(Clone)]
pub struct Application {
    twilio: BoxCloneSyncService<Request<Body>, StatusCode, BoxError>,
    account: Account,
    api: BaseUrl,
    site: String,
    /// The code of each login attempt.
    codes: Arc<Mutex<HashMap<String, String>>>,
}

impl Application {
    pub fn new(
        feedback: &MessageFeedback,
        account: Account,
        api: BaseUrl,
    ) -> Result<Self, BoxError> {
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let twilio = ServiceBuilder::new()
            .map_response(|response: axum::http::Response<_>| response.status())
            .map_err(BoxError::from)
            .layer(feedback.provide_layer().correlate(link_query("id"))) // 1
            .service(client);
        Ok(Self {
            twilio: BoxCloneSyncService::new(twilio),
            account,
            api,
            site: String::new(),
            codes: Arc::default(),
        })
    }

    pub fn router(mut self, site: &str, feedback: &MessageFeedback) -> Router {
        site.clone_into(&mut self.site);
        Router::new()
            .route("/signup", post(sign_up))
            .route("/confirm", get(thank_you).layer(feedback.confirm_layer(query("id")))) // 2
            .route("/login", post(send_code))
            .route("/verify", post(verify))
            .layer(feedback.layer()) // 3
            .with_state(self)
    }

    async fn text(&self, to: &str, body: &str) -> Result<(), StatusCode> {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let sender =
            if self.account.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = format!(
            "To={}&{sender}={}&Body={}",
            encode(to),
            encode(&self.account.from),
            encode(body)
        );
        let basic =
            BASE64_STANDARD.encode(format!("{}:{}", self.account.user, self.account.password));
        let request =
            Request::post(format!("{}/Accounts/{}/Messages.json", self.api, self.account.sid))
                .header(header::AUTHORIZATION, format!("Basic {basic}"))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(form))
                .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        match self.twilio.clone().oneshot(request).await {
            Ok(status) if status.is_success() => Ok(()),
            Ok(_) | Err(_) => Err(StatusCode::BAD_GATEWAY),
        }
    }
}

fn random_hex() -> String {
    format!("{:016x}", fastrand::u64(..))
}

#[derive(Deserialize)]
struct SignUp {
    phone: String,
}

/// Texts a link.
async fn sign_up(
    State(application): State<Application>,
    Form(form): Form<SignUp>,
) -> Result<(), StatusCode> {
    let text = format!("Open to confirm: {}/confirm?id={}", application.site, random_hex());
    application.text(&form.phone, &text).await
}

async fn thank_you() -> &'static str {
    "Thank you!"
}

#[derive(Deserialize)]
struct Login {
    phone: String,
    /// The attempt to send another code for.
    attempt: Option<String>,
}

/// Texts a code; answers the attempt that it is for.
async fn send_code(
    State(application): State<Application>,
    Form(login): Form<Login>,
) -> Result<String, StatusCode> {
    let attempt = login.attempt.unwrap_or_else(random_hex);
    let code = format!("{:06}", fastrand::u32(..1_000_000));
    let text = format!("Your code is {code}.");
    application.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt.clone(), code);
    CorrelationId::scope(&attempt, application.text(&login.phone, &text)).await?; // 4
    Ok(attempt)
}

#[derive(Deserialize)]
struct Code {
    attempt: String,
    code: String,
}

impl TrackedAction for Code {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some((&self.attempt).into())
    }
}

async fn verify(
    State(application): State<Application>,
    entered: Tracked<Form<Code>>,
) -> Result<&'static str, StatusCode> {
    let code = application
        .codes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&entered.attempt)
        .cloned();
    if code.as_ref() != Some(&entered.code) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    entered.confirm().await; // 5
    Ok("Welcome!")
}
