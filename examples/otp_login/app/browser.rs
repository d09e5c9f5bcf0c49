//! Cookies, and the headers that every page has.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{AppendHeaders, IntoResponse, Response},
};

/// Who waits for a code.
pub const LOGIN: &str = "login";
/// Who is signed in.
pub const SESSION: &str = "session";

pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

pub type SetCookie = AppendHeaders<[(HeaderName, String); 1]>;

/// `secure` if the site is served over https: a browser would not send such a
/// cookie back over http.
pub fn set_cookie(name: &str, value: &str, secure: bool) -> SetCookie {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}");
    AppendHeaders([(header::SET_COOKIE, cookie)])
}

pub fn clear_cookie(name: &str) -> SetCookie {
    let cookie = format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    AppendHeaders([(header::SET_COOKIE, cookie)])
}

/// Refuses forms that another site sends, and says what a page may do.
pub async fn guard(request: Request, next: Next) -> Response {
    let from = request.headers().get("sec-fetch-site");
    // Browsers of today send it; what does not is no browser, or an old one.
    let foreign = from.is_some_and(|from| from != "same-origin" && from != "none");
    let mut response = if request.method() == Method::POST && foreign {
        StatusCode::FORBIDDEN.into_response()
    } else {
        next.run(request).await
    };
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             img-src 'self'; frame-src 'self'; frame-ancestors 'self'; form-action 'self'; \
             base-uri 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        // A link's id stays here.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
