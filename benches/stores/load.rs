//! Messages that wait, and many callers at once.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use tower_message_feedback::{AccountSid, BaseUrl, Timestamp, store::TrackedMessage};

use crate::numbered::{key, sid};

pub(crate) fn account() -> AccountSid {
    "AC0123456789abcdef0123456789abcdef".parse().expect("a SID")
}

/// Message `number`, which waits for three days.
pub(crate) fn message(number: u64) -> TrackedMessage {
    let now = Timestamp::from(SystemTime::now());
    let expires_at = now + Duration::from_secs(3 * 24 * 60 * 60);
    TrackedMessage::new(key(number), sid(number), account(), BaseUrl::default(), now, expires_at)
}

/// What a run of many calls showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) items_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Makes `calls` calls of `items` items each, `callers` at a time. `call` gets
/// the number of the call and answers how many items it did.
pub(crate) async fn run<F, Fut>(callers: usize, calls: usize, call: F) -> Figures
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = usize> + Send,
{
    let call = Arc::new(call);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (call, next) = (call.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut took = Vec::new();
            let mut items = 0;
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= calls {
                    return (took, items);
                }
                let began = Instant::now();
                items += call(number).await;
                took.push(began.elapsed());
            }
        }));
    }
    let (mut took, mut items) = (Vec::new(), 0);
    for task in tasks {
        let (times, done) = task.await.expect("no panic");
        took.extend(times);
        items += done;
    }
    let seconds = started.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| {
        let index = (took.len().saturating_sub(1) as f64 * share) as usize;
        took.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    Figures { items_per_second: items as f64 / seconds, p50_us: at(0.5), p99_us: at(0.99) }
}
