//! An application that texts links and codes. The lines marked `1` to `5` close
//! the loop; without them it is the application it was before.

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

/// A login attempt belongs to one phone, and its code is good once.
struct Attempt {
    phone: String,
    code: String,
}

#[derive(Clone)]
pub struct Application {
    twilio: BoxCloneSyncService<Request<Body>, StatusCode, BoxError>,
    account: Account,
    api: BaseUrl,
    site: String,
    attempts: Arc<Mutex<HashMap<String, Attempt>>>,
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
            attempts: Arc::default(),
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

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_for(&self, attempt: &str, phone: &str) -> bool {
        self.attempts().get(attempt).is_some_and(|attempt| attempt.phone == phone)
    }

    /// Whether the code was right; it is not right again.
    fn use_up(&self, entered: &Code) -> bool {
        let mut attempts = self.attempts();
        let right = attempts.get(&entered.attempt).is_some_and(|begun| begun.code == entered.code);
        if right {
            attempts.remove(&entered.attempt);
        }
        right
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

/// 64 bits that nobody can guess.
fn random() -> Result<u64, StatusCode> {
    let mut bytes = [0; 8];
    getrandom::getrandom(&mut bytes).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(u64::from_le_bytes(bytes))
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
    let text = format!("Open to confirm: {}/confirm?id={:016x}", application.site, random()?);
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
    let code = format!("{:06}", random()? % 1_000_000);
    let text = format!("Your code is {code}.");
    let attempt = match login.attempt {
        Some(attempt) if application.is_for(&attempt, &login.phone) => attempt,
        Some(_) => return Err(StatusCode::NOT_FOUND),
        None => format!("{:016x}", random()?),
    };
    let begun = Attempt { phone: login.phone.clone(), code };
    application.attempts().insert(attempt.clone(), begun);
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
    if !application.use_up(&entered) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    entered.confirm().await; // 5
    Ok("Welcome!")
}
