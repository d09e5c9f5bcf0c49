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

use crate::load::account;

const CONFIRMS: usize = 200;

/// The 50th and the 95th percentile.
pub(crate) async fn confirm_to_post(store: impl FeedbackStore) -> (Duration, Duration) {
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
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = feedback.provide_layer().layer(client);
    let mut took = Vec::new();
    for number in 0..CONFIRMS {
        let id = format!("idle {number}");
        let uri = format!("{}/Accounts/{}/Messages.json", server.base_url(), account());
        let request = Request::post(uri)
            .header("authorization", "Bearer x")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(CorrelationId::from(id.as_str()))
            .body(Full::from("To=%2B15558675310&From=%2B15557122661&Body=x"))
            .expect("a request");
        let response = client.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 201);
        // Long enough for the dispatcher to have gone to sleep.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        assert_eq!(feedback.confirm(id).await, Confirmation::Queued);
        twilio.wait_until(|twilio| twilio.confirmed().len() > number).await;
        took.push(began.elapsed());
    }
    feedback.shutdown(Duration::from_secs(5)).await;
    took.sort();
    (took[CONFIRMS / 2], took[CONFIRMS * 95 / 100])
}
