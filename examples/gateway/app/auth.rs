use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::Response,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq;

use super::answer;

/// Lets those in who have the token, as a bearer token or as a password.
pub async fn require(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let right = given(request.headers()).is_some_and(|given| given.ct_eq(token.as_bytes()).into());
    if right {
        return next.run(request).await;
    }
    let mut refused = answer::error(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
    let basic = "Basic realm=\"message feedback gateway\", charset=\"UTF-8\"";
    refused.headers_mut().insert(WWW_AUTHENTICATE, http::HeaderValue::from_static(basic));
    refused
}

fn given(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().into());
    }
    let credentials = BASE64_STANDARD.decode(credentials.trim()).ok()?;
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| credentials[colon + 1..].to_vec())
}
