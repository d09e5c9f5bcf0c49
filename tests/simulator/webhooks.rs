//! Status callbacks and replies, received by an application over a socket.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex},
};

use axum::{Router, body::to_bytes, extract::Request as AxumRequest, http::request::Parts};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use http::{StatusCode, header::HOST};
use http_body_util::BodyExt;
use sha1::Sha1;
use tower::ServiceExt;
use tower_message_feedback::{
    MessageForm,
    simulator::{Simulator, Webhook},
};

use crate::support::*;

const TOKEN: &str = "0123456789abcdef";
const FORM_TYPE: &str = "application/x-www-form-urlencoded; charset=UTF-8";

type Fields = BTreeMap<String, String>;

/// What arrived at the application.
#[derive(Debug, Clone)]
struct Call {
    target: String,
    headers: http::HeaderMap,
    fields: Fields,
}

impl Call {
    fn new(parts: &Parts, body: &[u8]) -> Self {
        let fields = MessageForm::new(body).fields();
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { target: parts.uri.to_string(), headers: parts.headers.clone(), fields }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    fn is_signed(&self, token: &str, url: &str) -> bool {
        let mut text = url.to_owned();
        for (name, value) in &self.fields {
            text += name;
            text += value;
        }
        let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        self.header("x-twilio-signature") == BASE64_STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// An application that keeps what it is called with, and answers with `status`.
struct App {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl App {
    async fn start(status: StatusCode) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let app = Router::new().fallback({
            let calls = Arc::clone(&calls);
            async move |request: AxumRequest| {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                calls.lock().unwrap().push(Call::new(&parts, &body));
                (status, [("location", "/elsewhere")], "<Response></Response>")
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, calls }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn statuses(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.fields["MessageStatus"].clone()).collect()
    }
}

fn with_callback(form: &str, url: &str) -> String {
    format!("{form}&StatusCallback={}", url.replace('&', "%26").replace('+', "%2B"))
}

fn problem(result: Result<Webhook, impl Error>) -> String {
    result.expect_err("a problem").to_string()
}

#[tokio::test]
async fn what_cannot_be_sent_says_why() {
    let twilio = Simulator::new();
    let webhooks = twilio.webhooks(TOKEN);
    let unknown = UNKNOWN_SM.parse().unwrap();
    assert_eq!(problem(webhooks.status(unknown, "sent")), "the simulator has no such message");
    assert_eq!(problem(webhooks.reply(unknown, "Y")), "the simulator has no such message");
    let silent = create(&twilio, TAGGED).await.sid();
    assert!(problem(webhooks.status(silent, "sent")).contains("without a StatusCallback"));
    assert!(webhooks.deliver(silent).await.is_err());
    assert!(problem(webhooks.reply(silent, "Y")).contains("`replies_to`"));

    let https = create(&twilio, &with_callback(TAGGED, "https://SECRET.example/")).await.sid();
    let error = webhooks.status(https, "sent").unwrap().send().await.unwrap_err();
    assert!(error.to_string().contains("use `send_to`"), "{error}");
    for url in ["/reply", "not a url", ""] {
        let reply = webhooks.clone().replies_to(url).reply(silent, "SECRET").unwrap();
        let error = reply.send().await.unwrap_err();
        assert!(error.to_string().contains("absolute URL"), "{error}");
        assert!(reply.request().is_err());
    }
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = webhooks.clone().replies_to(format!("http://{port}/SECRET"));
    let reply = nobody.reply(silent, "SECRET").unwrap();
    let error = reply.send().await.unwrap_err();
    assert!(error.source().is_some());
    let debug = format!("{error:?} {webhooks:?} {reply:?}");
    for secret in ["SECRET", TOKEN, "5558675310"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}

#[tokio::test]
async fn a_forged_and_an_unsigned_webhook_can_be_sent() {
    let app = App::start(StatusCode::FORBIDDEN).await;
    let twilio = Simulator::new();
    let sid = create(&twilio, TAGGED).await.sid();
    let webhooks = twilio.webhooks(TOKEN).replies_to(&app.url);
    let reply = webhooks.reply(sid, "YES").unwrap();
    let answer = reply.clone().signed_with("forged").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "what is answered is no error");
    reply.clone().unsigned().send().await.unwrap();
    reply.send().await.unwrap();
    let [forged, unsigned, signed] = &app.calls()[..] else { panic!("three calls") };
    assert!(!forged.is_signed(TOKEN, &app.url) && forged.is_signed("forged", &app.url));
    assert!(!unsigned.headers.contains_key("x-twilio-signature"));
    assert!(signed.is_signed(TOKEN, &app.url));
    assert_eq!(forged.fields, signed.fields);
}

#[tokio::test]
async fn a_delivery_is_called_back_in_order_with_a_valid_signature() {
    let app = App::start(StatusCode::OK).await;
    let twilio = Simulator::new();
    let url = format!("{}/status?id=a%20b+c&b='x'&a=1", app.url);
    let form = with_callback(TAGGED, &url.replace('%', "%25"));
    let sid = create(&twilio, &form).await.sid();
    assert_eq!(twilio.message(sid).unwrap().status_callback(), Some(&*url));

    let answers = twilio.webhooks(TOKEN).deliver(sid).await.unwrap();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1].body(), "<Response></Response>");
    assert_eq!(app.statuses(), ["sent", "delivered"]);
    for call in app.calls() {
        // Byte for byte what the create said.
        assert_eq!(format!("{}{}", app.url, call.target), url);
        assert!(call.is_signed(TOKEN, &url), "{call:?}");
        assert!(!call.is_signed(TOKEN, &app.url));
        assert_eq!(call.header("content-type"), FORM_TYPE);
        assert_eq!(call.fields["MessageSid"], sid.to_string());
        assert_eq!(call.fields["AccountSid"], AC);
        assert_eq!((&*call.fields["To"], &*call.fields["From"]), ("+15558675310", "+15557122661"));
        assert!(!call.fields.contains_key("MessagingServiceSid"));
    }
}

#[tokio::test]
async fn a_messaging_service_queues_first_and_its_sender_is_learned_from_the_callback() {
    let app = App::start(StatusCode::OK).await;
    let twilio = Simulator::new();
    let form = format!("To=whatsapp:%2B15558675310&MessagingServiceSid={MG}&Body=x");
    let sid = create(&twilio, &with_callback(&form, &app.url)).await.sid();
    twilio.webhooks(TOKEN).deliver(sid).await.unwrap();
    assert_eq!(app.statuses(), ["queued", "sent", "delivered"]);
    let call = &app.calls()[2];
    assert_eq!(call.fields["From"], "whatsapp:+15005550006");
    assert_eq!(call.fields["MessagingServiceSid"], MG);
}

#[tokio::test]
async fn order_and_repetition_are_in_the_tests_hands() {
    let app = App::start(StatusCode::SERVICE_UNAVAILABLE).await;
    let twilio = Simulator::new();
    let sid = create(&twilio, &with_callback(TAGGED, &app.url)).await.sid();
    let webhooks = twilio.webhooks(TOKEN);
    let failed = webhooks.status(sid, "undelivered").unwrap().with_field("ErrorCode", "30003");
    failed.send().await.unwrap();
    failed.send().await.unwrap();
    webhooks.status(sid, "sent").unwrap().send().await.unwrap();
    webhooks.status(sid, "not yet invented").unwrap().send().await.unwrap();
    assert_eq!(app.statuses(), ["undelivered", "undelivered", "sent", "not yet invented"]);
    let calls = app.calls();
    assert_eq!(calls[0].fields["ErrorCode"], "30003");
    assert_eq!(calls[0].fields, calls[1].fields);
    let token = |index: usize| calls[index].header("i-twilio-idempotency-token").to_owned();
    assert_eq!(token(0), token(1), "a retry");
    assert_ne!(token(1), token(2));
    assert!(calls.iter().all(|call| call.is_signed(TOKEN, &app.url)));
    assert_eq!(twilio.message(sid).unwrap().status(), "queued");
}

#[tokio::test]
async fn a_reply_comes_from_the_recipient_with_a_sid_of_its_own() {
    let app = App::start(StatusCode::OK).await;
    let twilio = Simulator::new();
    let sid = create(&twilio, TAGGED).await.sid();
    let webhooks = twilio.webhooks(TOKEN).replies_to(format!("{}/reply", app.url));
    let text = "Ja, gerne & 100% = ü+\n~*";
    let reply = webhooks.reply(sid, "no").unwrap().with_field("Body", text).with_field("Empty", "");
    let raw = reply.request().unwrap().into_body().collect().await.unwrap().to_bytes();
    let raw = std::str::from_utf8(&raw).unwrap();
    assert!(raw.contains("&Body=Ja%2C+gerne+%26+100%25+%3D+%C3%BC%2B%0A%7E*&"), "{raw}");
    assert_eq!(raw.matches("Body=").count(), 1, "{raw}");
    let answer = reply.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let calls = app.calls();
    let [call] = &calls[..] else { panic!("one call") };
    assert!(call.is_signed(TOKEN, &format!("{}/reply", app.url)));
    assert_eq!(call.fields["Body"], text);
    assert_eq!((&*call.fields["From"], &*call.fields["To"]), ("+15558675310", "+15557122661"));
    assert_eq!(Some(&*call.fields["MessageSid"]), reply.field("MessageSid"));
    assert_ne!(call.fields["MessageSid"], sid.to_string());
    assert_eq!((&*call.fields["NumMedia"], &*call.fields["Empty"]), ("0", ""));
    assert!(twilio.received().len() == 1, "a webhook is not a request to Twilio");
}

#[tokio::test]
async fn behind_a_proxy_the_public_url_is_signed() {
    let app = App::start(StatusCode::FOUND).await;
    let twilio = Simulator::new();
    let public = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let form = with_callback(TAGGED, &format!("{public}#rc=3"));
    let sid = create(&twilio, &form).await.sid();
    let webhook = twilio.webhooks("12345").status(sid, "sent").unwrap();
    assert_eq!(webhook.url(), public);
    let answer = webhook.send_to(&format!("{}/inner", app.url)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND, "not followed");
    let calls = app.calls();
    assert_eq!((calls.len(), &*calls[0].target), (1, "/inner"));
    assert!(calls[0].is_signed("12345", public));

    // The same without a socket.
    let request = webhook.request().unwrap();
    assert_eq!(
        (request.uri().to_string(), &request.headers()[HOST]),
        (public.into(), &"mycompany.com".parse().unwrap())
    );
    let app = Router::new().route("/myapp.php", axum::routing::post(async |body: String| body));
    let response = app.oneshot(request.map(axum::body::Body::new)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(MessageForm::new(&body).get("MessageStatus").as_deref(), Some("sent"));
}
