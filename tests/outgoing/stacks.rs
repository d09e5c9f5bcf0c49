//! The stacks in which the layer is used, each called over a socket.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
    util::{BoxCloneService, BoxCloneSyncService, BoxService},
};
use tower_http::{
    decompression::DecompressionLayer,
    follow_redirect::{FollowRedirectLayer, policy::clone_body_fn},
    map_request_body::MapRequestBodyLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tower_message_feedback::{
    CorrelationId, MessageForm, ProvideFeedback, ProvideFeedbackLayer, link_query,
    outgoing::ProvideFeedbackBody, simulator::Answer,
};

use crate::support::*;

/// A rule that can be named.
type Rule = fn(&MessageForm<'_>) -> Option<CorrelationId>;

fn by_link(twilio: &Twilio) -> ProvideFeedbackLayer<Rule> {
    let rule: Rule = |form| {
        use tower_message_feedback::Correlate;

        link_query("id").correlate(form)
    };
    twilio.feedback.provide_layer().correlate(rule)
}

/// Sends a create with `body`, and asserts that it was tagged and recorded.
async fn tracks<S, B, R>(twilio: &Twilio, service: S, body: B)
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: std::fmt::Debug,
    R: Body,
    R::Error: std::fmt::Debug,
{
    let before = lookup(&twilio.feedback, LINK_ID).await.len();
    let sent = soon(service.oneshot(post(&twilio.uri(), body))).await;
    let sid = sid_of(sent.expect("an answer")).await;
    assert_eq!(twilio.body(), format!("{LINK}{TAG}"));
    assert!(twilio.simulator.message(sid).expect("a message").provide_feedback());
    let entries = lookup(&twilio.feedback, LINK_ID).await;
    assert_eq!((entries.len(), entries[0].sid), (before + 1, sid));
}

#[tokio::test]
async fn a_hyper_client_with_each_body_that_bytes_can_become() {
    let twilio = twilio().await;
    let layer = by_link(&twilio);
    tracks(&twilio, layer.layer(client::<Full<Bytes>>()), full(LINK)).await;
    tracks(&twilio, layer.layer(client::<axum::body::Body>()), axum::body::Body::from(LINK)).await;
    tracks(&twilio, layer.layer(client::<reqwest::Body>()), reqwest::Body::from(LINK)).await;
}

#[tokio::test]
async fn a_client_type_that_can_be_named_in_a_struct() {
    #[derive(Clone, Debug)]
    struct Application {
        twilio: ProvideFeedback<HttpClient<Full<Bytes>>, Rule>,
    }
    let twilio = twilio().await;
    let application = Application { twilio: by_link(&twilio).layer(client()) };
    tracks(&twilio, application.clone().twilio, full(LINK)).await;
    assert!(format!("{application:?}").contains("ProvideFeedback"));
    let _: &HttpClient<Full<Bytes>> = application.twilio.get_ref();
    tracks(&twilio, by_link(&twilio).layer(application.twilio.into_inner()), full(LINK)).await;
}

#[tokio::test]
async fn boxed_services_above_and_below() {
    let twilio = twilio().await;
    let boxed = BoxCloneSyncService::new(client::<Full<Bytes>>());
    let service = BoxCloneSyncService::new(by_link(&twilio).layer(boxed));
    tracks(&twilio, service.clone(), full(LINK)).await;
    let spawned = tokio::spawn(service.oneshot(create(&twilio.uri(), LINK)));
    sid_of(soon(spawned).await.unwrap().expect("an answer")).await;
    let service = BoxService::new(by_link(&twilio).layer(client::<Full<Bytes>>()));
    tracks(&twilio, service, full(LINK)).await;
    let below = BoxCloneService::new(client::<Full<Bytes>>());
    let above = BoxCloneService::new(by_link(&twilio).layer(below));
    tracks(&twilio, above.clone(), full(LINK)).await;
}

/// A create that is sent elsewhere by a 307 is sent there with its form.
#[tokio::test]
async fn redirects_followed_above_and_below() {
    for above in [true, false] {
        let twilio = twilio().await;
        let elsewhere = Answer::status(307).with_header("location", &twilio.uri());
        twilio.simulator.answer_create(elsewhere);
        let layer = by_link(&twilio);
        let follow = FollowRedirectLayer::with_policy(clone_body_fn(|form: &Full<Bytes>| {
            Some(form.clone())
        }));
        let request = create(&twilio.uri(), LINK);
        let sid = if above {
            let stack = ServiceBuilder::new().layer(follow).layer(layer);
            sid_of(soon(stack.service(client()).oneshot(request)).await.expect("an answer")).await
        } else {
            let stack = ServiceBuilder::new().layer(layer).layer(follow);
            sid_of(soon(stack.service(client()).oneshot(request)).await.expect("an answer")).await
        };
        assert_eq!(only(&twilio.feedback, LINK_ID).await.sid, sid);
        let received = twilio.simulator.received();
        assert_eq!(received.len(), 2);
        // Above, each request passes the layer; none is tagged twice.
        assert!(received.iter().all(|received| received.body() == &format!("{LINK}{TAG}")));
        if above {
            assert_sends!(twilio.feedback, tagged: 2, not_created: 1, recorded: 1);
        } else {
            assert_sends!(twilio.feedback, tagged: 1, recorded: 1);
        }
    }
}

/// As documented: such a body does not say its size, so the form is not read.
#[tokio::test]
async fn a_timeout_of_the_requests_body_belongs_below() {
    use tower_http::timeout::RequestBodyTimeoutLayer;

    let body = || axum::body::Body::from(LINK);
    let timeout = || RequestBodyTimeoutLayer::new(Duration::from_secs(20));
    let twilio = twilio().await;
    let below = ServiceBuilder::new()
        .layer(by_link(&twilio))
        .layer(timeout())
        .map_request(|request: Request<_>| request.map(axum::body::Body::new))
        .service(client());
    tracks(&twilio, below, body()).await;
    let above = ServiceBuilder::new()
        .layer(timeout())
        .map_request(|request: Request<_>| request.map(axum::body::Body::new))
        .layer(by_link(&twilio))
        .service(client());
    let sent = soon(above.oneshot(post(&twilio.uri(), body()))).await;
    sid_of(sent.expect("an answer")).await;
    assert_eq!(twilio.body(), LINK);
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1, form_unreadable: 1);
}

#[tokio::test]
async fn tower_http_above_and_below() {
    let twilio = twilio().await;
    let gateway_timeout =
        || TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(20));
    let above = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(DecompressionLayer::new())
        .layer(by_link(&twilio))
        .service(client::<Full<Bytes>>());
    tracks(&twilio, above, full(LINK)).await;
    let below = ServiceBuilder::new()
        .layer(by_link(&twilio))
        .layer(TraceLayer::new_for_http())
        .layer(DecompressionLayer::new())
        .service(client::<Full<Bytes>>());
    tracks(&twilio, below, full(LINK)).await;
    // This timeout answers with a body of its own, made by `Default`.
    let above = ServiceBuilder::new()
        .layer(gateway_timeout())
        .layer(by_link(&twilio))
        .service(client::<Full<Bytes>>());
    tracks(&twilio, above, full(LINK)).await;
    let below = ServiceBuilder::new()
        .layer(by_link(&twilio))
        .layer(gateway_timeout())
        .map_response(|response: Response<_>| response.map(axum::body::Body::new))
        .service(client::<Full<Bytes>>());
    tracks(&twilio, below, full(LINK)).await;
    let towers = ServiceBuilder::new()
        .timeout(Duration::from_secs(20))
        .concurrency_limit(4)
        .layer(by_link(&twilio))
        .concurrency_limit(4)
        .timeout(Duration::from_secs(20))
        .service(client::<Full<Bytes>>());
    tracks(&twilio, towers, full(LINK)).await;
}

#[tokio::test]
async fn a_timeout_above_answers_for_a_twilio_that_hangs() {
    let twilio = twilio().await;
    twilio.simulator.answer_create(Answer::hang());
    let bound = Duration::from_millis(30);
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, bound))
        .layer(by_link(&twilio))
        .service(client::<Full<Bytes>>());
    let response = soon(service.oneshot(create(&twilio.uri(), LINK))).await.expect("an answer");
    let _: &Response<ProvideFeedbackBody<hyper::body::Incoming>> = &response;
    assert_eq!(response.status(), 504);
    assert!(read(response).await.1.is_empty());
    assert_sends!(twilio.feedback, tagged: 1, abandoned: 1);
}

#[tokio::test]
async fn map_request_body_serves_bodies_that_bytes_cannot_become() {
    let twilio = twilio().await;
    let boxed = ServiceBuilder::new()
        .layer(MapRequestBodyLayer::new(|body: UnsyncBoxBody<Bytes, Infallible>| {
            axum::body::Body::new(body)
        }))
        .layer(by_link(&twilio))
        .service(client::<axum::body::Body>());
    tracks(&twilio, boxed, full(LINK).boxed_unsync()).await;

    let text = ServiceBuilder::new()
        .layer(MapRequestBodyLayer::new(|body: String| Full::<Bytes>::from(body)))
        .layer(by_link(&twilio))
        .service(client());
    tracks(&twilio, text, LINK.to_owned()).await;
}

/// Repeats what was answered with a server's error, as Twilio's SDK for Java does.
#[derive(Clone)]
struct Repeat(u32);

impl<R, E> Policy<Request<Full<Bytes>>, Response<R>, E> for Repeat {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Self::Future> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        self.0 = self.0.checked_sub(u32::from(failed))?;
        failed.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_above_makes_attempts_that_are_tagged_once_each() {
    let twilio = twilio().await;
    twilio.simulator.answer_create(Answer::processed_then(503));
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Repeat(3)))
        .layer(by_link(&twilio))
        .service(client());
    let mut request = create(&twilio.uri(), LINK);
    request.headers_mut().insert("content-length", LINK.len().into());
    let response = soon(service.oneshot(request)).await.expect("an answer");
    sid_of(response).await;
    let bodies: Vec<_> =
        twilio.simulator.received().iter().map(|received| received.body().clone()).collect();
    assert_eq!(bodies, [format!("{LINK}{TAG}"), format!("{LINK}{TAG}")]);
    assert_sends!(twilio.feedback, tagged: 2, not_created: 1, recorded: 1);
}

/// Sends twice, whatever the first attempt came to.
#[derive(Clone)]
struct Twice(bool);

impl<R, E> Policy<Request<Full<Bytes>>, Response<R>, E> for Twice {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        _: &mut Result<Response<R>, E>,
    ) -> Option<Self::Future> {
        std::mem::replace(&mut self.0, false).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_above_records_each_message_and_one_below_the_last_alone() {
    for (above, recorded) in [(true, 2), (false, 1)] {
        let twilio = twilio().await;
        let retry = RetryLayer::new(Twice(true));
        let request = create(&twilio.uri(), LINK);
        let sid = if above {
            let service =
                ServiceBuilder::new().layer(retry).layer(by_link(&twilio)).service(client());
            sid_of(soon(service.oneshot(request)).await.expect("an answer")).await
        } else {
            let service =
                ServiceBuilder::new().layer(by_link(&twilio)).layer(retry).service(client());
            sid_of(soon(service.oneshot(request)).await.expect("an answer")).await
        };
        let messages = twilio.simulator.messages();
        assert_eq!(messages.len(), 2);
        assert!(messages.iter().all(|message| message.provide_feedback()));
        let entries = lookup(&twilio.feedback, LINK_ID).await;
        assert_eq!((entries.len(), entries[0].sid), (recorded, sid));
    }
}

#[tokio::test]
async fn a_buffer_below_is_a_service_like_any_other() {
    let twilio = twilio().await;
    let service = ServiceBuilder::new()
        .layer(by_link(&twilio))
        .buffer::<Request<Full<Bytes>>>(4)
        .concurrency_limit(2)
        .service(client());
    tracks(&twilio, service.clone(), full(LINK)).await;
    let send = service.oneshot(create(&twilio.uri(), OTP));
    let sent = soon(CorrelationId::scope("by scope", send)).await;
    sid_of(sent.map_err(|error: BoxError| error.to_string()).expect("an answer")).await;
    assert_eq!(lookup(&twilio.feedback, "by scope").await.len(), 1);
}

#[tokio::test]
async fn a_buffer_above_takes_the_id_by_header_or_extension() {
    let twilio = twilio().await;
    let service = ServiceBuilder::new()
        .buffer::<Request<Full<Bytes>>>(4)
        .layer(twilio.feedback.provide_layer())
        .service(client());
    let mut request = create(&twilio.uri(), OTP);
    request.extensions_mut().insert(CorrelationId::from("by extension"));
    let sent = soon(service.clone().oneshot(request)).await;
    sid_of(sent.map_err(|error: BoxError| error.to_string()).expect("an answer")).await;
    assert_eq!(lookup(&twilio.feedback, "by extension").await.len(), 1);

    // A buffer's worker is another task: the scope ends there, as documented.
    let send = service.oneshot(create(&twilio.uri(), OTP));
    let sent = soon(CorrelationId::scope("by scope", send)).await;
    sid_of(sent.map_err(|error: BoxError| error.to_string()).expect("an answer")).await;
    assert!(lookup(&twilio.feedback, "by scope").await.is_empty());
}
