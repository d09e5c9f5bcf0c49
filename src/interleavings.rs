//! What `tests/interleavings` tries by itself, and not through the handle, where one part
//! makes up for another.

use crate::delivery::{self, DispatcherState, Drain};

/// What a handle and its dispatcher share.
#[derive(Debug, Default)]
pub struct Control(delivery::Control);

impl Control {
    /// Resolves once the outbox is drained, or the dispatcher has ended.
    pub fn drain(&self) -> impl Future<Output = ()> + use<> {
        self.0.drain(Drain::All)
    }

    /// Resolves once the dispatcher has ended.
    pub async fn ended(&self) {
        self.0.ended().await;
    }

    /// The dispatcher ends.
    pub fn end(&self) {
        self.0.set_state(DispatcherState::Ended);
    }
}
