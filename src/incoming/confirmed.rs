use std::{fmt, ops::Deref};

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;

use super::{action::TrackedAction, context::TrackingContext, rejection::TrackedRejection};

/// Any extractor, for a handler whose good answer is the action.
///
/// Extracting it only marks the intent: the id is confirmed once the answer
/// has come and is good, so a later extractor's rejection, or an error of the
/// handler, reports nothing, unless it is answered with a redirect: then say by
/// [`when`](crate::incoming::TrackActionsLayer::when) which answers are good. It
/// rejects as `E` rejects, and needs
/// [`MessageFeedback::layer`](crate::MessageFeedback::layer) on the router.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower_message_feedback::{Credentials, MessageFeedback};
/// # let feedback = MessageFeedback::builder()
/// #     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?)
/// #     .build()?;
/// use axum::{Router, extract::Query, routing::get};
/// use tower_message_feedback::{Confirmed, CorrelationId, TrackedAction};
///
/// #[derive(serde::Deserialize)]
/// struct Link { id: String }
///
/// impl TrackedAction for Link {
///     fn correlation_id(&self) -> Option<CorrelationId> {
///         Some(self.id.as_str().into())
///     }
/// }
///
/// async fn clicked(Confirmed(Query(link)): Confirmed<Query<Link>>) -> &'static str {
///     "Thank you!"
/// }
///
/// let app: Router = Router::new().route("/confirm", get(clicked)).layer(feedback.layer());
/// # Ok(())
/// # }
/// ```
pub struct Confirmed<E>(
    /// What the wrapped extractor extracted.
    pub E,
);

impl<E> Confirmed<E>
where
    E: Deref,
    E::Target: TrackedAction,
{
    fn marking(inner: E, context: &TrackingContext) -> Self {
        if let Some(id) = inner.correlation_id() {
            context.intend(&id);
        }
        Self(inner)
    }
}

impl<S, E> FromRequest<S> for Confirmed<E>
where
    S: Send + Sync,
    E: FromRequest<S> + Deref,
    E::Target: TrackedAction,
{
    type Rejection = TrackedRejection<E::Rejection>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let context = TrackingContext::of(request.extensions())?;
        let inner = E::from_request(request, state).await.map_err(TrackedRejection::Inner)?;
        Ok(Self::marking(inner, &context))
    }
}

impl<S, E> FromRequestParts<S> for Confirmed<E>
where
    S: Send + Sync,
    E: FromRequestParts<S> + Deref,
    E::Target: TrackedAction,
{
    type Rejection = TrackedRejection<E::Rejection>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let context = TrackingContext::of(&parts.extensions)?;
        let inner = E::from_request_parts(parts, state).await.map_err(TrackedRejection::Inner)?;
        Ok(Self::marking(inner, &context))
    }
}

impl<E> Deref for Confirmed<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E> fmt::Debug for Confirmed<E> {
    /// Shows nothing of what was extracted: it may hold a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmed").finish_non_exhaustive()
    }
}
