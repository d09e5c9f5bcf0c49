//! In a chain of `reqwest_middleware`, beside the middlewares that people have in theirs.

use std::{sync::Arc, time::Duration};

use http::Extensions;
use reqwest::{Client, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next};
use reqwest_retry::{
    RetryTransientMiddleware, Retryable, RetryableStrategy, policies::ExponentialBackoff,
};
use reqwest_tracing::TracingMiddleware;
use tower_message_feedback::{CorrelationId, link_query, simulator::Answer};

use crate::support::*;

fn tracked(twilio: &Twilio) -> ClientBuilder {
    let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
    ClientBuilder::new(Client::new()).with(layer)
}

fn post(twilio: &Twilio, client: &ClientWithMiddleware) -> reqwest_middleware::RequestBuilder {
    let request = client.post(twilio.uri()).basic_auth(AC, Some("token"));
    request.header("content-type", FORM).body(LINK)
}

#[tokio::test]
async fn a_create_is_tagged_and_recorded_and_its_answer_is_as_it_was() {
    let twilio = twilio().await;
    let client = tracked(&twilio).build();
    let response = soon(post(&twilio, &client).send()).await.expect("an answer");
    assert_eq!(response.url().as_str(), twilio.uri());
    assert_eq!(response.remote_addr(), Some(twilio.server.address()));
    let sid = sid(response).await;
    assert_eq!(twilio.body(), format!("{LINK}{TAG}"));
    assert_eq!(only(&twilio.feedback, LINK_ID).await.sid, sid);
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1);

    // What is no create is not touched.
    let get = client.get(twilio.uri()).basic_auth(AC, Some("token"));
    assert_eq!(soon(get.send()).await.expect("an answer").status(), 200);
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn an_id_is_said_by_an_extension_a_header_or_a_scope() {
    let twilio = twilio().await;
    let header = http::HeaderName::from_static("x-correlation-id");
    let layer = twilio.feedback.provide_layer().header(header.clone());
    let client = ClientBuilder::new(Client::new()).with(layer).build();

    let send = post(&twilio, &client).with_extension(CorrelationId::from("by extension"));
    let by_extension = sid(soon(send.header(&header, "hidden").send()).await.unwrap()).await;
    assert_eq!(only(&twilio.feedback, "by extension").await.sid, by_extension);
    assert_eq!(twilio.simulator.received()[0].header(header.as_str()), None);

    let by_header =
        sid(soon(post(&twilio, &client).header(&header, "by header").send()).await.unwrap()).await;
    assert_eq!(only(&twilio.feedback, "by header").await.sid, by_header);

    let send = CorrelationId::scope("by scope", post(&twilio, &client).send());
    let by_scope = sid(soon(send).await.unwrap()).await;
    assert_eq!(only(&twilio.feedback, "by scope").await.sid, by_scope);
    assert!(lookup(&twilio.feedback, "hidden").await.is_empty());
    assert_sends!(twilio.feedback, tagged: 3, recorded: 3);
}

/// Sends again what the server failed at, and what it did not: that is how two messages
/// come of one send.
struct Again(std::sync::atomic::AtomicBool);

impl RetryableStrategy for Again {
    fn handle(&self, result: &Result<Response, Error>) -> Option<Retryable> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        let first = self.0.swap(false, std::sync::atomic::Ordering::Relaxed);
        (failed || first).then_some(Retryable::Transient)
    }
}

fn retry(send_twice: bool) -> impl Middleware {
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::ZERO, Duration::from_millis(1))
        .build_with_max_retries(3);
    RetryTransientMiddleware::new_with_policy_and_strategy(policy, Again(send_twice.into()))
}

#[tokio::test]
async fn a_retry_before_it_makes_messages_that_are_all_known() {
    let twilio = twilio().await;
    let layer = twilio.feedback.provide_layer();
    let client = ClientBuilder::new(Client::new()).with(retry(true)).with(layer).build();
    // The id stays for each attempt.
    let send = post(&twilio, &client).with_extension(CorrelationId::from("id"));
    let last = sid(soon(send.send()).await.expect("an answer")).await;
    let messages = twilio.simulator.messages();
    assert_eq!(messages.len(), 2);
    assert!(
        messages.iter().all(tower_message_feedback::simulator::SimulatedMessage::provide_feedback)
    );
    let entries = lookup(&twilio.feedback, "id").await;
    assert_eq!((entries.len(), entries[0].sid), (2, last));
    assert_ne!(entries[1].sid, last);
    assert_sends!(twilio.feedback, tagged: 2, recorded: 2);
}

#[tokio::test]
async fn a_retry_after_it_shows_the_last_message_alone() {
    let twilio = twilio().await;
    let client = tracked(&twilio).with(retry(true)).build();
    let last = sid(soon(post(&twilio, &client).send()).await.expect("an answer")).await;
    assert_eq!(twilio.simulator.messages().len(), 2);
    assert_eq!(only(&twilio.feedback, LINK_ID).await.sid, last);
}

#[tokio::test]
async fn a_create_that_failed_and_is_sent_again_is_known_by_its_second_sid() {
    let twilio = twilio().await;
    twilio.simulator.answer_create(Answer::status(503));
    let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
    let client = ClientBuilder::new(Client::new())
        .with(TracingMiddleware::default())
        .with(retry(false))
        .with(layer)
        .build();
    let sid = sid(soon(post(&twilio, &client).send()).await.expect("an answer")).await;
    assert_eq!(only(&twilio.feedback, LINK_ID).await.sid, sid);
    assert_eq!(twilio.simulator.received().len(), 2);
    assert_sends!(twilio.feedback, tagged: 2, not_created: 1, recorded: 1);
}

#[tokio::test]
async fn tracing_above_and_below_sees_what_it_would_see() {
    for above in [true, false] {
        let twilio = twilio().await;
        let layer = Arc::new(twilio.feedback.provide_layer().correlate(link_query("id")));
        let client = ClientBuilder::new(Client::new());
        let tracing = TracingMiddleware::default();
        let client = if above {
            client.with(tracing).with_arc(layer).build()
        } else {
            client.with_arc(layer).with(tracing).build()
        };
        let sid = sid(soon(post(&twilio, &client).send()).await.expect("an answer")).await;
        assert_eq!(only(&twilio.feedback, LINK_ID).await.sid, sid);
    }
}

#[tokio::test]
async fn errors_stay_what_they_were() {
    #[derive(Debug)]
    struct Mine;
    impl std::fmt::Display for Mine {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("mine")
        }
    }
    impl std::error::Error for Mine {}
    struct Fails;
    #[async_trait::async_trait]
    impl Middleware for Fails {
        async fn handle(
            &self,
            _: Request,
            _: &mut Extensions,
            _: Next<'_>,
        ) -> reqwest_middleware::Result<Response> {
            Err(Error::middleware(Mine))
        }
    }
    let twilio = twilio().await;
    twilio.simulator.answer_create(Answer::hang());
    let client = tracked(&twilio).build();
    let send = post(&twilio, &client).timeout(Duration::from_millis(50)).send();
    let error = soon(send).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.url().unwrap().as_str(), twilio.uri());

    let client = tracked(&twilio).with(Fails).build();
    match soon(post(&twilio, &client).send()).await.unwrap_err() {
        Error::Middleware(error) => assert!(error.downcast_ref::<Mine>().is_some()),
        error @ Error::Reqwest(_) => panic!("{error:?}"),
    }
    assert_sends!(twilio.feedback, tagged: 2, not_created: 2);
}

#[tokio::test]
async fn a_send_that_is_dropped_counts_as_abandoned() {
    let twilio = twilio().await;
    twilio.simulator.answer_create(Answer::hang());
    let client = tracked(&twilio).build();
    let send = tokio::time::timeout(Duration::from_millis(50), post(&twilio, &client).send());
    assert!(send.await.is_err());
    assert_sends!(twilio.feedback, tagged: 1, abandoned: 1);
}
