//! The handle that an application keeps.

mod background;
mod builder;
#[cfg(feature = "serde")]
mod config;
mod confirmation;
mod dead_letters;
mod deferred;
mod dispatcher;
mod early_statuses;
mod error;
mod gather;
mod handle;
mod health;
mod import;
#[cfg(any(feature = "postgres", feature = "sqlite-unbundled"))]
mod joined;
mod meant;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "axum")]
mod notes;
mod pending;
mod recent;
mod segments;
#[cfg(feature = "axum")]
mod senders;
mod sent;
mod settings;
mod shared;
mod stats;
mod status_callback_url;
mod statuses;
mod tally;
mod waiting;
#[cfg(feature = "axum")]
mod webhooks;

#[cfg(feature = "serde")]
pub use self::config::{AccountConfig, MessageFeedbackConfig, RetryPolicyConfig};
#[cfg(feature = "postgres")]
pub use self::joined::JoinPostgres;
#[cfg(feature = "sqlite-unbundled")]
pub use self::joined::JoinSqlite;
#[cfg(any(feature = "postgres", feature = "sqlite-unbundled"))]
pub use self::joined::Joined;
pub use self::{
    builder::MessageFeedbackBuilder,
    confirmation::{Confirmation, Refusal},
    dead_letters::DeadLetterExport,
    dispatcher::Dispatcher,
    error::BuildError,
    handle::MessageFeedback,
    health::{Health, Preflight, Remaining},
    import::{ImportLine, Imported, InvalidImport},
    sent::{Recorded, SentMessage},
    stats::{ConfirmStats, SendStats, Stats, StatusStats},
    statuses::StatusRecorded,
    tally::ReportStats,
};
pub(crate) use self::{
    pending::{PendingConfirms, PendingRecord},
    recent::Untagged,
    shared::Shared,
    status_callback_url::TrackedSend,
};
