//! Steps 3 and 4: layers and extractors for the routes on which users do what
//! a message asked for.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower_message_feedback::Credentials;
//! # let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?;
//! # async fn thank_you() {}
//! use axum::{Router, routing::get};
//! use tower_message_feedback::{MessageFeedback, source::query};
//!
//! let feedback = MessageFeedback::builder().credentials(credentials).build()?;
//! let app: Router = Router::new()
//!     .route("/confirm", get(thank_you).layer(feedback.confirm_layer(query("id"))));
//! # Ok(())
//! # }
//! ```
//!
//! # Which one
//!
//! - [`ConfirmLayer`] wraps a route that exists already: a good answer to a
//!   request with an id is the action. It suits links, and any Tower service.
#![cfg_attr(
    feature = "axum",
    doc = "- [`Tracked`] lets the handler decide: it suits codes, because only the handler
  knows whether a code was right.
- [`Confirmed`] is for handlers whose good answer is the action, with an id
  that the body carries. Both need [`MessageFeedback::layer`] on the router."
)]
//!
//! # What is never an action
//!
//! `HEAD`, `OPTIONS`, requests that say of themselves that they are a prefetch or a
//! preview (`Sec-Purpose`, `Purpose`, `X-Purpose`, `X-Moz`), and those of the agents
//! that the [`PreviewGuard`](crate::PreviewGuard) knows (messengers that preview a
//! link, mail services, scanners) confirm nothing, by whichever way. What fetches
//! links as a browser does is not told apart: where that matters, let the link open a
//! page with a button, and confirm on the button's `POST`. The time since the send
//! says nothing: many scanners come late.
//!
//! A good answer is one with 2xx or 3xx. Where a redirect means something else,
//! such as "log in first", say with `when` which answers confirm.
//!
//! # Time and failure
//!
//! The route never waits for Twilio, and for the store only as long as the
//! builder's `store_timeout`. Its status, headers and body are those of the
//! wrapped service, whatever becomes of the confirm. An unknown id is answered
//! as a known one is, though perhaps not in the same time.
//!
//! [`MessageFeedback::layer`]: crate::MessageFeedback::layer

mod future;
mod guard;
mod layer;
mod predicate;
mod service;
pub mod source;
pub mod webhook;

#[cfg(feature = "axum")]
mod action;
#[cfg(feature = "axum")]
mod confirmed;
#[cfg(feature = "axum")]
mod context;
#[cfg(feature = "axum")]
mod rejection;
#[cfg(feature = "axum")]
mod track_actions;
#[cfg(feature = "axum")]
mod tracked;

#[cfg(feature = "axum")]
pub use self::{
    action::TrackedAction,
    confirmed::Confirmed,
    rejection::{MissingFeedbackLayer, TrackedRejection},
    track_actions::{TrackActions, TrackActionsFuture, TrackActionsLayer},
    tracked::Tracked,
};
pub use self::{
    future::ConfirmFuture,
    layer::ConfirmLayer,
    predicate::{GoodAnswer, Predicate},
    service::Confirm,
};
