//! An application that uses all of the crate, on any store.

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_message_feedback::{
    Credentials, MessageFeedbackBuilder, MessageSid, SentMessage,
    simulator::{Simulator, Webhooks},
    store::{Dimensions, FeedbackStore},
    webhook::SignatureVerifier,
};

use crate::{
    incoming,
    markers::{
        API_SECRET, AUTH_TOKEN, BEARER, CORRELATION_KEY, GERMAN_USER, PREVIOUS_KEY, USER,
        WEBHOOK_TOKEN,
    },
    said::{listen, noted, noted_output},
    support::{AC, OTHER_AC, SK, Site, World, seconds},
};

pub(crate) const THIRD_AC: &str = "AC00112233445566778899aabbccddeeff";
/// What is no secret, and has to be found.
pub(crate) const LABEL: &str = "welcome-label";
/// Where the application's users and Twilio find it.
pub(crate) const PUBLIC: &str = "https://app.example";

pub(crate) struct App {
    pub(crate) world: World,
    pub(crate) router: Router,
    pub(crate) webhooks: Webhooks,
}

pub(crate) fn builder(site: &Site) -> MessageFeedbackBuilder {
    let verifier = SignatureVerifier::new(AC, WEBHOOK_TOKEN)
        .and_then(|verifier| verifier.auth_token(OTHER_AC, AUTH_TOKEN))
        .expect("tokens");
    let verifier = noted(verifier.public_url(PUBLIC).expect("a URL"));
    let of = |account: &str| -> Credentials {
        noted(match account {
            AC => Credentials::auth_token(AC, AUTH_TOKEN).expect("credentials"),
            OTHER_AC => Credentials::api_key(OTHER_AC, SK, API_SECRET).expect("credentials"),
            _ => Credentials::bearer(account, BEARER).expect("credentials"),
        })
    };
    site.builder()
        .credentials(of(AC))
        .credentials(of(OTHER_AC))
        .credentials_provider(move |_| Some(of(THIRD_AC)))
        .correlation_key(CORRELATION_KEY)
        .previous_correlation_key(PREVIOUS_KEY)
        .webhooks(verifier)
        .status_callback(format!("{PUBLIC}/hooks/status"))
        .store_timeout(seconds(60))
}

impl App {
    pub(crate) fn new(site: Site, store: impl FeedbackStore) -> Self {
        listen();
        let builder = noted(builder(&site).store(store));
        let world = site.world(builder);
        noted(&world.feedback);
        let webhooks = world
            .twilio
            .webhooks(WEBHOOK_TOKEN)
            .replies_to(format!("{PUBLIC}/hooks/reply"))
            .calls_to(format!("{PUBLIC}/hooks/call"));
        let router = incoming::router(&world.feedback);
        Self { world, router, webhooks }
    }

    /// Asks the application; its answer is noted.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> u16 {
        ask(&self.router, request).await
    }

    /// A message that Twilio has and nobody else knows.
    pub(crate) async fn message(&self, account: &str) -> SentMessage {
        let sid = self.world.create(account).await;
        let recipient = if account == AC { GERMAN_USER } else { USER };
        let sent = self.world.sent(account, sid).label(LABEL);
        noted(sent.dimensions(noted(Dimensions::of_recipient(recipient))))
    }

    /// Twilio's newest message.
    pub(crate) fn newest(&self) -> MessageSid {
        newest(&self.world.twilio)
    }

    /// Lets everything happen that is due by now, and by then.
    pub(crate) async fn later(&self) {
        self.world.advance(crate::support::WAIT).await;
    }
}

pub(crate) fn newest(twilio: &Simulator) -> MessageSid {
    twilio.messages().last().expect("a message").sid()
}

/// The status of an answer, which is noted.
pub(crate) async fn ask(router: &Router, request: Request<Full<Bytes>>) -> u16 {
    let answer: Response<_> =
        router.clone().oneshot(request.map(axum::body::Body::new)).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    noted_output(&format!("{:?} {}\n", head.headers, String::from_utf8_lossy(&body)));
    head.status.as_u16()
}

/// The same, for an answer that repeats what was asked for: to whom asked, and to nobody else.
pub(crate) async fn ask_quietly(
    router: &Router,
    request: Request<Full<Bytes>>,
    repeated: &str,
) -> u16 {
    let answer: Response<_> =
        router.clone().oneshot(request.map(axum::body::Body::new)).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    noted_output(&String::from_utf8_lossy(&body).replace(repeated, "…"));
    head.status.as_u16()
}
