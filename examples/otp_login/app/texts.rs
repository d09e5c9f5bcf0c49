//! Sending texts, as the application did before it knew of feedback; the line
//! marked `1` is ours.

use std::error::Error;

use axum::{
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_message_feedback::{BaseUrl, MessageFeedback, link_query};

pub type BoxError = Box<dyn Error + Send + Sync>;

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
}

#[derive(Clone)]
pub struct Texts {
    twilio: BoxCloneSyncService<Request<Body>, StatusCode, BoxError>,
    account: Account,
    api: BaseUrl,
}

impl Texts {
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
            .map_response(|response: Response<_>| response.status())
            .map_err(BoxError::from)
            .layer(feedback.provide_layer().correlate(link_query("id"))) // 1
            .service(client);
        Ok(Self { twilio: BoxCloneSyncService::new(twilio), account, api })
    }

    /// Whether Twilio took the text.
    pub async fn send(&self, to: &str, body: &str) -> bool {
        let Ok(request) = self.request(to, body) else { return false };
        let answer = self.twilio.clone().oneshot(request).await;
        answer.is_ok_and(|status| status.is_success())
    }

    fn request(&self, to: &str, body: &str) -> axum::http::Result<Request<Body>> {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let Account { sid, user, password, from } = &self.account;
        let sender = if from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = format!("To={}&{sender}={}&Body={}", encode(to), encode(from), encode(body));
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Request::post(format!("{}/Accounts/{sid}/Messages.json", self.api))
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form))
    }
}
