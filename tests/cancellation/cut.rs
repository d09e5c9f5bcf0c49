use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use crate::support::guarded;

/// When a future is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// After so many polls, if it is not over by then.
    pub(crate) polls: usize,
    /// Not at once, but when it would be polled again: what it waits for is there then, and
    /// everybody else went on meanwhile.
    is_late: bool,
    is_over: Rc<Cell<bool>>,
}

impl Cut {
    /// Whether the future was polled at all.
    pub(crate) fn has_begun(&self) -> bool {
        self.polls > 0
    }

    /// Drives a future until it is dropped; what it answers if it is over before.
    pub(crate) async fn drive<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut left = self.polls;
        let output = poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if left == 0 && !self.is_late => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if output.is_none() && self.is_late {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        self.is_over.set(output.is_some());
        output
    }
}

/// Runs a scenario with its future dropped after no poll, after one, and so on, until it is
/// over before; answers after how many polls it was.
pub(crate) async fn at_each_await<F: Future<Output = ()>>(scenario: impl Fn(Cut) -> F) -> usize {
    let mut most = 0;
    for is_late in [false, true] {
        for polls in 0.. {
            assert!(polls < 500, "it is never over");
            let cut = Cut { polls, is_late, is_over: Rc::default() };
            guarded(scenario(cut.clone())).await;
            if cut.is_over.get() {
                most = most.max(polls);
                break;
            }
        }
    }
    most
}

impl Cut {
    /// Lets a future come to its end.
    pub(crate) fn none() -> Self {
        Self { polls: usize::MAX, is_late: false, is_over: Rc::default() }
    }
}
