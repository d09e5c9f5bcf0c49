use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use axum::extract::{
    FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Request,
};
use http::request::Parts;

use super::{action::TrackedAction, context::TrackingContext, rejection::TrackedRejection};
use crate::{Confirmation, CorrelationId};

/// Any extractor, with the means to confirm once the handler knows that the
/// action is right.
///
/// It extracts what `E` extracts, rejects as `E` rejects, and needs
/// [`MessageFeedback::layer`](crate::MessageFeedback::layer) on the router.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower_message_feedback::{Credentials, MessageFeedback};
/// # let feedback = MessageFeedback::builder()
/// #     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?)
/// #     .build()?;
/// use axum::{Form, Router, http::StatusCode, response::Redirect, routing::post};
/// use tower_message_feedback::{CorrelationId, Tracked, TrackedAction};
///
/// #[derive(serde::Deserialize)]
/// struct Login { attempt: String, code: String }
///
/// impl TrackedAction for Login {
///     fn correlation_id(&self) -> Option<CorrelationId> {
///         Some(self.attempt.as_str().into())
///     }
/// }
///
/// async fn verify(action: Tracked<Form<Login>>) -> Result<Redirect, StatusCode> {
///     if action.code != "4711" {
///         return Err(StatusCode::UNAUTHORIZED); // nothing is reported
///     }
///     action.confirm().await;
///     Ok(Redirect::to("/welcome"))
/// }
///
/// let app: Router = Router::new().route("/login", post(verify)).layer(feedback.layer());
/// # Ok(())
/// # }
/// ```
pub struct Tracked<E> {
    inner: E,
    context: TrackingContext,
}

impl<E> Tracked<E> {
    /// Says that the user did what the message under `id` asked for: for
    /// extractors whose content does not say its id, such as `Multipart`.
    ///
    /// Does what [`MessageFeedback::confirm`](crate::MessageFeedback::confirm)
    /// does, except on `HEAD`, `OPTIONS`, a prefetch or a preview.
    pub async fn confirm_id(&self, id: impl Into<CorrelationId>) -> Confirmation {
        self.context.confirm(Some(id.into())).await
    }

    /// What the wrapped extractor extracted.
    pub fn into_inner(self) -> E {
        self.inner
    }
}

impl<E> Tracked<E>
where
    E: Deref,
    E::Target: TrackedAction,
{
    /// Says that the user did what the message asked for.
    ///
    /// Does what [`MessageFeedback::confirm`](crate::MessageFeedback::confirm)
    /// does, except on `HEAD`, `OPTIONS`, a prefetch or a preview.
    pub async fn confirm(&self) -> Confirmation {
        self.context.confirm(self.inner.correlation_id()).await
    }
}

impl<S, E> FromRequest<S> for Tracked<E>
where
    S: Send + Sync,
    E: FromRequest<S>,
{
    type Rejection = TrackedRejection<E::Rejection>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let context = TrackingContext::of(request.extensions())?;
        let inner = E::from_request(request, state).await.map_err(TrackedRejection::Inner)?;
        Ok(Self { inner, context })
    }
}

impl<S, E> FromRequestParts<S> for Tracked<E>
where
    S: Send + Sync,
    E: FromRequestParts<S>,
{
    type Rejection = TrackedRejection<E::Rejection>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let context = TrackingContext::of(&parts.extensions)?;
        let inner = E::from_request_parts(parts, state).await.map_err(TrackedRejection::Inner)?;
        Ok(Self { inner, context })
    }
}

impl<S, E> OptionalFromRequest<S> for Tracked<E>
where
    S: Send + Sync,
    E: OptionalFromRequest<S>,
{
    type Rejection = TrackedRejection<E::Rejection>;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Self::Rejection> {
        let context = TrackingContext::of(request.extensions())?;
        let inner = E::from_request(request, state).await.map_err(TrackedRejection::Inner)?;
        Ok(inner.map(|inner| Self { inner, context }))
    }
}

impl<S, E> OptionalFromRequestParts<S> for Tracked<E>
where
    S: Send + Sync,
    E: OptionalFromRequestParts<S>,
{
    type Rejection = TrackedRejection<E::Rejection>;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        let context = TrackingContext::of(&parts.extensions)?;
        let inner = E::from_request_parts(parts, state).await.map_err(TrackedRejection::Inner)?;
        Ok(inner.map(|inner| Self { inner, context }))
    }
}

impl<E> Deref for Tracked<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.inner
    }
}

impl<E> DerefMut for Tracked<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.inner
    }
}

impl<E> fmt::Debug for Tracked<E> {
    /// Shows nothing of what was extracted: it may hold a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked").finish_non_exhaustive()
    }
}
