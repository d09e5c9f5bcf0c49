//! Tower layers that close the loop of Twilio's Message Feedback.

mod clock;
mod correlate;
mod counters;
mod delivery;
mod feedback;
pub mod incoming;
pub mod outgoing;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod store;
mod twilio;

#[cfg(feature = "test-util")]
pub use clock::ManualClock;
pub use clock::{Clock, Timestamp};
pub use correlate::{
    Correlate, CorrelationId, CorrelationKey, CorrelationKeys, LinkQuery, Recipient, link_query,
    recipient,
};
pub use delivery::{DeliveryStats, DispatcherState, RetryPolicy};
pub use feedback::{
    BuildError, ConfirmStats, Confirmation, Dispatcher, Health, MessageFeedback,
    MessageFeedbackBuilder, Recorded, Refusal, Remaining, SendStats, SentMessage, Stats,
};
pub use incoming::{ConfirmLayer, source};
#[cfg(feature = "axum")]
pub use incoming::{Confirmed, Tracked, TrackedAction, TrackedRejection};
pub use outgoing::{ProvideFeedback, ProvideFeedbackLayer};
pub use twilio::{
    AccountSid, BaseUrl, Credentials, CredentialsError, CredentialsProvider, FeedbackBody,
    InvalidBaseUrl, InvalidSid, MessageForm, MessageSid,
};
