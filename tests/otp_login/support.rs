//! The example's own site on a port, with a Twilio and a clock of the test's,
//! and a visitor that keeps cookies and follows no redirect.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::{Client, Method, RequestBuilder, StatusCode, header, redirect::Policy};
use tokio::{net::TcpListener, task::AbortHandle, time::timeout};
use tower_message_feedback::{
    Credentials, ManualClock, MessageFeedback, MessageSid,
    simulator::{RequestKind, SimulatedMessage, Simulator, SimulatorServer},
};

use crate::app::{Account, Site};

pub const PHONE: &str = "+15558675310";

/// Far beyond what anything here takes.
pub const LONG: Duration = Duration::from_secs(30);

pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    timeout(LONG, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

pub struct World {
    pub twilio: Simulator,
    pub server: SimulatorServer,
    pub feedback: MessageFeedback,
    pub time: ManualClock,
    pub url: String,
    site: AbortHandle,
}

impl Drop for World {
    fn drop(&mut self) {
        self.site.abort();
    }
}

impl World {
    pub async fn new() -> Self {
        let twilio = Simulator::new();
        let server = twilio.serve().await.expect("a port");
        let account = Account::example();
        let time = ManualClock::new(SystemTime::now().into());
        let feedback = MessageFeedback::builder()
            .credentials(Credentials::auth_token(&account.sid, &account.password).expect("valid"))
            .allow_origin(server.base_url().as_str())
            .clock(time.clock())
            .build()
            .expect("a handle");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let twilio_of_site = Some(twilio.clone());
        let base = server.base_url();
        let site = Site::new(&feedback, account, base, &url, time.clock(), twilio_of_site);
        let router = site.expect("a site").router(&feedback);
        let site = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { twilio, server, feedback, time, url, site }
    }

    pub fn visitor(&self) -> Visitor {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Visitor { client, url: self.url.clone(), cookies: Mutex::default() }
    }

    /// The SIDs of the feedback calls that Twilio has had once nothing is due.
    pub async fn reported(&self) -> Vec<MessageSid> {
        let left = soon("a flush", self.feedback.flush()).await;
        assert!(left.is_empty(), "{left:?}");
        let received = self.twilio.received();
        let calls = received.iter().filter(|request| request.kind() == RequestKind::Feedback);
        calls
            .map(|call| {
                assert_eq!(call.form("Outcome").as_deref(), Some("confirmed"));
                call.message().expect("a feedback call names its message")
            })
            .collect()
    }

    pub fn newest(&self) -> SimulatedMessage {
        self.twilio.messages().pop().expect("a text")
    }
}

pub fn code_in(text: &str) -> &str {
    let code = text.split(' ').next().unwrap_or_default();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    code
}

pub fn link_in(text: &str) -> &str {
    text.split(' ').find(|word| word.starts_with("http://")).expect("a link in the text")
}

pub fn id_in(text: &str) -> &str {
    link_in(text).split_once("?id=").expect("an id in the link").1
}

/// Six digits that are not `code`.
pub fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

pub struct Visitor {
    client: Client,
    url: String,
    pub cookies: Mutex<BTreeMap<String, String>>,
}

pub struct Seen {
    pub status: StatusCode,
    pub location: Option<String>,
    pub set_cookies: Vec<String>,
    pub headers: header::HeaderMap,
    pub text: String,
}

impl Visitor {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { self.url.clone() + path };
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let cookies: Vec<_> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client.request(method, url).header(header::COOKIE, cookies.join("; "))
    }

    pub async fn send(&self, request: RequestBuilder) -> Seen {
        let answer = soon("an answer", request.send()).await.expect("an answer");
        let headers = answer.headers().clone();
        let text_of = |value: &header::HeaderValue| value.to_str().expect("text").to_owned();
        let set_cookies: Vec<_> = headers.get_all(header::SET_COOKIE).iter().map(text_of).collect();
        for cookie in &set_cookies {
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = answer.status();
        let location = headers.get(header::LOCATION).map(text_of);
        let text = answer.text().await.expect("a text");
        Seen { status, location, set_cookies, headers, text }
    }

    pub async fn get(&self, path: &str) -> Seen {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Seen {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    /// A form that must be answered by a redirect; answers where to.
    pub async fn go(&self, path: &str, form: &[(&str, &str)]) -> String {
        let seen = self.post(path, form).await;
        assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.text);
        seen.location.expect("where to")
    }

    /// Asks for a code.
    pub async fn begin(&self) {
        assert_eq!(self.go("/", &[("phone", PHONE)]).await, "/code");
    }
}
