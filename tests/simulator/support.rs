//! What the tests of the simulator have in common.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tower::ServiceExt;
use tower_message_feedback::{MessageSid, simulator::Simulator};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_AC: &str = "ACffffffffffffffffffffffffffffffff";
pub(crate) const SK: &str = "SK0123456789abcdef0123456789abcdef";
pub(crate) const MG: &str = "MG0123456789abcdef0123456789abcdef";
pub(crate) const HX: &str = "HX0123456789abcdef0123456789abcdef";
pub(crate) const UNKNOWN_SM: &str = "SM00000000000000000000000000000000";
/// A good create, with feedback.
pub(crate) const OTP: &str = "To=%2B15558675310&From=%2B15557122661&Body=Your+code+is+123456";
pub(crate) const TAGGED: &str =
    "To=%2B15558675310&From=%2B15557122661&Body=Your+code+is+123456&ProvideFeedback=true";

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Status and Twilio's code.
    pub(crate) fn refusal(&self) -> (u16, u64) {
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let code = json["code"].as_u64().expect("a code");
        assert_eq!(json["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
        assert!(json["message"].is_string());
        (self.status, code)
    }

    pub(crate) fn sid(&self) -> MessageSid {
        assert_eq!(self.status, 201, "{}", self.text());
        self.json()["sid"].as_str().expect("a SID").parse().expect("a message SID")
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

pub(crate) fn request(method: Method, path: &str, form: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", basic(AC, "token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::copy_from_slice(form.as_bytes())))
        .expect("a request")
}

pub(crate) async fn call(twilio: &Simulator, request: Request<Full<Bytes>>) -> Reply {
    let (parts, body) = twilio.service().oneshot(request).await.expect("infallible").into_parts();
    let body = body.collect().await.expect("infallible").to_bytes();
    Reply { status: parts.status.as_u16(), headers: parts.headers, body }
}

pub(crate) async fn post(twilio: &Simulator, path: &str, form: &str) -> Reply {
    call(twilio, request(Method::POST, path, form)).await
}

pub(crate) async fn get(twilio: &Simulator, path: &str) -> Reply {
    call(twilio, request(Method::GET, path, "")).await
}

pub(crate) fn messages() -> String {
    format!("/2010-04-01/Accounts/{AC}/Messages.json")
}

pub(crate) fn feedback_of(sid: impl std::fmt::Display) -> String {
    format!("/2010-04-01/Accounts/{AC}/Messages/{sid}/Feedback.json")
}

pub(crate) async fn create(twilio: &Simulator, form: &str) -> Reply {
    post(twilio, &messages(), form).await
}

pub(crate) async fn confirm(twilio: &Simulator, sid: impl std::fmt::Display) -> Reply {
    post(twilio, &feedback_of(sid), "Outcome=confirmed").await
}

pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}
