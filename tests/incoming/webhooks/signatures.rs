//! The proof alone, on any route and any service.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{Form, body::Body, extract::FromRef, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tower::{Service, service_fn, util::BoxCloneService};
use tower_message_feedback::webhook::{
    SignatureVerifier, TwilioSigned, VerifyTwilioSignatureLayer,
};

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn signature(token: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn verifier() -> SignatureVerifier {
    SignatureVerifier::new(AC, "old").expect("a token").auth_token(AC, "new").expect("a token")
}

/// A service behind the layer, that answers with the body it got.
struct Echo {
    service: BoxCloneService<Request<Body>, Response<Body>, Infallible>,
    called: Arc<AtomicUsize>,
}

impl Echo {
    fn behind(layer: &VerifyTwilioSignatureLayer) -> Self {
        let called = Arc::new(AtomicUsize::new(0));
        let inner = service_fn({
            let called = Arc::clone(&called);
            move |request: Request<Body>| {
                called.fetch_add(1, Relaxed);
                async move { Ok(Response::new(request.into_body())) }
            }
        });
        Self { service: BoxCloneService::new(layer.layer(inner)), called }
    }

    fn verifying(verifier: SignatureVerifier) -> Self {
        Self::behind(&VerifyTwilioSignatureLayer::new(verifier))
    }

    async fn call(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.service.clone().oneshot(request).await;
        response
    }

    fn called(&self) -> usize {
        self.called.load(Relaxed)
    }
}

fn request(method: Method, uri: &str, signature: &str) -> http::request::Builder {
    Request::builder().method(method).uri(uri).header("x-twilio-signature", signature)
}

async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn what_twilio_signed_passes_as_it_came() {
    let echo = Echo::verifying(verifier());
    let json = r#"{"a": [1, 2]}"#;
    let digest: String = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
    let get = "http://h.example/a?b='%27&c=%2B1";
    let json_url = format!("http://h.example/a?bodySHA256={digest}");
    for token in ["old", "new"] {
        let form = request(
            Method::POST,
            "http://h.example/a",
            &signature(token, "http://h.example/aA1B2C"),
        )
        .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
        .body(Body::from("C=&B=2&A=1"));
        assert_eq!(
            text(echo.call(form.unwrap()).await).await,
            (StatusCode::OK, "C=&B=2&A=1".into())
        );
        let get = request(Method::GET, get, &signature(token, get)).body(Body::empty());
        assert_eq!(text(echo.call(get.unwrap()).await).await, (StatusCode::OK, String::new()));
        let body = request(Method::POST, &json_url, &signature(token, &json_url))
            .header("content-type", "application/json")
            .body(Body::from(json));
        assert_eq!(text(echo.call(body.unwrap()).await).await, (StatusCode::OK, json.into()));
    }
    assert_eq!(echo.called(), 6);
}

#[tokio::test]
async fn an_algorithm_that_nobody_knows_proves_nothing() {
    let echo = Echo::verifying(verifier());
    let url = "http://h.example/a";
    let mut mac = Hmac::<Sha256>::new_from_slice(b"new").expect("any key");
    mac.update(url.as_bytes());
    let signed = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    for (algorithm, status) in [("HMAC_SHA256", 200), ("HMAC_SHA512", 403), ("HMAC_SHA1", 403)] {
        let request = request(Method::GET, url, &signed)
            .header("x-twilio-webhooks-signature-settings", format!("algorithm={algorithm}"))
            .body(Body::empty());
        assert_eq!(echo.call(request.unwrap()).await.status(), status, "{algorithm}");
    }
}

#[tokio::test]
async fn what_it_did_not_sign_does_not() {
    let layer = VerifyTwilioSignatureLayer::new(verifier()).max_body_bytes(10);
    let echo = Echo::behind(&layer);
    let url = "http://h.example/a";
    let signed = |text: &str| signature("new", text);
    let digest_of_nothing =
        Sha256::digest("").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hashed = format!("{url}?bodySHA256={digest_of_nothing}");
    for (method, url, signature, content_type, body, status) in [
        (Method::POST, url, signed("http://h.example/aA1"), FORM, "A=2", 403),
        (Method::POST, url, signed("https://other.example/aA1"), FORM, "A=1", 403),
        (Method::POST, url, signature("gone", "http://h.example/aA1"), FORM, "A=1", 403),
        (Method::POST, url, signed(url), "application/json", "{}", 403),
        (Method::POST, url, signed(url), "text/plain", "A=1", 403),
        (Method::GET, url, signed(url), FORM, "A=1", 403),
        (Method::POST, &hashed, signed(&hashed), "application/json", "{}", 403),
        // The hash counts for forms, too: without fields the URL alone would be right.
        (Method::POST, &hashed, signed(&hashed), FORM, "&", 403),
        (Method::POST, url, signed("http://h.example/aA123456789"), FORM, "A=123456789", 400),
    ] {
        let forged = request(method, url, &signature).header("content-type", content_type);
        let answer = echo.call(forged.body(Body::from(body)).unwrap()).await;
        assert_eq!(text(answer).await, (status.try_into().unwrap(), String::new()), "{url} {body}");
    }
    assert_eq!(echo.called(), 0);
}

/// A body that counts how often it is asked, and never ends.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}

#[tokio::test]
async fn no_more_is_read_than_is_needed() {
    let echo = Echo::verifying(verifier());
    let asked = Arc::new(AtomicUsize::new(0));
    let endless = || Body::new(Endless(Arc::clone(&asked)));
    let unsigned = Request::post("http://h.example/a").body(endless()).unwrap();
    assert_eq!(echo.call(unsigned).await.status(), 400);
    assert_eq!(asked.load(Relaxed), 0);
    let forged = request(Method::POST, "http://h.example/a", "x").body(endless()).unwrap();
    assert_eq!(echo.call(forged).await.status(), 400);
    assert_eq!(asked.load(Relaxed), 65);
    assert_eq!(echo.called(), 0);
}

#[tokio::test]
async fn the_port_counts_or_does_not() {
    let echo = Echo::verifying(verifier());
    for (signed, called) in [
        ("https://h.example/a", "http://h.example/a"),
        ("https://h.example:443/a", "http://h.example/a"),
        ("https://h.example/a", "https://h.example:8443/a"),
        ("https://h.example:8443/a", "https://h.example:8443/a"),
        ("http://h.example:80/a", "http://h.example/a"),
    ] {
        let get = request(Method::GET, called, &signature("new", signed)).body(Body::empty());
        assert_eq!(echo.call(get.unwrap()).await.status(), 200, "{signed}");
    }
    assert_eq!(echo.called(), 5);
    let other_port = signature("new", "https://h.example:8444/a");
    let get = request(Method::GET, "https://h.example:8443/a", &other_port).body(Body::empty());
    assert_eq!(echo.call(get.unwrap()).await.status(), 403);
}

#[tokio::test]
async fn a_proxy_is_believed_if_it_is_trusted() {
    let signed = signature("new", "https://www.example.com/a");
    let forwarded = || {
        request(Method::GET, "http://10.0.0.1:3000/a", &signed)
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "www.example.com")
            .body(Body::empty())
            .unwrap()
    };
    let echo = Echo::verifying(verifier());
    assert_eq!(echo.call(forwarded()).await.status(), 403);
    let trusting = verifier().trust_forwarded_headers();
    let echo = Echo::verifying(trusting);
    assert_eq!(echo.call(forwarded()).await.status(), 200);
}

#[tokio::test]
async fn without_a_token_nobody_is_let_in() {
    let echo = Echo::verifying(SignatureVerifier::default());
    let url = "http://h.example/a";
    let get = request(Method::GET, url, &signature("", url)).body(Body::empty()).unwrap();
    assert_eq!(echo.call(get).await.status(), 500);
    assert_eq!(echo.called(), 0);
}

#[derive(Clone)]
struct AppState {
    verifier: SignatureVerifier,
}

impl FromRef<AppState> for SignatureVerifier {
    fn from_ref(state: &AppState) -> Self {
        state.verifier.clone()
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Gathered {
    digits: String,
}

async fn gathered(signed: TwilioSigned<Form<Gathered>>) -> String {
    signed.digits.clone()
}

#[tokio::test]
async fn any_extractor_may_ask_for_the_proof() {
    let app = Router::new().route("/gathered", post(gathered));
    let site = Site::axum(app.with_state(AppState { verifier: verifier() })).await;
    let post = async |signed: &str, form: &str| {
        let text = format!("{}{signed}", site.url("/gathered"));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", FORM.parse().unwrap());
        headers.insert("x-twilio-signature", signature("old", &text).parse().unwrap());
        let request = site.request(Method::POST, "/gathered").headers(headers);
        site.send(request.body(form.to_owned())).await
    };
    let answer = post("Digits1", "Digits=1").await;
    assert_eq!((answer.status, &*answer.body), (200, "1"));
    let answer = post("Digits1", "Digits=2").await;
    assert_eq!((answer.status, &*answer.body), (403, ""));
    // The wrapped extractor's own rejection.
    assert_eq!(post("Other1", "Other=1").await.status, 422);
}

#[tokio::test]
async fn what_proves_a_webhook_shows_nothing_of_it() {
    let layer = VerifyTwilioSignatureLayer::new(verifier());
    let shown = format!("{layer:?}");
    assert!(shown.starts_with("VerifyTwilioSignatureLayer"), "{shown}");
    assert!(!shown.contains("old") && !shown.contains("new"), "{shown}");
    let inner = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(())));
    let mut service = layer.layer(inner);
    let shown = format!("{service:?}");
    assert!(shown.starts_with("VerifyTwilioSignature { inner: ServiceFn"), "{shown}");
    let future = service.call(Request::new(Body::from("secret")));
    assert_eq!(format!("{future:?}"), "VerifyTwilioSignatureFuture { .. }");
}
