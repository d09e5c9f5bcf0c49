//! What threads share: the standard library's, or in `tests/interleavings` shuttle's, which
//! tries out in which order threads may come to it.

#[cfg(message_feedback_shuttle)]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, RwLock, atomic},
    thread_local,
};
pub(crate) use std::sync::PoisonError;
#[cfg(not(message_feedback_shuttle))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, RwLock, atomic},
    thread_local,
};

/// Which lock an item lies behind goes by this. A schedule can only be replayed if it goes
/// the same way each time.
#[cfg(message_feedback_shuttle)]
pub(crate) type HashState = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
#[cfg(not(message_feedback_shuttle))]
pub(crate) type HashState = hashbrown::DefaultHashBuilder;

#[cfg(not(message_feedback_shuttle))]
pub(crate) use tokio::{runtime::Handle, sync::Notify};

/// Tokio's, of which shuttle knows nothing: another thread may go before each call.
#[cfg(message_feedback_shuttle)]
#[derive(Debug, Default)]
pub(crate) struct Notify {
    notify: tokio::sync::Notify,
    met: atomic::AtomicBool,
}

#[cfg(message_feedback_shuttle)]
impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn meet(&self) -> &tokio::sync::Notify {
        self.met.load(atomic::Ordering::SeqCst);
        &self.notify
    }

    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.meet().notified()
    }

    pub(crate) fn notify_one(&self) {
        self.meet().notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        self.meet().notify_waiters();
    }
}

/// Shuttle's, in place of a runtime.
#[cfg(message_feedback_shuttle)]
pub(crate) struct Handle;

#[cfg(message_feedback_shuttle)]
impl Handle {
    #[allow(clippy::unnecessary_wraps, reason = "as Tokio's")]
    pub(crate) fn try_current() -> Result<Self, std::convert::Infallible> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "as Tokio's")]
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(shuttle::future::spawn(task));
    }
}
