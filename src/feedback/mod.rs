//! The handle that an application keeps.

mod background;
mod builder;
mod confirmation;
mod deferred;
mod dispatcher;
mod error;
mod handle;
mod health;
mod pending;
mod recent;
mod sent;
mod settings;
mod shared;
mod stats;
mod waiting;

pub use self::{
    builder::MessageFeedbackBuilder,
    confirmation::{Confirmation, Refusal},
    dispatcher::Dispatcher,
    error::BuildError,
    handle::MessageFeedback,
    health::{Health, Preflight, Remaining},
    sent::{Recorded, SentMessage},
    stats::{ConfirmStats, SendStats, Stats},
};
pub(crate) use self::{
    pending::{PendingConfirms, PendingRecord},
    recent::Untagged,
    shared::Shared,
};
