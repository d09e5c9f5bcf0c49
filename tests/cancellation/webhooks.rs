//! What Twilio calls: extractors, and what they confirm and record.

use axum::{Router, body::Body, routing::post};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_message_feedback::{
    Confirmation, CorrelationId, MessageFeedbackBuilder, MessageSid, MessageStatus,
    simulator::{Webhook, Webhooks},
    webhook::{IncomingCall, IncomingMessage, status_callback},
};

use crate::{
    cut::{Cut, at_each_await},
    support::{AC, TOKEN, World, create, guarded},
    world::{comes_to_rest, is_sound, world_with},
};

const USER: &str = "+15558675310";
const NUMBER: &str = "+15557122661";
const URL: &str = "https://example.com";

struct Phone {
    world: World,
    twilio: Webhooks,
    sid: MessageSid,
}

impl Phone {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(set: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder) -> Self {
        let (world, _) = world_with(set).await;
        let twilio = world.twilio.webhooks(TOKEN);
        let twilio = twilio.replies_to(format!("{URL}/reply")).calls_to(format!("{URL}/call"));
        let sid = create(&world.twilio, AC, "&StatusCallback=https://example.com/status").await;
        let phone = Self { world, twilio, sid };
        phone.record(sid).await;
        phone
    }

    /// A message in the conversation.
    async fn record(&self, sid: MessageSid) {
        let id = CorrelationId::conversation(USER, NUMBER);
        guarded(self.world.feedback.record(id, self.world.sent(AC, sid))).await;
    }

    async fn answers(&self, cut: &Cut, webhook: Webhook, path: &str) -> Option<StatusCode> {
        async fn reply(message: IncomingMessage) -> StatusCode {
            told(message.confirm().await)
        }
        async fn call(call: IncomingCall) -> StatusCode {
            told(call.confirm().await)
        }
        let app = Router::new()
            .route("/reply", post(reply))
            .route("/call", post(call))
            .route("/status", post(status_callback))
            .layer(self.world.feedback.layer());
        let (parts, body) = webhook.request().expect("a request").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let mut request = Request::from_parts(parts, Body::from(body));
        *request.uri_mut() = path.parse().expect("a path");
        request.headers_mut().insert("host", "example.com".parse().expect("a value"));
        request.headers_mut().insert("x-forwarded-proto", "https".parse().expect("a value"));
        let response = cut.drive(app.oneshot(request)).await;
        response.map(|response| response.expect("infallible").status())
    }
}

fn told(confirmation: Confirmation) -> StatusCode {
    match confirmation {
        Confirmation::Queued | Confirmation::AlreadyConfirmed | Confirmation::Deferred => {
            StatusCode::OK
        }
        _ => StatusCode::ACCEPTED,
    }
}

/// A webhook whose handler was dropped may come again, and again when the next message is
/// on its way: that was not answered.
async fn confirms_its_own_message_alone(webhook: impl Fn(&Phone) -> (Webhook, &'static str)) {
    let polls = at_each_await(async |cut: Cut| {
        let phone = Phone::new().await;
        let (sent, path) = webhook(&phone);
        let answered = phone.answers(&cut, sent, path).await;
        assert!(answered.is_none_or(|status| status == 200), "{answered:?}");
        comes_to_rest(&phone.world).await;
        let is_reported = phone.world.reports(phone.sid) == 1;
        assert!(is_reported || answered.is_none());

        let whole = Cut::none();
        if !is_reported {
            let (again, path) = webhook(&phone);
            assert_eq!(phone.answers(&whole, again, path).await, Some(StatusCode::OK));
            comes_to_rest(&phone.world).await;
        }
        let (again, path) = webhook(&phone);
        phone.world.time.advance(std::time::Duration::from_secs(1));
        let next = create(&phone.world.twilio, AC, "").await;
        phone.record(next).await;
        assert_eq!(phone.answers(&whole, again, path).await, Some(StatusCode::OK));
        assert_eq!(phone.world.reports(next), 0);
        is_sound(&phone.world, &[phone.sid]).await;
    })
    .await;
    assert!(polls > 4, "{polls}");
}

#[tokio::test]
async fn a_reply() {
    confirms_its_own_message_alone(|phone| {
        let reply = phone.twilio.reply(phone.sid, "yes").expect("a reply");
        (reply.with_field("MessageSid", "SM00000000000000000000000000000001"), "/reply")
    })
    .await;
}

#[tokio::test]
async fn a_call() {
    confirms_its_own_message_alone(|phone| {
        let call = phone.twilio.call(phone.sid).expect("a call");
        (call.with_field("CallSid", "CA00000000000000000000000000000001"), "/call")
    })
    .await;
}

#[tokio::test]
async fn a_status() {
    let polls = at_each_await(async |cut: Cut| {
        let url = format!("{URL}/status");
        let phone = Phone::with(|builder| builder.status_callback(url)).await;
        let status = phone.twilio.status(phone.sid, "delivered").expect("a callback");
        let answered = phone.answers(&cut, status, "/status").await;
        assert!(answered.is_none_or(|status| status == 204), "{answered:?}");
        is_sound(&phone.world, &[]).await;
        let entry = phone.world.feedback.lookup_sid(phone.sid).await.expect("an answer");
        // Its body may not have been read.
        let told = entry.expect("it is there").message_status;
        let begun = phone.world.feedback.stats().statuses;
        let begun = begun.recorded + begun.deferred > 0;
        assert_eq!(told, begun.then_some(MessageStatus::Delivered));
        assert!(begun || !cut.has_begun(), "it was read and not kept");
    })
    .await;
    assert!(polls > 2, "{polls}");
}
