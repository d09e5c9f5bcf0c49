//! What Twilio calls: replies, calls, and what only says that it is Twilio.

mod calls;
mod replies;
mod sdk;
mod signatures;
mod signed;
mod statuses;

use axum::{
    Router,
    routing::{any, post},
};
use bytes::Bytes;
use http::Response;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmation, Correlate, MessageFeedbackBuilder, MessageSid, conversation,
    simulator::{Webhook, Webhooks},
    webhook::{IncomingCall, IncomingMessage, Twiml, status_callback},
};

use crate::support::{AC, CONFIRMATION, Site, Told, World, listen, soon, told};

const TOKEN: &str = "token";
const USER: &str = "+15558675310";
const NUMBER: &str = "+15557122661";
const OTHER_NUMBER: &str = "+15557122662";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

async fn replied(message: IncomingMessage) -> (Told, Twiml) {
    (told(message.confirm().await), Twiml::message("Thank you"))
}

async fn replied_stop(message: IncomingMessage) -> Told {
    told(message.confirm_if(|message| message.body() == "STOP").await)
}

async fn called(call: IncomingCall) -> (Told, Twiml) {
    match call.digits().as_deref() {
        None => {
            let gather = "<Gather numDigits=\"1\"><Say>Press 1 to confirm</Say></Gather>";
            (told(Confirmation::NoId), Twiml::response(gather))
        }
        Some("1") => (told(call.confirm().await), Twiml::say("Thank you")),
        Some(_) => (told(Confirmation::NoId), Twiml::say("Good bye")),
    }
}

/// An application that takes replies and calls.
struct Phone {
    world: World,
    site: Site,
    twilio: Webhooks,
}

impl Phone {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(
        configure: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
    ) -> Self {
        Self::on(listen().await, configure).await
    }

    /// At a URL that is known before.
    async fn on(
        place: (TcpListener, String),
        configure: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
    ) -> Self {
        let world = World::with(configure).await;
        let app = Router::new()
            .route("/reply", any(replied))
            .route("/stop", any(replied_stop))
            .route("/call", any(called))
            .route("/status", post(status_callback));
        // Prefixes that a router takes away are part of what Twilio called.
        let app = Router::new().nest("/hooks", app).layer(world.feedback.layer());
        let site = Site::axum_on(place, app);
        let twilio = world
            .twilio
            .webhooks(TOKEN)
            .replies_to(site.url("/hooks/reply"))
            .calls_to(site.url("/hooks/call"));
        Self { world, site, twilio }
    }

    /// Texts the user from a number, correlated by the conversation.
    async fn text(&self, from: &str) -> MessageSid {
        self.send(conversation(), &[("From", from)]).await
    }

    async fn send(
        &self,
        rule: impl Correlate + Clone + Send + Sync + 'static,
        fields: &[(&str, &str)],
    ) -> MessageSid {
        let request = self.create(fields);
        let layer = self.world.feedback.provide_layer().correlate(rule);
        let client = layer.layer(reqwest::Client::new());
        let response = soon("a create", client.oneshot(request)).await.expect("a response");
        assert_eq!(response.status(), 201);
        self.world.last()
    }

    fn create(&self, fields: &[(&str, &str)]) -> reqwest::Request {
        let mut form = vec![("To", USER), ("Body", "Reply YES, or call us")];
        form.extend(fields);
        let base_url = self.world.server.base_url();
        reqwest::Client::new()
            .post(format!("{base_url}/Accounts/{AC}/Messages.json"))
            .basic_auth(AC, Some(TOKEN))
            .form(&form)
            .build()
            .expect("a request")
    }

    fn reply(&self, sid: MessageSid, body: &str) -> Webhook {
        self.twilio.reply(sid, body).expect("a reply")
    }
}

/// Sends a webhook; answers what the application says became of it.
async fn say(webhook: &Webhook) -> String {
    let response = send(webhook).await;
    assert_eq!(response.status(), 200, "{:?}", response.body());
    assert!(response.headers().contains_key(CONFIRMATION));
    response.headers()[CONFIRMATION].to_str().expect("ASCII").to_owned()
}

async fn send(webhook: &Webhook) -> Response<Bytes> {
    soon("a webhook", webhook.send()).await.expect("an answer")
}
