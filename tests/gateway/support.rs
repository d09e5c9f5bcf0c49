//! A Twilio that compresses its answers, a gateway in front of it, and a client.

use std::{future::Future, sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time::timeout};
use tower_http::compression::CompressionLayer;
use tower_message_feedback::{
    BaseUrl, Credentials, MessageFeedback, MessageSid, RetryPolicy, simulator::Simulator,
};

use crate::app::{Gateway, Settings};

pub const AC: &str = "AC0123456789abcdef0123456789abcdef";
pub const AUTH_TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "token-of-the-gateway";
pub const TO: &str = "+15558675310";
pub const FROM: &str = "+15557122661";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Waits for what must come soon.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let long = Duration::from_secs(60);
    timeout(long, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Serves a router on a free port until the test ends.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

pub struct World {
    pub twilio: Simulator,
    pub feedback: MessageFeedback,
    /// Where Twilio is.
    pub upstream: BaseUrl,
    /// Where the gateway is, without a slash at the end.
    pub url: String,
    pub client: reqwest::Client,
    pub stop: Arc<Notify>,
    pub stopped: JoinHandle<()>,
}

impl World {
    pub async fn new() -> Self {
        Self::by("recipient").await
    }

    /// With what messages are correlated by.
    pub async fn by(correlation: &str) -> Self {
        let twilio = Simulator::new();
        // As Twilio does for who asks for it.
        let compressed = twilio.router().layer(CompressionLayer::new());
        let upstream = serve(compressed).await;
        Self::before(twilio, &upstream, correlation, |settings| settings).await
    }

    /// A gateway before `upstream`.
    pub async fn before(
        twilio: Simulator,
        upstream: &str,
        correlation: &str,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        let upstream: BaseUrl = upstream.parse().expect("a URL");
        let settings = change(Settings {
            upstream: upstream.clone(),
            upstream_ca: None,
            correlation: correlation.parse().expect("a correlation"),
            label: Some("login".into()),
            token: TOKEN.into(),
            timeout: Duration::from_secs(30),
            max_body: 1 << 20,
        });
        let credentials = Credentials::auth_token(AC, AUTH_TOKEN).expect("credentials");
        let feedback = MessageFeedback::builder()
            .credentials(credentials)
            .allow_origin(upstream.as_str())
            .retry_policy(RetryPolicy::default().base(Duration::from_millis(1)))
            .build()
            .expect("a handle");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let gateway = Gateway::new(feedback.clone(), &settings).expect("a gateway");
        let stop = Arc::new(Notify::new());
        let asked = stop.clone();
        let stopped = tokio::spawn(async move {
            gateway.serve(listener, async move { asked.notified().await }).await;
        });
        // reqwest would decompress, and follow redirects.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client");
        Self { twilio, feedback, upstream, url, client, stop, stopped }
    }

    pub fn messages(&self) -> String {
        format!("{}/2010-04-01/Accounts/{AC}/Messages.json", self.url)
    }

    /// A create as an application sends it.
    pub fn create(&self) -> reqwest::RequestBuilder {
        let form = [("To", TO), ("From", FROM), ("Body", "Your code is 123456")];
        self.client.post(self.messages()).basic_auth(AC, Some(AUTH_TOKEN)).form(&form)
    }

    pub async fn sent(&self) -> MessageSid {
        let answer = soon("a create", self.create().send()).await.expect("an answer");
        assert_eq!(answer.status(), 201);
        let json: serde_json::Value = answer.json().await.expect("JSON");
        json["sid"].as_str().expect("a SID").parse().expect("a message SID")
    }

    /// What `POST /confirm` answers to a form.
    pub async fn confirm(&self, form: &[(&str, &str)]) -> (u16, String) {
        let request = self.client.post(format!("{}/confirm", self.url)).bearer_auth(TOKEN);
        answer_of(request.form(form)).await
    }

    /// Asserts that Twilio has, in the end, the feedback of these messages and no other.
    pub async fn reported(&self, sids: &[MessageSid]) {
        soon("the feedback", self.feedback.flush()).await;
        let mut confirmed = self.twilio.confirmed();
        let mut expected = sids.to_vec();
        confirmed.sort();
        expected.sort();
        assert_eq!(confirmed, expected);
    }
}

/// The status of an answer and what it says of the confirmation, or as an error.
pub async fn answer_of(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = soon("an answer", request.send()).await.expect("an answer");
    let status = answer.status().as_u16();
    let json: serde_json::Value = answer.json().await.expect("JSON");
    let text = json["confirmation"].as_str().or(json["message"].as_str());
    (status, text.expect("a text").to_owned())
}
