//! A tracked send and a confirm, with the report on and off in turn. Counts are brought
//! to the store meanwhile, as ever.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt};
use tower_message_feedback::{CorrelationId, MessageFeedback, simulator::Simulator};

use crate::{
    median,
    traffic::{self, AC},
};

/// Messages that wait before it begins.
const PENDING: u64 = 100_000;
const BATCH: u64 = 2_000;
const TURNS: usize = 41;

/// Answers as Twilio does, without doing anything.
fn twilio()
-> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    tower::service_fn(|_: Request<Full<Bytes>>| async {
        let n = NEXT.fetch_add(1, Relaxed);
        let body =
            format!("{{\"sid\":\"SM{n:032x}\",\"account_sid\":\"{AC}\",\"status\":\"queued\"}}");
        let response = Response::builder().status(201).header("content-type", "application/json");
        Ok(response.body(Full::new(Bytes::from(body))).expect("a response"))
    })
}

struct Subject {
    feedback: MessageFeedback,
    next: u64,
}

impl Subject {
    async fn new(report: bool) -> Self {
        let feedback =
            traffic::builder(&Simulator::new()).report(report).build().expect("a handle");
        feedback.pause_delivery();
        let mut subject = Self { feedback, next: 0 };
        while subject.next < PENDING {
            subject.send().await;
        }
        subject
    }

    /// Nanoseconds a send.
    async fn send(&mut self) -> f64 {
        let layer = self.feedback.provide_layer().label("login");
        let client = layer.layer(twilio());
        let form =
            Bytes::from_static(b"To=%2B4915112345678&From=%2B15557122661&Body=Your+code+is+123456");
        let requests: Vec<_> = (self.next..self.next + BATCH)
            .map(|n| {
                let uri = format!("https://api.twilio.com/2010-04-01/Accounts/{AC}/Messages.json");
                Request::post(uri)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .extension(CorrelationId::new(format!("m{n}")))
                    .body(Full::new(form.clone()))
                    .expect("a request")
            })
            .collect();
        self.next += BATCH;
        let began = Instant::now();
        for request in requests {
            client.clone().oneshot(request).await.expect("infallible");
        }
        nanoseconds(began)
    }

    /// Nanoseconds a confirm.
    async fn confirm(&self) -> f64 {
        let ids: Vec<_> = (self.next - BATCH..self.next).map(|n| format!("m{n}")).collect();
        let began = Instant::now();
        for id in ids {
            assert!(self.feedback.confirm(id).await.is_confirmed());
        }
        nanoseconds(began)
    }
}

fn nanoseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e9 / BATCH as f64
}

pub(crate) async fn measure() {
    let (mut on, mut off) = (Subject::new(true).await, Subject::new(false).await);
    let mut figures: [Vec<f64>; 4] = Default::default();
    let (mut sends, mut confirms) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        // Who is first has the colder caches: in turn.
        let (send_on, confirm_on, send_off, confirm_off);
        if turn % 2 == 0 {
            (send_on, confirm_on) = (on.send().await, on.confirm().await);
            (send_off, confirm_off) = (off.send().await, off.confirm().await);
        } else {
            (send_off, confirm_off) = (off.send().await, off.confirm().await);
            (send_on, confirm_on) = (on.send().await, on.confirm().await);
        }
        sends.push(send_on / send_off);
        confirms.push(confirm_on / confirm_off);
        for (of, figure) in figures.iter_mut().zip([send_on, send_off, confirm_on, confirm_off]) {
            of.push(figure);
        }
    }
    let [send_on, send_off, confirm_on, confirm_off] = figures.map(median);
    println!("                report on    off   on/off (median of {TURNS} turns)");
    println!("tracked send    {send_on:>7.0} ns {send_off:>7.0} ns {:>6.3}", median(sends));
    println!(
        "confirm         {confirm_on:>7.0} ns {confirm_off:>7.0} ns {:>6.3}",
        median(confirms)
    );
}
