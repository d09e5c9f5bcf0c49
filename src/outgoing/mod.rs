//! Steps 1 and 2: a layer around the client that sends messages. It tags the
//! sends that an action can confirm, and remembers their SIDs.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use bytes::Bytes; use http::{Request, Response}; use http_body_util::Full;
//! # use tower_message_feedback::Credentials;
//! # let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?;
//! # let client = tower::service_fn(|_: Request<Full<Bytes>>| async {
//! #     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! # });
//! use tower::ServiceBuilder;
//! use tower_message_feedback::{MessageFeedback, link_query};
//!
//! let feedback = MessageFeedback::builder().credentials(credentials).build()?;
//! let twilio = ServiceBuilder::new()
//!     .layer(feedback.provide_layer().correlate(link_query("id")))
//!     .service(client);
//! # Ok(())
//! # }
//! ```
//!
//! # Which requests
//!
//! Method, path and content type decide: `POST …/Accounts/{AC}/Messages`, with
//! or without `/SMS`, with `.json`, `.xml` or no suffix, as a form, to an
//! allowed origin. Every other request passes untouched.
//!
//! # Which id
//!
//! The first of these that there is:
//!
//! 1. a [`CorrelationId`](crate::CorrelationId) in the request's extensions;
//! 2. the header that [`ProvideFeedbackLayer::header`] names, which is removed;
//! 3. the id of the [`CorrelationId::scope`](crate::CorrelationId::scope) that
//!    the call is made in;
//! 4. what the rule of [`ProvideFeedbackLayer::correlate`] finds in the form.
//!
//! A send without an id goes on as it is: nothing could ever confirm it. So
//! does one with `ProvideFeedback=false`: that is the application's decision.
//!
//! # What the caller sees
//!
//! The same status, headers, frames, trailers and error as without the layer,
//! whatever goes wrong with tracking. The answer to a tracked send is read for
//! its SID, within bounds, and waits for the store, within a bound.
//!
//! The body type does not change, so it has to be one that bytes can become
//! again: `Full<Bytes>`, `axum::body::Body` and `reqwest::Body` are. For
//! others put `tower_http::map_request_body::MapRequestBodyLayer` above. A body
//! is read only if its exact size is known, which is not so for a stream. Trailers
//! of a form that is read are lost; no client of Twilio's sends any.
//!
//! # Where in a stack
//!
//! - Decompression goes **below**, next to the client: a compressed answer hides
//!   its SID. (With the feature `gzip`, one in gzip is read where it is.)
//! - A retry layer **above** makes a message with an SID of its own at each
//!   attempt, and all are tracked; one **below** shows the last alone.
//! - A timeout **above** drops the call's future. If the SID was known by then,
//!   the record is made up for in the background.
//! - What rebuilds requests loses extensions, and what spawns leaves the scope:
//!   there use the header or a rule.

mod body;
mod future;
mod layer;
mod plan;
mod read_form;
mod receive;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
mod service;

pub use self::{
    body::ProvideFeedbackBody, future::ResponseFuture, layer::ProvideFeedbackLayer,
    service::ProvideFeedback,
};
