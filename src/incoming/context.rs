use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use http::{Extensions, request::Parts};

use super::{guard::held_back, rejection::MissingFeedbackLayer};
use crate::{Confirmation, CorrelationId, CorrelationKeys, MessageFeedback};

/// What the handle's layer leaves in a request for the extractors.
#[derive(Clone)]
pub(super) struct TrackingContext {
    feedback: MessageFeedback,
    no_action: bool,
    /// What a good answer will confirm.
    intended: Arc<Mutex<Vec<CorrelationKeys>>>,
}

impl TrackingContext {
    pub(super) fn new(feedback: MessageFeedback, no_action: bool) -> Self {
        Self { feedback, no_action, intended: Arc::default() }
    }

    pub(super) fn of(extensions: &Extensions) -> Result<Self, MissingFeedbackLayer> {
        extensions.get::<Self>().cloned().ok_or(MissingFeedbackLayer)
    }

    pub(super) fn feedback(&self) -> &MessageFeedback {
        &self.feedback
    }

    /// Whether the guard lets a confirm through; one that it holds back counts.
    fn lets_through(&self) -> bool {
        if self.no_action {
            held_back(self.feedback.shared());
        }
        !self.no_action
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
