//! Draining a full outbox, beside a loop around the same client that does nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_message_feedback::{Credentials, MessageFeedback, SentMessage, store::MemoryStore};

use crate::{
    loopback::{Pace, Twilio, all},
    requests::AC,
    table::{Spread, spread},
    turns::in_turns,
};

const MESSAGES: usize = 10_000;
const TURNS: usize = 11;

pub(crate) struct Drained {
    /// What the dispatcher delivers, for what the loop does.
    pub(crate) share: Spread,
    pub(crate) posts_per_second: Spread,
    /// How many connections each POST of the dispatcher needed.
    pub(crate) connections: f64,
}

pub(crate) async fn measure(concurrency: usize) -> Drained {
    let twilio = Twilio::start(Pace::After(Duration::ZERO)).await;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, "token").expect("credentials"))
        .allow_origin(twilio.url())
        .max_in_flight(concurrency)
        .store(MemoryStore::builder().max_outbox(MESSAGES).build())
        .build()
        .expect("a handle");
    let (mut connections, mut next) = (0, 0);
    let figures = in_turns(TURNS, async |is_ours| {
        if !is_ours {
            return bare_loop(&twilio, concurrency).await;
        }
        let before = twilio.connections();
        let figure = ours_drains(&feedback, &twilio, next).await;
        next += MESSAGES;
        connections += twilio.connections() - before;
        figure
    })
    .await;
    feedback.shutdown(Duration::from_secs(5)).await;
    Drained {
        share: spread(figures.iter().map(|[bare, ours]| ours / bare).collect()),
        posts_per_second: spread(figures.iter().map(|[_, ours]| *ours).collect()),
        connections: connections as f64 / (TURNS * MESSAGES) as f64,
    }
}

async fn ours_drains(feedback: &MessageFeedback, twilio: &Twilio, first: usize) -> f64 {
    feedback.pause_delivery();
    let base_url = twilio.base_url();
    for number in first..first + MESSAGES {
        let sid = format!("SM{number:032x}").parse().expect("a SID");
        let sent = SentMessage::new(AC.parse().expect("a SID"), sid).base_url(base_url.clone());
        assert!(feedback.confirm_sid(sent).await.is_confirmed());
    }
    let posts = twilio.posts();
    let began = Instant::now();
    feedback.resume_delivery();
    twilio.has_posts(posts + MESSAGES).await;
    let figure = MESSAGES as f64 / began.elapsed().as_secs_f64();
    let _ = feedback.flush().await;
    figure
}

async fn bare_loop(twilio: &Twilio, concurrency: usize) -> f64 {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let next = Arc::new(AtomicUsize::new(0));
    let posts = twilio.posts();
    let url = twilio.url();
    let began = Instant::now();
    let workers = all((0..concurrency).map(|_| {
        let (client, next, url) = (client.clone(), next.clone(), url.clone());
        async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= MESSAGES {
                    return;
                }
                let uri = format!(
                    "{url}/2010-04-01/Accounts/{AC}/Messages/SM{number:032x}/Feedback.json"
                );
                let request = Request::post(uri)
                    .header("authorization", "Basic QUM6eA==")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("accept", "application/json")
                    .header("user-agent", "tower-message-feedback/0.1.0")
                    .body(Full::from("Outcome=confirmed"))
                    .expect("a request");
                let answer = client.request(request).await.expect("an answer");
                let _ = answer.into_body().collect().await;
            }
        }
    }));
    tokio::join!(workers, twilio.has_posts(posts + MESSAGES));
    MESSAGES as f64 / began.elapsed().as_secs_f64()
}
