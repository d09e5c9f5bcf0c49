//! A clock that is ahead of the system's, and goes as fast.

use std::time::{Duration, Instant, SystemTime};

use tokio::task::AbortHandle;
use tower_message_feedback::{Clock, ManualClock, Timestamp};

/// Goes on until it is dropped.
pub(crate) struct Ahead {
    clock: ManualClock,
    ticking: AbortHandle,
}

impl Ahead {
    pub(crate) fn by(lead: Duration) -> Self {
        let clock = ManualClock::new(Timestamp::from(SystemTime::now()) + lead);
        let ticking = tokio::spawn({
            let clock = clock.clone();
            async move {
                let mut shown = Instant::now();
                loop {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    // Whole milliseconds: what is left over counts the next time.
                    let passed = Duration::from_millis(
                        u64::try_from(shown.elapsed().as_millis()).expect("a short time"),
                    );
                    clock.advance(passed);
                    shown += passed;
                }
            }
        });
        Self { clock, ticking: ticking.abort_handle() }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clock()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}
