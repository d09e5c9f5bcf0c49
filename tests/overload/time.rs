//! A clock that goes on by itself, with Tokio's paused one.

use std::time::Duration;

use tower_message_feedback::ManualClock;

/// Lets the clock go on for as long as the runtime lives.
pub(crate) fn flow(clock: &ManualClock) {
    const TICK: Duration = Duration::from_millis(200);
    let clock = clock.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TICK).await;
            clock.advance(TICK);
        }
    });
}
