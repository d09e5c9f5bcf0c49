//! The store in memory, a store that fails on command, and every type that has not shown
//! itself by then.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use tower::{Layer, Service, service_fn};
use tower_message_feedback::{
    FeedbackBody, MessageFeedback, MessagingServiceSid, NotAnAction, PreflightVerdict, Refusal,
    RetryPolicyConfig,
    incoming::{GoodAnswer, MissingFeedbackLayer},
    source::{cookie, extension, header, path, path_template, query},
    store::{FailureKind, MemoryStore, Metric, SettledAs},
    webhook::{SignatureVerifier, VerifyTwilioSignatureLayer},
};

use crate::{
    app::{App, PUBLIC},
    direct::{Trouble, alerts},
    markers::{MESSAGE, QUERY_ID, REPLY, WEBHOOK_TOKEN},
    mistakes,
    noting::Noting,
    run::{all_types_were_shown, everything, site},
    said::{nobody_told, noted, noted_error, noted_text},
    support::{AC, Mode, Op, Site, SwitchStore, credentials},
};

struct Switched(SwitchStore);

impl Trouble for Switched {
    async fn begin(&self) {
        Op::ALL.iter().for_each(|op| self.0.set(*op, Mode::Fails));
    }

    async fn end(&self) {
        Op::ALL.iter().for_each(|op| self.0.set(*op, Mode::Works));
    }
}

#[tokio::test]
async fn in_memory() {
    let site = site().await;
    let store = SwitchStore::new(&site.time);
    let (app, entry) = everything(site, Noting(store.clone()), &Switched(store.clone())).await;
    noted((entry.status, app.world.feedback.health().await.dispatcher, SettledAs::Delivered));
    noted(PreflightVerdict::Accepted);
    alerts(&app).await;
    the_rest(&app);
    mistakes::secrets().await;
    mistakes::texts().await;
    mistakes::configurations().await;
    mistakes::stores().await;
    noted(&*store.memory);
    of_the_simulator(&app);
    // One that was never started.
    let site = Site::new().await;
    let (_, dispatcher) = site.builder().credentials(credentials()).build_pair().expect("a handle");
    drop(noted(dispatcher));
    nobody_told();
    let stores =
        ["conformance", "sqlite", "postgres", "redis", "Sqlite", "Postgres", "Redis", "Join"];
    all_types_were_shown(&[], &stores);
    app.world.feedback.shutdown(Duration::from_secs(5)).await;
}

/// Futures and services with a request inside, and what seldom is on the way.
fn the_rest(app: &App) {
    let request = || {
        Request::post(format!("{PUBLIC}/hooks/reply?id={QUERY_ID}"))
            .header("cookie", format!("id={QUERY_ID}"))
            .header("x-twilio-signature", "x")
            .body(Body::from(REPLY))
            .expect("a request")
    };
    let never = service_fn(|_: Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, std::convert::Infallible>>()
    });
    let feedback: &MessageFeedback = &app.world.feedback;
    drop(noted(feedback.confirm_layer(noted(query("id"))).layer(never).call(request())));
    drop(noted(feedback.layer().layer(never).call(request())));
    let verifier = SignatureVerifier::new(AC, WEBHOOK_TOKEN).expect("a token");
    let verify = VerifyTwilioSignatureLayer::new(verifier.clone());
    drop(noted(verify.layer(never).call(request())));
    noted_error(verifier.verify(&request().map(|_| REPLY)).expect_err("forged"));
    noted((cookie("id"), extension(), path("id"), path_template("/{id}")));
    noted((header(http::header::COOKIE), GoodAnswer));
    noted((RetryPolicyConfig::default(), &app.world.time));
    noted(NotAnAction::agent("WhatsApp"));
    noted(Refusal::ShutDown);
    noted::<Option<MissingFeedbackLayer>>(None);
    noted(Metric::Attempted);
    noted(FailureKind::GaveUp);
    drop(noted(MemoryStore::builder()));
    let service = "MG0123456789abcdef0123456789abcdef".parse::<MessagingServiceSid>();
    noted_text(service.expect("a SID"));
    noted::<Option<FeedbackBody>>(None);
}

/// What is for tests names nothing either: their output is in many a log.
fn of_the_simulator(app: &App) {
    let twilio = &app.world.twilio;
    drop(noted((twilio, &app.world.server, &app.webhooks, twilio.expect())));
    for received in twilio.received() {
        noted(received.kind());
        noted(received);
    }
    for message in twilio.messages() {
        noted(message.outcome());
        noted(message);
    }
    let nobodys = "SM00000000000000000000000000000000".parse().expect("a SID");
    noted_error(app.webhooks.status(nobodys, MESSAGE).expect_err("no such message"));
}
