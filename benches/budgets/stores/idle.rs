//! From a confirm to Twilio's receipt of the feedback, while nothing else happens.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmation, CorrelationId, Credentials, MessageFeedback, simulator::Simulator,
    store::FeedbackStore,
};

use super::load::account;
use crate::table::{Budget, Table};

const CONFIRMS: usize = 400;

/// Takes the time of each, in turns with that of a POST that a task makes at once.
pub(crate) async fn confirm_to_post(name: &str, store: impl FeedbackStore, table: &mut Table) {
    let twilio = Simulator::new();
    let server = twilio.serve().await.expect("a free port");
    let credentials = Credentials::auth_token(&account().to_string(), "token");
    let feedback = MessageFeedback::builder()
        .credentials(credentials.expect("credentials"))
        .allow_origin(server.base_url().as_str())
        .correlation_key("a correlation key of a benchmark")
        .store(store)
        .build()
        .expect("a handle");
    let bare = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = feedback.provide_layer().layer(bare.clone());
    let posts = format!("{}/Accounts/{}/Messages", server.base_url(), account());
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for number in 0..CONFIRMS {
        let id = format!("idle {number}");
        let create = post(&format!("{posts}.json"), "To=%2B15558675310&From=%2B15557122661&Body=x");
        let (mut parts, body) = create.into_parts();
        parts.extensions.insert(CorrelationId::from(id.as_str()));
        let response = client.clone().oneshot(Request::from_parts(parts, body)).await;
        assert_eq!(response.expect("an answer").status(), 201);
        let message = twilio.messages().pop().expect("a message");
        let reports = |twilio: &Simulator| {
            twilio.message(message.sid()).map_or(0, |message| message.feedback_count())
        };

        // Long enough for the dispatcher to have gone to sleep.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        // A disk that stalls makes it late, and it is deferred.
        let said = feedback.confirm(id).await;
        assert!(matches!(said, Confirmation::Queued | Confirmation::Deferred), "{said:?}");
        twilio.wait_until(|twilio| reports(twilio) > 0).await;
        ours.push(began.elapsed());

        tokio::time::sleep(Duration::from_millis(20)).await;
        let uri = format!("{posts}/{}/Feedback.json", message.sid());
        let request = post(&uri, "Outcome=confirmed");
        let began = Instant::now();
        let call = tokio::spawn(bare.clone().oneshot(request));
        twilio.wait_until(|twilio| reports(twilio) > 1).await;
        floor.push(began.elapsed());
        let response = call.await.expect("no panic").expect("an answer");
        assert!(response.status().is_success());
    }
    feedback.shutdown(Duration::from_secs(5)).await;
    for (what, mut times) in [
        (format!("{name}, from confirm to POST when idle, p95"), ours),
        ("   of a bare POST".to_owned(), floor),
    ] {
        times.sort();
        let p95 = times[times.len() * 95 / 100].as_secs_f64() * 1e3;
        let budget = if what.starts_with(name) { Budget::AtMost(10.0) } else { Budget::None };
        table.exact(&what, "ms", p95, budget);
    }
}

fn post(uri: &str, form: &'static str) -> Request<Full<Bytes>> {
    Request::post(uri)
        .header("authorization", "Bearer x")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(form))
        .expect("a request")
}
