use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use super::{background, shared::Shared};
use crate::delivery::{DispatcherState, Worker};

/// Delivers the feedback: the other half of
/// [`build_pair`](crate::MessageFeedbackBuilder::build_pair).
///
/// It is a future to spawn on a Tokio runtime with its time and I/O enabled. It
/// ends after [`shutdown`](crate::MessageFeedback::shutdown), or when every
/// handle is gone and the outbox is empty. Dropping it stops delivery; what a
/// durable store holds is delivered after the next start.
#[must_use = "feedback is delivered by spawning the dispatcher"]
pub struct Dispatcher {
    running: Pin<Box<dyn Future<Output = ()> + Send>>,
    shared: Arc<Shared>,
}

impl Dispatcher {
    pub(super) fn new(shared: Arc<Shared>, worker: Worker) -> Self {
        let background = background::run(shared.clone());
        let counting = shared.clone();
        let running = Box::pin(async move {
            until_the_worker_ends(worker.run(), background).await;
            // The handles may be gone: what was counted last is brought to the store here.
            let _ = counting.flush_report().await;
        });
        Self { running, shared }
    }
}

/// Runs both until `worker` ends. Then both are gone, with what they hold: `background` may
/// be in the middle of a flush.
async fn until_the_worker_ends(
    worker: impl Future<Output = ()>,
    background: impl Future<Output = ()>,
) {
    let mut worker = pin!(worker);
    let mut background = pin!(background);
    std::future::poll_fn(|cx| {
        if worker.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        background.as_mut().poll(cx)
    })
    .await;
}

impl Future for Dispatcher {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let control = &self.shared.control;
        if control.state() == DispatcherState::NotStarted {
            control.set_state(DispatcherState::Running);
        }
        let polled = self.running.as_mut().poll(cx);
        if polled.is_ready() {
            self.shared.control.set_state(DispatcherState::Ended);
        }
        polled
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.shared.control.set_state(DispatcherState::Ended);
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("state", &self.shared.control.state())
            .finish_non_exhaustive()
    }
}
