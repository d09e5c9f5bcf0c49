use axum::{
    Form, Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use tower_message_feedback::{Confirmation, CorrelationId, MessageFeedback};

use super::answer;

/// Which message did its work: the one with an id, or the newest to a recipient.
#[derive(Deserialize)]
struct Action {
    id: Option<String>,
    #[serde(alias = "To", alias = "recipient", alias = "phone")]
    to: Option<String>,
}

/// `POST /confirm`: as JSON or as a form. It is repeated safely, and answers 200 also where
/// nothing is found, so that no login fails for it.
pub async fn confirm(State(feedback): State<MessageFeedback>, request: Request) -> Response {
    let action = match read(request).await {
        Ok(action) => action,
        Err(refused) => return refused,
    };
    let id = match (action.id, action.to) {
        (Some(id), None) => CorrelationId::from(id),
        (None, Some(to)) => CorrelationId::recipient(&international(&to)),
        _ => {
            let problem = "expected id or to, and not both";
            return answer::error(StatusCode::BAD_REQUEST, problem);
        }
    };
    let confirmation = feedback.confirm(id).await;
    let (status, name) = match confirmation {
        Confirmation::Queued => (StatusCode::OK, "queued"),
        Confirmation::AlreadyConfirmed => (StatusCode::OK, "already_confirmed"),
        Confirmation::Deferred => (StatusCode::OK, "deferred"),
        Confirmation::Observed => (StatusCode::OK, "observed"),
        Confirmation::Refused(_) => (StatusCode::SERVICE_UNAVAILABLE, "refused"),
        _ => (StatusCode::OK, "unknown"),
    };
    (status, Json(json!({ "confirmation": name }))).into_response()
}

async fn read(request: Request) -> Result<Action, Response> {
    let refused = |problem: String| answer::error(StatusCode::BAD_REQUEST, &problem);
    if is_json(request.headers()) {
        let Json(action) = Json::from_request(request, &())
            .await
            .map_err(|_| refused("expected a JSON object with id or to".to_owned()))?;
        Ok(action)
    } else {
        let Form(action) = Form::from_request(request, &())
            .await
            .map_err(|_| refused("expected JSON or a form with id or to".to_owned()))?;
        Ok(action)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// A number as login servers keep it, with what is missing at its front.
fn international(number: &str) -> String {
    let number = number.trim();
    if let Some(rest) = number.strip_prefix("00") {
        return format!("+{rest}");
    }
    let is_bare = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || " -().".contains(c));
    if is_bare { format!("+{number}") } else { number.to_owned() }
}
