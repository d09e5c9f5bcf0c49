//! What the gateway answers itself. No path of Twilio's begins like one of these.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use tower_message_feedback::{MessageFeedback, webhook};

use super::{auth, confirm, operate};

const OWN: [&str; 7] =
    ["/confirm", "/dead-letters", "/health", "/import", "/ready", "/report", "/status"];

/// Whether a path is the gateway's own, and not the upstream's.
pub fn is_own(path: &str) -> bool {
    OWN.iter().any(|own| {
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

pub fn routes(feedback: MessageFeedback, token: &str) -> Router {
    /// Of an import: a hundred thousand messages or so.
    const LONGEST: usize = 32 * 1024 * 1024;

    let guarded = Router::new()
        .route("/confirm", post(confirm::confirm))
        .route("/dead-letters", get(operate::dead_letters))
        .route("/dead-letters/resend", post(operate::resend))
        .route("/import", post(operate::import).layer(DefaultBodyLimit::max(LONGEST)))
        .nest_service("/report", feedback.report_router())
        .layer(middleware::from_fn_with_state(Arc::from(token), auth::require));
    Router::new()
        .route("/health", get(operate::health))
        .route("/ready", get(operate::ready))
        // Twilio proves by its signature who it is.
        .route("/status", post(webhook::status_callback))
        .merge(guarded)
        .layer(feedback.layer())
        .with_state(feedback)
}
