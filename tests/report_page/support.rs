//! A year of messages to many countries, and a page about them.

use std::{future::Future, sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tower_message_feedback::{
    AccountSid, Channel, Credentials, FeedbackBody, ManualClock, MessageFeedback, SentMessage,
    Timestamp,
    store::{
        Counts, Dimensions, FeedbackStore, LatencyHistogram, MemoryStore, Metric, Resolution,
        Rollup, RollupBatch, Segment,
    },
};

pub const AC: &str = "AC0123456789abcdef0123456789abcdef";
pub const OTHER_AC: &str = "ACfedcba9876543210fedcba9876543210";
pub const MG: &str = "MG0123456789abcdef0123456789abcdef";
/// Of the message whose feedback is a dead letter.
pub const DEAD: &str = "SM00000000000000000000000000000dea";
pub const NUMBER: &str = "+4915112345678";
/// Thu, 26 Nov 2026 12:34:56 UTC
const NOW: Timestamp = Timestamp::from_millis(1_795_696_496_000);

const COUNTRIES: [&str; 30] = [
    "US", "IN", "BR", "DE", "GB", "FR", "ID", "MX", "NG", "TR", "IT", "ES", "PL", "CA", "AU", "JP",
    "ZA", "EG", "AR", "CO", "NL", "SE", "CH", "AT", "PT", "GR", "CZ", "RO", "HU", "LV",
];

/// Waits for what must come soon.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let long = Duration::from_secs(60);
    timeout(long, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

pub struct World {
    pub feedback: MessageFeedback,
    /// Where it is served, without a slash at the end.
    pub origin: String,
}

fn account(text: &str) -> AccountSid {
    text.parse().expect("a SID")
}

impl World {
    /// With a month of messages, and one dead letter.
    pub async fn new() -> Self {
        let time = ManualClock::new(NOW);
        let store = Arc::new(MemoryStore::builder().clock(time.clock()).build());
        fill(&store).await;
        // Twilio refuses all feedback.
        let refuses = tower::service_fn(|_: http::Request<FeedbackBody>| async {
            let refused = http::Response::builder().status(400);
            refused.body(http_body_util::Empty::<bytes::Bytes>::new())
        });
        let feedback = MessageFeedback::builder()
            .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
            .transport(refuses)
            .clock(time.clock())
            .store(store)
            .build()
            .expect("a handle");
        let sent = SentMessage::new(account(AC), DEAD.parse().expect("a SID"))
            .label("<script>alert(\"1\")</script>")
            .dimensions(Dimensions::of_recipient(NUMBER));
        feedback.record(NUMBER, sent).await;
        feedback.confirm(NUMBER).await;
        soon("a dead letter", feedback.flush()).await;
        Self { origin: serve(&feedback).await, feedback }
    }

    pub fn page(&self) -> String {
        format!("{}/admin/report", self.origin)
    }
}

/// Serves the page at several places.
async fn serve(feedback: &MessageFeedback) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new()
        .nest("/admin/report", feedback.report_router())
        .nest("/quiet", feedback.report_page().resend(false).into_router())
        .merge(feedback.report_router());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

async fn fill(store: &MemoryStore) {
    let mut rollups = Vec::new();
    for hour in 0..30 * 24_u32 {
        let at = NOW - Duration::from_secs(u64::from(hour) * 3600);
        for (n, country) in COUNTRIES.iter().enumerate() {
            let busy = 40_000 / (n as i64 + 2).pow(2)
                * if at.as_millis() / 3_600_000 % 24 < 6 { 1 } else { 3 };
            let mut dimensions = Dimensions::default();
            dimensions.country = country.parse().ok();
            dimensions.channel = Some(if n % 3 == 0 { Channel::WhatsApp } else { Channel::Sms });
            dimensions.messaging_service = (n % 2 == 0).then(|| MG.parse().expect("a SID"));
            let label = ["login", "signup"][n % 2];
            let conversions = busy * (80 - n as i64) / 100;
            let mut counts = Counts::default();
            counts.add(Metric::Attempted, busy);
            counts.add(Metric::StatusOk, busy * 95 / 100);
            counts.add(Metric::Conversions, conversions);
            counts.add(Metric::Resends, busy / 50);
            for (seconds, share) in [(4, 10), (9, 40), (17, 30), (40, 15), (170, 5)] {
                let mut latency = LatencyHistogram::default();
                for _ in 0..(conversions * share / 100).min(50) {
                    latency.merge(&LatencyHistogram::of(Duration::from_secs(seconds)));
                }
                counts.add_latency(&latency);
            }
            let segment = Segment::new(Some(label), dimensions);
            let whose = account(if n % 5 == 0 { OTHER_AC } else { AC });
            for resolution in [Resolution::Hour, Resolution::Day] {
                let (segment, counts) = (segment.clone(), counts.clone());
                let until = at + Duration::from_secs(400 * 24 * 3600);
                let start = resolution.start(at);
                rollups.push(Rollup::new(resolution, start, whose, segment, counts, until));
            }
        }
    }
    let batch = RollupBatch::new(1, 1, rollups, NOW + Duration::from_secs(3600));
    store.add_rollups(&batch).await.expect("an answer");
}
