//! What users and Twilio ask, in good faith and in bad.

use axum::{
    Form, Router,
    extract::{Query, Request as AxumRequest},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::{any, get, post},
};
use bytes::Bytes;
use http::{Method, Request, header::COOKIE, request::Parts};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tower::Layer;
use tower_message_feedback::{
    Confirmed, CorrelationId, MessageFeedback, Tracked, TrackedAction, TrackedRejection,
    simulator::Webhook,
    source::{cookie, extension, header, path, path_template, query},
    webhook::{
        IncomingCall, IncomingMessage, SignatureVerifier, StatusCallback, TwilioSigned, Twiml,
        VerifyTwilioSignatureLayer, WebhookRejection,
    },
};

use crate::{
    app::{App, PUBLIC},
    markers::{
        CODE, COOKIE_ID, EXTENSION_ID, FORGED_TOKEN, FORM_ID, INCOMING_HEADER_ID, LINK_ID, MESSAGE,
        PATH_ID, QUERY_ID, REPLY, SENDER, UNKNOWN_ID, USER, WEBHOOK_TOKEN, WRONG_CODE,
    },
    said::{noted, noted_error},
    support::{AC, OTHER_AC},
};

#[derive(Deserialize)]
struct Login {
    attempt: String,
    code: String,
}

impl TrackedAction for Login {
    fn correlation_id(&self) -> Option<CorrelationId> {
        Some(noted(self.attempt.as_str().into()))
    }
}

async fn log_in(login: Tracked<Form<Login>>) -> StatusCode {
    let login = noted(login);
    if login.code != CODE {
        return StatusCode::UNAUTHORIZED;
    }
    noted(login.confirm_id(UNKNOWN_ID).await);
    noted(login.confirm().await);
    StatusCode::OK
}

async fn try_log_in(
    login: Result<Tracked<Form<Login>>, TrackedRejection<axum::extract::rejection::FormRejection>>,
) -> StatusCode {
    match login {
        Ok(login) => log_in(login).await,
        Err(error) => {
            noted_error(error);
            StatusCode::BAD_REQUEST
        }
    }
}

async fn clicked(link: Confirmed<Query<Login>>) {
    noted(link);
}

async fn replied(
    reply: Result<IncomingMessage, WebhookRejection>,
) -> Result<Twiml, WebhookRejection> {
    let reply = noted(reply.map_err(noted_error)?);
    assert!(!reply.body().is_empty() && !reply.from().is_empty());
    noted(reply.confirm().await);
    Ok(noted(Twiml::message("Thank you")))
}

async fn called(call: Result<IncomingCall, WebhookRejection>) -> Result<Twiml, WebhookRejection> {
    let call = noted(call.map_err(noted_error)?);
    noted(call.confirm().await);
    Ok(Twiml::say("Thank you"))
}

async fn status(
    callback: Result<StatusCallback, WebhookRejection>,
) -> Result<(), WebhookRejection> {
    let callback = noted(callback.map_err(noted_error)?);
    noted(callback.status());
    noted(callback.record().await);
    Ok(())
}

async fn signed(form: TwilioSigned<Bytes>) {
    noted(form);
}

async fn with_extension(mut request: AxumRequest, next: Next) -> Response {
    request.extensions_mut().insert(CorrelationId::new(EXTENSION_ID));
    next.run(request).await
}

pub(crate) fn router(feedback: &MessageFeedback) -> Router {
    async fn thank_you() -> &'static str {
        "Thank you!"
    }
    let closure = |_: &Parts| Some(CorrelationId::recipient(USER));
    let verifier = SignatureVerifier::new(AC, WEBHOOK_TOKEN).expect("a token");
    let verifier = verifier.public_url(PUBLIC).expect("a URL");
    let verify = noted(VerifyTwilioSignatureLayer::new(verifier.clone()));
    noted(verify.layer(()));
    noted(noted(feedback.confirm_layer(query("id"))).layer(()));
    noted(noted(feedback.layer()).layer(()));
    Router::new()
        .route("/query", any(thank_you).layer(feedback.confirm_layer(query("id"))))
        .route("/path/{id}", get(thank_you).layer(feedback.confirm_layer(path("id"))))
        .route("/of/{x}", get(thank_you).layer(feedback.confirm_layer(path_template("/of/{id}"))))
        .route("/cookie", get(thank_you).layer(feedback.confirm_layer(cookie("id"))))
        .route(
            "/header",
            get(thank_you)
                .layer(feedback.confirm_layer(header(http::HeaderName::from_static("x-login-id")))),
        )
        .route("/extension", get(thank_you).layer(feedback.confirm_layer(extension())))
        .route("/closure", get(thank_you).layer(feedback.confirm_layer(closure)))
        .route("/login", post(try_log_in))
        .route("/clicked", get(clicked))
        .route("/hooks/reply", any(replied))
        .route("/hooks/call", any(called))
        .route("/hooks/status", any(status))
        .route("/hooks/signed", post(signed))
        .layer(feedback.layer())
        .layer(from_fn(with_extension))
        .route("/guarded", post(thank_you).layer(verify))
        .route("/no-layer", post(try_log_in))
        .with_state(verifier)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn get_of(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("{PUBLIC}{path}")).body(Full::default()).expect("a request")
}

fn form_to(path: &str, form: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{PUBLIC}{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::copy_from_slice(form.as_bytes())))
        .expect("a request")
}

fn login(attempt: &str, code: &str) -> String {
    format!("attempt={}&code={code}", escaped(attempt))
}

/// Users who do what they were asked for, and machines that look like them.
pub(crate) async fn actions(app: &App) {
    let feedback = &app.world.feedback;
    for id in [QUERY_ID, PATH_ID, COOKIE_ID, INCOMING_HEADER_ID, FORM_ID] {
        noted(feedback.record(id, app.message(AC).await).await);
    }
    let link = format!("/query?id={}", escaped(LINK_ID));
    let preview = [
        ("user-agent", "WhatsApp/2.23.20.0"),
        ("purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
    ];
    for (name, value) in preview {
        let mut request = get_of(&link);
        request.headers_mut().insert(name, value.parse().expect("a value"));
        assert_eq!(app.ask(request).await, 200);
    }
    let mut head = get_of(&link);
    *head.method_mut() = Method::HEAD;
    assert_eq!(app.ask(head).await, 200);
    let before = feedback.stats().confirms;
    assert!(before.not_an_action >= 4, "{before:?}");
    assert_eq!(app.ask(get_of(&link)).await, 200);
    assert_eq!(app.ask(get_of(&link)).await, 200);
    assert_eq!(app.ask(get_of(&format!("/query?id={QUERY_ID}"))).await, 200);
    assert_eq!(app.ask(get_of(&format!("/path/{PATH_ID}"))).await, 200);
    assert_eq!(app.ask(get_of(&format!("/of/{PATH_ID}"))).await, 200);
    let mut request = get_of("/cookie");
    let value = format!("a=b; id={COOKIE_ID}");
    request.headers_mut().insert(COOKIE, value.parse().expect("a value"));
    assert_eq!(app.ask(request).await, 200);
    let mut request = get_of("/header");
    request.headers_mut().insert("x-login-id", INCOMING_HEADER_ID.parse().expect("a value"));
    assert_eq!(app.ask(request).await, 200);
    assert_eq!(app.ask(get_of("/extension")).await, 200);
    assert_eq!(app.ask(get_of("/closure")).await, 200);
    assert_eq!(app.ask(form_to("/login", &login(FORM_ID, WRONG_CODE))).await, 401);
    assert_eq!(app.ask(form_to("/login", &format!("attempt={FORM_ID}&cod={CODE}"))).await, 400);
    assert_eq!(app.ask(form_to("/login", &login(FORM_ID, CODE))).await, 200);
    assert_eq!(app.ask(get_of(&format!("/clicked?{}", login(UNKNOWN_ID, CODE)))).await, 200);
    assert_eq!(app.ask(form_to("/no-layer", &login(FORM_ID, CODE))).await, 400);
    let after = feedback.stats().confirms;
    // By query (twice), path, cookie, header, extension, closure and form.
    assert_eq!(after.queued - before.queued, 8, "{after:?}");
}

/// What Twilio calls, and what only says that it is Twilio.
pub(crate) async fn webhooks(app: &App) {
    let feedback = &app.world.feedback;
    let id = CorrelationId::conversation(USER, SENDER);
    noted(feedback.record(noted(id), app.message(AC).await).await);
    let sid = app.newest();
    let reply = app.webhooks.reply(sid, REPLY).expect("a reply");
    let from_user = |webhook: Webhook| {
        webhook.with_field("From", USER).with_field("To", SENDER).with_field("AccountSid", AC)
    };
    let reply = noted(from_user(reply).with_field("ProfileName", MESSAGE));
    let call = from_user(app.webhooks.call(sid).expect("a call")).with_field("Digits", CODE);
    let hook = |webhook: &Webhook| {
        let mut request = webhook.request().expect("a request");
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{PUBLIC}{path}").parse().expect("a URL");
        request
    };
    for forged in [
        reply.clone().unsigned(),
        reply.clone().signed_with(FORGED_TOKEN),
        reply.clone().with_field("AccountSid", USER),
        reply.clone().with_field("AccountSid", OTHER_AC),
        call.clone().signed_with(FORGED_TOKEN).by_get(),
    ] {
        let status = app.ask(hook(&forged)).await;
        assert!([400, 403].contains(&status), "{status}");
    }
    let before = feedback.stats().confirms;
    for genuine in [&reply, &reply, &call, &call.clone().by_get()] {
        assert_eq!(app.ask(hook(genuine)).await, 200);
    }
    let after = feedback.stats().confirms;
    assert_eq!(after.queued - before.queued, 1, "{after:?}");
    // Twilio's own, to a route that takes another.
    let lacks = hook(&reply.clone().with_field("From", ""));
    assert_eq!(app.ask(lacks).await, 400);

    let tracked = app.world.twilio.messages().into_iter().rev().map(|message| message.sid());
    let with_callback = tracked.filter_map(|sid| app.webhooks.status(sid, "delivered").ok()).next();
    let callback = with_callback.expect("a send that the layer gave a callback");
    let callback = callback.with_field("To", USER).with_field("From", SENDER);
    let failed = callback.clone().with_field("MessageStatus", "failed");
    let failed = failed.with_field("ErrorCode", "30003").with_field("ErrorMessage", MESSAGE);
    for (webhook, status) in [
        (callback.clone(), 200),
        (failed, 200),
        (callback.clone().with_field("MessageSid", USER), 400),
        (callback.with_field("MessageStatus", MESSAGE), 200),
    ] {
        assert_eq!(app.ask(hook(&webhook)).await, status);
    }
    // The proof alone, by either way.
    for path in ["/hooks/signed", "/guarded"] {
        let to = app.webhooks.clone().replies_to(format!("{PUBLIC}{path}"));
        let reply = to.reply(sid, REPLY).expect("a reply").with_field("AccountSid", AC);
        assert_eq!(app.ask(hook(&reply)).await, 200, "{path}");
        assert_eq!(app.ask(hook(&reply.signed_with(FORGED_TOKEN))).await, 403, "{path}");
    }
}
