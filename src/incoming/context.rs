use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{Extensions, request::Parts};

use super::{guard::lets_through, rejection::MissingFeedbackLayer};
use crate::{
    Confirmation, CorrelationId, CorrelationKeys, MessageFeedback,
    guard::Evidence,
    sync::{Mutex, PoisonError},
};

/// What the handle's layer leaves in a request for the extractors.
#[derive(Clone)]
pub(super) struct TrackingContext {
    feedback: MessageFeedback,
    evidence: Evidence,
    /// What a good answer will confirm.
    intended: Arc<Mutex<Vec<CorrelationKeys>>>,
}

impl TrackingContext {
    pub(super) fn new(feedback: MessageFeedback, evidence: Evidence) -> Self {
        Self { feedback, evidence, intended: Arc::default() }
    }

    pub(super) fn of(extensions: &Extensions) -> Result<Self, MissingFeedbackLayer> {
        extensions.get::<Self>().cloned().ok_or(MissingFeedbackLayer)
    }

    pub(super) fn feedback(&self) -> &MessageFeedback {
        &self.feedback
    }

    pub(super) fn lets_through(&self) -> bool {
        lets_through(self.feedback.shared(), &self.evidence)
    }

    pub(super) async fn confirm(&self, id: Option<CorrelationId>) -> Confirmation {
        let Some(id) = id else { return Confirmation::NoId };
        if !self.lets_through() {
            return Confirmation::NotAnAction;
        }
        self.feedback.confirm(id).await
    }

    /// Has `id` confirmed if the answer is good.
    pub(super) fn intend(&self, id: &CorrelationId) {
        let Some(keys) = self.feedback.shared().keyring.keys(id) else { return };
        if self.lets_through() {
            self.intended.lock().unwrap_or_else(PoisonError::into_inner).push(keys);
        }
    }

    pub(super) fn take_intended(&self) -> Vec<CorrelationKeys> {
        std::mem::take(&mut self.intended.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The handle itself, from [`MessageFeedback::layer`].
impl<S: Send + Sync> FromRequestParts<S> for MessageFeedback {
    type Rejection = MissingFeedbackLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        TrackingContext::of(&parts.extensions).map(|context| context.feedback)
    }
}
