//! A confirming route over HTTP, beside the same route bare, and beside what one writes
//! without this crate: the guide's way, and the same in a task of its own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, State},
    routing::get,
};
use serde::Deserialize;
use tower_message_feedback::{
    Credentials, MessageFeedback, SentMessage, source::query, store::MemoryStore,
};

use crate::{
    loopback::{Pace, Twilio, latencies, serve, throughput},
    requests::AC,
    table::{Spread, spread},
    turns::in_turns,
};

const CONNECTIONS: usize = 16;
const TURNS: usize = 15;

/// Who answers the click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nobody reports anything.
    Bare,
    /// A layer that does nothing.
    Identity,
    /// This crate.
    Layer,
    /// The handler reports before it answers.
    Inline,
    /// The handler has a task report.
    Spawned,
}

/// The same route in each way, each behind a port of its own.
pub(crate) struct Routes {
    feedback: MessageFeedback,
    known: Arc<Mutex<HashMap<String, String>>>,
    addresses: [(Way, SocketAddr); 5],
    next: AtomicU64,
}

#[derive(Deserialize)]
struct Link {
    id: String,
}

#[derive(Clone)]
struct Handwritten {
    known: Arc<Mutex<HashMap<String, String>>>,
    client: reqwest::Client,
    url: Arc<str>,
}

impl Handwritten {
    /// As the guide does it.
    async fn report(self, id: String) {
        let sid = self.known.lock().expect("no panic").remove(&id);
        let Some(sid) = sid else { return };
        let url = format!("{}/2010-04-01/Accounts/{AC}/Messages/{sid}/Feedback.json", self.url);
        let sent = self
            .client
            .post(url)
            .basic_auth(AC, Some("token"))
            .form(&[("Outcome", "confirmed")])
            .send()
            .await;
        if let Ok(answer) = sent {
            drop(answer.bytes().await);
        }
    }
}

const THANKS: &str = "Thank you!";

impl Routes {
    pub(crate) async fn start(twilio: &Twilio) -> Self {
        let store = MemoryStore::builder().max_outbox(1_000_000).build();
        let feedback = MessageFeedback::builder()
            .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
            .allow_origin(twilio.url())
            .store(store)
            .build()
            .expect("a handle");
        let known = Arc::new(Mutex::new(HashMap::new()));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let handwritten = Handwritten { known: known.clone(), client, url: twilio.url().into() };
        let bare = || get(|Query(_): Query<Link>| async { THANKS });
        let layer = bare().layer(feedback.confirm_layer(query("id")));
        let identity = bare().layer(tower::layer::util::Identity::new());
        let inline = get(|State(reporter): State<Handwritten>, Query(link): Query<Link>| async {
            reporter.report(link.id).await;
            THANKS
        });
        let spawned = get(|State(reporter): State<Handwritten>, Query(link): Query<Link>| async {
            tokio::spawn(reporter.report(link.id));
            THANKS
        });
        let app = |route| Router::new().route("/confirm", route).with_state(handwritten.clone());
        let addresses = [
            (Way::Bare, serve(app(bare())).await),
            (Way::Identity, serve(app(identity)).await),
            (Way::Layer, serve(app(layer)).await),
            (Way::Inline, serve(app(inline)).await),
            (Way::Spawned, serve(app(spawned)).await),
        ];
        Self { feedback, known, addresses, next: AtomicU64::new(0) }
    }

    pub(crate) fn pause(&self) {
        self.feedback.pause_delivery();
    }

    fn address(&self, way: Way) -> SocketAddr {
        let found = self.addresses.iter().find(|(known, _)| *known == way);
        found.expect("a route").1
    }

    /// Clicks on links of so many new messages.
    async fn clicks(&self, way: Way, count: usize, twilio: &Twilio) -> Arc<Vec<String>> {
        let first = self.next.fetch_add(count as u64, Relaxed);
        let mut paths = Vec::new();
        for number in first..first + count as u64 {
            let id = format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let sid = format!("SM{number:032x}");
            match way {
                Way::Bare | Way::Identity => {}
                Way::Layer => {
                    let sent =
                        SentMessage::new(AC.parse().expect("a SID"), sid.parse().expect("a SID"));
                    let sent = sent.base_url(twilio.base_url());
                    self.feedback.record(id.as_str(), sent).await;
                }
                Way::Inline | Way::Spawned => {
                    self.known.lock().expect("no panic").insert(id.clone(), sid);
                }
            }
            paths.push(format!("/confirm?id={id}"));
        }
        Arc::new(paths)
    }

    /// Requests a second, of a way and of the bare route in turns: of what share of the
    /// bare one's.
    pub(crate) async fn share_of_throughput(
        &self,
        way: Way,
        clicks: usize,
        twilio: &Twilio,
    ) -> Spread {
        let figures = in_turns(TURNS, async |is_ours| {
            let way = if is_ours { way } else { Way::Bare };
            let paths = self.clicks(way, clicks, twilio).await;
            throughput(self.address(way), paths, CONNECTIONS).await
        })
        .await;
        spread(figures.iter().map(|[bare, ours]| ours / bare).collect())
    }

    /// The 99th percentile of a way at a fixed offered load, for that of the bare route.
    pub(crate) async fn share_of_p99(
        &self,
        way: Way,
        clicks: usize,
        each: Duration,
        twilio: &Twilio,
    ) -> (Spread, Spread) {
        let figures = in_turns(TURNS, async |is_ours| {
            let way = if is_ours { way } else { Way::Bare };
            let paths = self.clicks(way, clicks, twilio).await;
            let took = latencies(self.address(way), paths, 4 * CONNECTIONS, each).await;
            took[took.len() * 99 / 100]
        })
        .await;
        let shares = figures.iter().map(|[bare, ours]| ours / bare).collect();
        (spread(shares), spread(figures.iter().map(|[_, ours]| *ours).collect()))
    }
}

pub(crate) async fn twilio(pace: Pace) -> (Twilio, Routes) {
    let twilio = Twilio::start(pace).await;
    let routes = Routes::start(&twilio).await;
    (twilio, routes)
}
