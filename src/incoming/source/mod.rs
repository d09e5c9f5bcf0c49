//! Where a confirming request says its correlation id.
//!
//! ```
//! use tower_message_feedback::{CorrelationId, source::{IdSource, query}};
//!
//! let (mut parts, ()) = http::Request::get("/confirm?id=4711").body(())?.into_parts();
//! assert_eq!(query("id").find(&mut parts), Some(CorrelationId::new("4711")));
//!
//! // A closure over the head is a source, too.
//! let source = |parts: &http::request::Parts| {
//!     parts.uri.host().and_then(|host| host.split('.').next()).map(CorrelationId::from)
//! };
//! assert_eq!(source.find(&mut parts), None);
//! # Ok::<(), http::Error>(())
//! ```
//!
//! Sources read the head of a request only: bodies, and their bounds, are the
//! business of the handler.

mod cookie;
mod extension;
mod header;
mod path_template;
mod query;

#[cfg(feature = "axum")]
mod path;

use http::request::Parts;

#[cfg(feature = "axum")]
pub use self::path::{PathParam, path};
pub use self::{
    cookie::{Cookie, cookie},
    extension::{Extension, extension},
    header::{Header, header},
    path_template::{PathTemplate, path_template},
    query::{Query, query},
};
use crate::CorrelationId;

/// Finds the correlation id in the head of a request.
///
/// The functions of this module make sources; a closure
/// `|parts: &Parts| -> Option<CorrelationId>` is one. It runs inside
/// `Service::call`: it must not block. What it finds is untrusted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of correlation ids",
    note = "use `source::query(\"id\")`, another function of `source`, or a closure `|parts: &http::request::Parts| -> Option<CorrelationId>`"
)]
pub trait IdSource {
    /// The id, if the request has one. `parts` is mutable so that an extractor
    /// can be used; a source leaves it as it was.
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId>;
}

impl<F> IdSource for F
where
    F: Fn(&Parts) -> Option<CorrelationId>,
{
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        self(parts)
    }
}
