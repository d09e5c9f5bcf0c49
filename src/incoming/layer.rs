use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{predicate::GoodAnswer, service::Confirm, source::IdSource};
use crate::MessageFeedback;

/// Makes [`Confirm`] services: a good answer to a request with an id confirms
/// the message under it.
///
/// Made by [`MessageFeedback::confirm_layer`]. It goes on one axum route, on a
/// `Router`, or around any Tower service over `http::Request`, and changes
/// neither body nor error. The [module](crate::incoming) says what is never an
/// action.
#[must_use]
pub struct ConfirmLayer<Src, P = GoodAnswer> {
    pub(super) options: Arc<Options<Src, P>>,
}

pub(super) struct Options<Src, P> {
    pub(super) feedback: MessageFeedback,
    pub(super) source: Src,
    pub(super) predicate: P,
}

impl MessageFeedback {
    /// A layer for a route that exists already: it confirms the id that
    /// `source` finds in the head of a request, once the route has answered
    /// with 2xx or 3xx.
    ///
    /// [`source`](crate::source) has the sources; a closure
    /// `|parts: &http::request::Parts| -> Option<CorrelationId>` is one too.
    pub fn confirm_layer<Src: IdSource>(&self, source: Src) -> ConfirmLayer<Src> {
        ConfirmLayer {
            options: Arc::new(Options { feedback: self.clone(), source, predicate: GoodAnswer }),
        }
    }
}

impl<Src, P> ConfirmLayer<Src, P> {
    /// Which answers confirm, instead of those with 2xx and 3xx.
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use tower_message_feedback::{MessageFeedback, source::query};
    /// # fn app(feedback: &MessageFeedback) -> Router {
    /// use http::{Extensions, HeaderMap, StatusCode};
    ///
    /// let confirm = feedback.confirm_layer(query("id")).when(
    ///     |status: StatusCode, _: &HeaderMap, _: &Extensions| status == StatusCode::SEE_OTHER,
    /// );
    /// Router::new().route("/confirm", get(|| async {}).layer(confirm))
    /// # }
    /// ```
    pub fn when<Q>(self, predicate: Q) -> ConfirmLayer<Src, Q>
    where
        Src: Clone,
        P: Clone,
    {
        let Options { feedback, source, predicate: _ } = Arc::unwrap_or_clone(self.options);
        ConfirmLayer { options: Arc::new(Options { feedback, source, predicate }) }
    }
}

impl<S, Src, P> Layer<S> for ConfirmLayer<Src, P> {
    type Service = Confirm<S, Src, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Confirm::new(inner, self.clone())
    }
}

impl<Src, P> Clone for ConfirmLayer<Src, P> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone() }
    }
}

impl<Src: Clone, P: Clone> Clone for Options<Src, P> {
    fn clone(&self) -> Self {
        Self {
            feedback: self.feedback.clone(),
            source: self.source.clone(),
            predicate: self.predicate.clone(),
        }
    }
}

impl<Src, P> fmt::Debug for ConfirmLayer<Src, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfirmLayer").finish_non_exhaustive()
    }
}
