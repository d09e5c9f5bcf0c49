//! The id in the head of a request, as other parsers read it.
#![no_main]

use std::{
    convert::Infallible,
    sync::{LazyLock, Mutex},
};

use axum::{Router, body::Body, extract::Request, response::Response, routing::get};
use http::{HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tower_layer::layer_fn;
use tower_message_feedback::{
    Confirmation, CorrelationId, MessageFeedback,
    source::{IdSource, cookie, header, path, path_template, query},
};
use tower_message_feedback_fuzz::{Input, build, builder, now};
use tower_service::Service;

static FEEDBACK: LazyLock<MessageFeedback> =
    LazyLock::new(|| build(builder().wait_for_record(0, std::time::Duration::ZERO)).unwrap());

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choice = input.byte();
    let uri = input.text();
    let name = input.text();
    let value = input.line();
    let second = input.rest();
    let Ok(uri) = format!("https://app.example/{uri}").parse::<http::Uri>() else { return };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri.clone();
    let header_name =
        [HeaderName::from_static("x-id"), http::header::COOKIE][usize::from(choice & 1)].clone();
    let values = [value, second].map(HeaderValue::from_bytes);
    let values: Vec<HeaderValue> = values.into_iter().map_while(Result::ok).collect();
    for value in &values {
        request.headers_mut().append(&header_name, value.clone());
    }
    let (mut parts, _) = request.into_parts();

    let queried = query(name.clone().into_owned()).find(&mut parts);
    let expected = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| CorrelationId::from(value.into_owned()));
    assert_eq!(queried, expected, "query");

    let from_header = header(header_name.clone()).find(&mut parts);
    assert_eq!(
        from_header,
        values.first().map(|value| CorrelationId::new(value.as_bytes().to_vec()))
    );

    let from_cookie = cookie(name.clone().into_owned()).find(&mut parts);
    let expected =
        (header_name == http::header::COOKIE).then(|| cookie_of(&values, &name)).flatten();
    assert_eq!(from_cookie, expected, "cookie");

    let segment = match uri.path().split('/').collect::<Vec<_>>()[..] {
        ["", "confirm", segment] => Some(percent_encoding::percent_decode_str(segment)),
        _ => None,
    };
    let templated = path_template("/confirm/{id}").find(&mut parts);
    let expected = segment.clone().map(|decoded| CorrelationId::new(decoded.collect::<Vec<u8>>()));
    assert_eq!(templated, expected, "path_template");

    // axum knows no empty parameter, and none that is no text.
    let expected =
        segment.and_then(|decoded| decoded.decode_utf8().ok()).filter(|id| !id.is_empty());
    let routed = routed(http::Request::from_parts(parts, Body::empty()));
    assert_eq!(routed, expected.map(|id| CorrelationId::from(&*id)), "path");

    for id in [queried, from_header, from_cookie, templated, routed].into_iter().flatten() {
        bounded(&id);
    }
});

/// The first of that name, as the sections 4.2 and 5.4 of RFC 6265 write them.
fn cookie_of(headers: &[HeaderValue], name: &str) -> Option<CorrelationId> {
    let blank = |c: &u8| c.is_ascii_whitespace();
    for header in headers {
        let mut rest = header.as_bytes();
        while !rest.is_empty() {
            let end = rest.iter().position(|&c| c == b';').unwrap_or(rest.len());
            let (mut pair, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            while let [first, inner @ ..] = pair
                && blank(first)
            {
                pair = inner;
            }
            let mut key_end = 0;
            while key_end < pair.len() && pair[key_end] != b'=' {
                key_end += 1;
            }
            if key_end == pair.len() {
                continue;
            }
            let mut key = &pair[..key_end];
            while let [inner @ .., last] = key
                && blank(last)
            {
                key = inner;
            }
            let mut value = &pair[key_end + 1..];
            while let [first, inner @ ..] = value
                && blank(first)
            {
                value = inner;
            }
            while let [inner @ .., last] = value
                && blank(last)
            {
                value = inner;
            }
            if let [b'"', inner @ .., b'"'] = value {
                value = inner;
            }
            if key == name.as_bytes() {
                return Some(CorrelationId::new(value.to_vec()));
            }
        }
    }
    None
}

static ROUTED: Mutex<Option<CorrelationId>> = Mutex::new(None);

/// The id behind axum's routing.
fn routed(request: Request) -> Option<CorrelationId> {
    static ROUTER: LazyLock<Mutex<Router>> = LazyLock::new(|| {
        let find = layer_fn(|inner| Find { inner });
        Mutex::new(Router::new().route("/confirm/{id}", get(async || ()).layer(find)))
    });
    *ROUTED.lock().unwrap() = None;
    let router = ROUTER.lock().unwrap();
    let Ok(_) = now(router.clone().call(request));
    ROUTED.lock().unwrap().take()
}

#[derive(Clone)]
struct Find<S> {
    inner: S,
}

impl<S: Service<Request, Response = Response, Error = Infallible>> Service<Request> for Find<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        *ROUTED.lock().unwrap() = path("id").find(&mut parts);
        self.inner.call(Request::from_parts(parts, body))
    }
}

/// An id that is empty or too long matches nothing; nobody's matches nothing either.
fn bounded(id: &CorrelationId) {
    let confirmation = now(FEEDBACK.confirm(id.clone()));
    assert!(matches!(confirmation, Confirmation::NoId | Confirmation::Unknown), "{confirmation:?}");
}
