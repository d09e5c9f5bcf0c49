//! What the gateway answers by itself, in Twilio's shape, which SDKs show.

use axum::{Json, body::Body, response::IntoResponse};
use http::{Response, StatusCode};
use serde_json::json;

pub fn error(status: StatusCode, message: &str) -> Response<Body> {
    let body = json!({
        "code": status.as_u16(),
        "message": format!("gateway: {message}"),
        "status": status.as_u16(),
    });
    (status, Json(body)).into_response()
}
