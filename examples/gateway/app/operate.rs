//! For the person who operates the gateway.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tower_message_feedback::{DispatcherState, ImportLine, MessageFeedback, store::StoreError};

use super::answer;

/// That it runs.
pub async fn health() -> &'static str {
    "ok\n"
}

/// That it delivers, and that its store answers.
pub async fn ready(State(feedback): State<MessageFeedback>) -> Response {
    let health = feedback.health().await;
    let ready = health.store && health.dispatcher == DispatcherState::Running;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": ready,
        "store": health.store,
        "dispatcher": format!("{:?}", health.dispatcher),
        "open_circuits": health.open_circuits,
        "outbox": health.outbox,
        "oldest_outbox_age_seconds": health.oldest_outbox_age.map(|age| age.as_secs()),
    });
    (status, Json(body)).into_response()
}

/// All dead letters, as JSON Lines, page by page.
pub async fn dead_letters(State(feedback): State<MessageFeedback>) -> Response {
    let export = feedback.export_dead_letters();
    let pages = futures_util::stream::try_unfold(export, |mut export| async move {
        Ok::<_, StoreError>(export.next().await?.map(|lines| (lines, export)))
    });
    ([(CONTENT_TYPE, "application/jsonl")], Body::from_stream(pages)).into_response()
}

pub async fn resend(State(feedback): State<MessageFeedback>) -> Response {
    match feedback.resend_dead_letters().await {
        Ok(resent) => Json(json!({ "resent": resent })).into_response(),
        Err(_) => answer::error(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
    }
}

/// Messages that were sent before, as JSON Lines: all, or none if one cannot be read.
pub async fn import(State(feedback): State<MessageFeedback>, lines: String) -> Response {
    let mut messages = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        match line.parse::<ImportLine>() {
            _ if line.trim().is_empty() => {}
            Ok(message) => messages.push(message),
            Err(error) => {
                let problem = format!("line {number}: {error}");
                return answer::error(StatusCode::BAD_REQUEST, &problem);
            }
        }
    }
    match feedback.import(messages).await {
        Ok(imported) => Json(json!({
            "recorded": imported.recorded,
            "already_recorded": imported.already_recorded,
            "other_id": imported.other_id,
            "refused": imported.refused,
            "expired": imported.expired,
            "invalid_id": imported.invalid_id,
            "origin_not_allowed": imported.origin_not_allowed,
        }))
        .into_response(),
        Err(_) => answer::error(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
    }
}
