//! What a signed webhook says, as the URL standard reads its form.
#![no_main]

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use tower_layer::Layer;
use tower_message_feedback::{
    MessageFeedback, MessageSid, MessageStatus,
    webhook::{IncomingCall, IncomingMessage, SignatureVerifier, StatusCallback, WebhookRejection},
};
use tower_message_feedback_fuzz::{
    AC, Input, TOKEN, build, builder, first, now, signature, signed_text,
};
use tower_service::Service;

const ORIGIN: &str = "https://app.example";

static FEEDBACK: LazyLock<MessageFeedback> = LazyLock::new(|| {
    let verifier = SignatureVerifier::default().public_url(ORIGIN).unwrap();
    build(builder().webhooks(verifier)).unwrap()
});

#[derive(Clone, Copy)]
enum Kind {
    Message,
    Call,
    Status,
}

/// What the route got of a webhook, or the field that it lacks.
type Got = Result<Vec<Option<String>>, &'static str>;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choice = input.byte();
    let kind = [Kind::Message, Kind::Call, Kind::Status][usize::from(choice >> 2) % 3];
    let is_post = choice & 1 == 0;
    // No field is asked for by a name that is no text.
    let other = input.text().replace('\u{fffd}', "");
    let mut form = input.rest().to_vec();
    if choice & 2 != 0 {
        form = [format!("AccountSid={AC}&").as_bytes(), &form].concat();
    }
    let target = if is_post { "/".into() } else { format!("/?{}", String::from_utf8_lossy(&form)) };
    let Ok(uri) = target.parse::<http::Uri>() else { return };
    let target = uri.path_and_query().unwrap().as_str();
    let fields: Vec<u8> = match is_post {
        true => form,
        false => target.split_once('?').map_or("", |(_, query)| query).into(),
    };
    // A hash in the query vouches for the body alone.
    if !is_post && first(&fields, "bodySHA256").is_some() {
        return;
    }
    let url = format!("{ORIGIN}{target}");
    let signed = signature(TOKEN, &signed_text(&url, if is_post { &fields } else { b"" }));
    let mut request = Request::new(Body::from(if is_post { fields.clone() } else { Vec::new() }));
    *request.method_mut() = if is_post { Method::POST } else { Method::GET };
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    headers.insert("x-twilio-signature", signed.parse().unwrap());

    let (got, status) = extract(request, kind, &other);
    let field = |name: &str| first(&fields, name);
    let given = |name: &'static str| field(name).filter(|value| !value.is_empty()).ok_or(name);
    let accounts: Vec<String> = form_urlencoded::parse(&fields)
        .filter(|(name, _)| name == "AccountSid")
        .map(|(_, value)| value.into_owned())
        .collect();
    if accounts.iter().any(|account| account != AC) {
        // Another account's: with whatever status, nobody gets it.
        assert!(got.is_none_or(|got| got.is_err() || accounts[0] == AC));
        return;
    }
    let expected = (|| {
        if accounts.is_empty() {
            return Err("AccountSid");
        }
        let (from_to, own) = match kind {
            Kind::Message => {
                let sid = given("MessageSid")?;
                let (from, to) = (given("From")?, given("To")?);
                (vec![sid, from, to], vec![Some(field("Body").ok_or("Body")?)])
            }
            Kind::Call => {
                let sid = given("CallSid")?;
                (vec![sid, given("From")?, given("To")?], vec![field("Digits")])
            }
            Kind::Status => {
                let sid = given("MessageSid")?;
                let parsed: Result<MessageSid, _> = sid.parse();
                let sid = parsed.map_err(|_| "MessageSid")?.to_string();
                let status = given("MessageStatus")?;
                let code = field("ErrorCode").filter(|code| {
                    let digits = code.strip_prefix('+').unwrap_or(code);
                    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
                });
                let code = code
                    .and_then(|code| code.parse::<u128>().ok())
                    .filter(|code| *code <= u32::MAX.into());
                let known: Result<MessageStatus, _> = status.parse();
                (
                    vec![sid],
                    vec![
                        code.map(|code| code.to_string()),
                        known.ok().map(|known| known.as_str().to_owned()),
                    ],
                )
            }
        };
        let all = from_to.into_iter().map(Some).chain(own);
        Ok(all.chain([field(&other)]).collect::<Vec<_>>())
    })();
    let got = got.unwrap_or_else(|| panic!("it was signed, and answered with {status}"));
    assert_eq!(got, expected);
    assert_eq!(status, if expected.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST });
});

/// Calls the route; `None` if the signature was not accepted.
fn extract(request: Request, kind: Kind, other: &str) -> (Option<Got>, StatusCode) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let route = Route { kind, other: other.to_owned(), sender };
    let mut service = FEEDBACK.layer().layer(route);
    let Ok(response) = now(service.call(request));
    (receiver.try_recv().ok(), response.status())
}

#[derive(Clone)]
struct Route {
    kind: Kind,
    other: String,
    sender: std::sync::mpsc::Sender<Got>,
}

impl Service<Request> for Route {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { kind, other, sender } = self.clone();
        Box::pin(async move {
            let text = |text: &str| Some(text.to_owned());
            let got = match kind {
                Kind::Message => IncomingMessage::from_request(request, &()).await.map(|message| {
                    let _ = message.is_keyword();
                    vec![
                        text(message.message_sid()),
                        text(message.from()),
                        text(message.to()),
                        text(message.body()),
                        message.field(&other).map(Into::into),
                    ]
                }),
                Kind::Call => IncomingCall::from_request(request, &()).await.map(|call| {
                    vec![
                        text(call.call_sid()),
                        text(call.from()),
                        text(call.to()),
                        call.digits().map(Into::into),
                        call.field(&other).map(Into::into),
                    ]
                }),
                Kind::Status => StatusCallback::from_request(request, &()).await.map(|callback| {
                    vec![
                        Some(callback.message_sid().to_string()),
                        callback.error_code().map(|code| code.to_string()),
                        callback.status().map(|status| status.as_str().to_owned()),
                        callback.field(&other).map(Into::into),
                    ]
                }),
            };
            Ok(match got {
                Ok(fields) => {
                    let _ = sender.send(Ok(fields));
                    StatusCode::OK.into_response()
                }
                Err(rejection) => {
                    if let WebhookRejection::Inner(unexpected) = &rejection {
                        let _ = sender.send(Err(unexpected.field));
                    }
                    rejection.into_response()
                }
            })
        })
    }
}
