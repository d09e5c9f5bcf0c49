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

use crate::{
    loopback::all,
    numbered::{key, sid},
};

pub(crate) fn account() -> AccountSid {
    "AC0123456789abcdef0123456789abcdef".parse().expect("a SID")
}

/// Message `number`, which waits for three days.
pub(crate) fn message(number: u64) -> TrackedMessage {
    let now = Timestamp::from(SystemTime::now());
    let expires_at = now + Duration::from_secs(3 * 24 * 60 * 60);
    TrackedMessage::new(key(number), sid(number), account(), BaseUrl::default(), now, expires_at)
}

/// Makes `calls` calls, `callers` at a time. `call` gets the number of the call and answers
/// how many items it did. How many were done in a second.
pub(crate) async fn run<F, Fut>(callers: usize, calls: usize, call: F) -> f64
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = usize> + Send,
{
    let call = Arc::new(call);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let items = all((0..callers).map(|_| {
        let (call, next) = (call.clone(), next.clone());
        async move {
            let mut items = 0;
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= calls {
                    return items;
                }
                items += call(number).await;
            }
        }
    }))
    .await;
    items.into_iter().sum::<usize>() as f64 / started.elapsed().as_secs_f64()
}
