//! Tower layers that close the loop of [Twilio's Message Feedback]: tag the
//! messages that carry a one-time code or a link, remember their SIDs, notice
//! that the user did what the message asked, and report it.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower_message_feedback::Credentials;
//! # let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?;
//! # async fn thank_you() {}
//! # let client = tower::service_fn(|_: http::Request<axum::body::Body>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty()))
//! # });
//! use axum::{Router, routing::get};
//! use tower::ServiceBuilder;
//! use tower_message_feedback::{MessageFeedback, link_query, source::query};
//!
//! let feedback = MessageFeedback::builder().credentials(credentials).build()?;
//!
//! // Around the client that sends messages:
//! let twilio = ServiceBuilder::new()
//!     .layer(feedback.provide_layer().correlate(link_query("id")))
//!     .service(client);
//!
//! // Around the route that the link in a message opens:
//! let app: Router = Router::new()
//!     .route("/confirm", get(thank_you).layer(feedback.confirm_layer(query("id"))));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to read on
//!
//! - `guide`: from the first line to many machines; adopting it without risk; every client,
//!   other languages and login servers; every action that a message can ask for; operating,
//!   security, upgrades.
//! - [`outgoing`]: which sends are tagged, how a send says its id, and where
//!   the layer belongs in a stack.
//! - [`incoming`]: a layer for links, extractors for codes, and what is never
//!   an action.
//! - [`webhook`]: replies and calls, and the proof that a request is Twilio's.
//! - [`report`]: the OTP Conversion report, its page, its alerts.
//! - [`MessageFeedback`]: the handle; sending by other means; the end.
//! - [`MessageFeedbackBuilder`]: every setting with its default.
//! - [`store`]: where messages wait, and the contract for a store of your own.
#![cfg_attr(
    feature = "simulator",
    doc = "- [`simulator`]: a Twilio that runs in process; [`simulator::testing`]: testing your application."
)]
//!
//! # Events
//!
//! What happens is told by `tracing` under the target `tower_message_feedback`
//! and its modules: `ERROR` where a person has to act (refused credentials),
//! `WARN` where feedback or tracking is given up or a bound is reached, `DEBUG`
//! for each message and call. Field names are stable: `sid`, `account`,
//! `status`, `code` (Twilio's error code), `request_id` (its support asks for
//! it), `result`, `wait_ms`, `failure`, `failures`, `error`. The spans `record_message`, `confirm_action` and `feedback_call`
//! (with `attempt`) surround what waits for the store or for Twilio. No field holds a phone number, an id, a text or a credential. The
//! same is counted in [`MessageFeedback::stats`].
//!
//! # Features
//!
//! | feature | by default | what it adds |
//! |---|---|---|
//! | `axum` | yes | the extractors, those of [`webhook`] included, and [`source`]`::path` |
//! | `https-client` | yes | the default transport: hyper with rustls |
//! | `http2` | | HTTP/2 for it, where the server offers it |
//! | `gzip` | | the SID is read out of answers in gzip, which stay as they are |
//! | `metrics` | | the report's counters, gauges and latency through the facade `metrics` |
//! | `phone-number` | | `E164`: phone numbers as people type them (Rust 1.88) |
//! | `reqwest` | | [`ProvideFeedback`] around `reqwest::Client` (0.13) |
//! | `reqwest-middleware` | | [`ProvideFeedbackLayer`] as a middleware of `reqwest-middleware` (0.5) |
//! | `serde` | | `MessageFeedbackConfig`: settings from a file |
//! | `simulator` | | a Twilio that runs in process |
//! | `sqlite` | | [`store`]`::SqliteStore`, with SQLite built in; `sqlite-unbundled` links another |
//! | `postgres` | | [`store`]`::PostgresStore` |
//! | `redis`, `redis-rustls` | | [`store`]`::RedisStore`; the second over TLS |
//! | `test-util` | | a clock that a test owns, and the conformance suite for stores |
//!
//! [Twilio's Message Feedback]: https://www.twilio.com/docs/messaging/guides/send-message-feedback-to-twilio

#![warn(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod correlate;
mod counters;
mod delivery;
mod feedback;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
// Its programs need the simulator and reqwest; on docs.rs both are there.
#[cfg(all(feature = "axum", feature = "reqwest", feature = "simulator"))]
pub mod guide;
pub mod incoming;
#[cfg(message_feedback_shuttle)]
#[doc(hidden)]
pub mod interleavings;
pub mod outgoing;
pub mod report;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod store;
mod sync;
mod twilio;

#[cfg(feature = "test-util")]
pub use clock::ManualClock;
pub use clock::{Clock, Timestamp};
pub use correlate::{
    Conversation, Correlate, CorrelationId, CorrelationKey, CorrelationKeys, LinkQuery, Recipient,
    conversation, link_query, recipient,
};
#[cfg(feature = "phone-number")]
#[cfg_attr(docsrs, doc(cfg(feature = "phone-number")))]
pub use correlate::{E164, InvalidNumber};
pub use delivery::{
    AccountPreflight, DeliveryStats, DispatcherState, Mode, PreflightVerdict, RetryPolicy,
};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use feedback::JoinPostgres;
#[cfg(feature = "sqlite-unbundled")]
pub use feedback::JoinSqlite;
#[cfg(any(feature = "postgres", feature = "sqlite-unbundled"))]
pub use feedback::Joined;
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub use feedback::{AccountConfig, MessageFeedbackConfig, RetryPolicyConfig};
pub use feedback::{
    BuildError, ConfirmStats, Confirmation, DeadLetterExport, Dispatcher, Health, ImportLine,
    Imported, InvalidImport, MessageFeedback, MessageFeedbackBuilder, Preflight, Recorded, Refusal,
    Remaining, ReportStats, SendStats, SentMessage, Stats, StatusRecorded, StatusStats,
};
pub use guard::{NotAnAction, PreviewGuard};
pub use incoming::{ConfirmLayer, source, webhook};
#[cfg(feature = "axum")]
pub use incoming::{Confirmed, Tracked, TrackedAction, TrackedRejection};
pub use outgoing::{ProvideFeedback, ProvideFeedbackLayer};
pub use twilio::{
    AccountSid, BaseUrl, Channel, Country, Credentials, CredentialsError, CredentialsProvider,
    FeedbackBody, InvalidBaseUrl, InvalidCountry, InvalidSid, MessageForm, MessageSid,
    MessageStatus, MessagingServiceSid, UnknownMessageStatus,
};

#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
