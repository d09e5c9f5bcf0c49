//! What a proxy changes in a request and in an answer, and nothing else (RFC 9110, 7.6.1).

use http::{
    HeaderMap, HeaderName, Request, Uri, Version,
    header::{CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use tower_message_feedback::BaseUrl;

/// Aims a request at `upstream`, before whose path that of the request is put.
pub fn to<B>(upstream: &BaseUrl, request: &mut Request<B>) -> Result<(), http::Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("{}{path}", upstream.as_str()).parse::<Uri>()?;
    *request.version_mut() = Version::HTTP_11;
    // The client's own is that of the upstream.
    request.headers_mut().remove(HOST);
    strip_hop_by_hop(request.headers_mut());
    Ok(())
}

/// Removes the headers that are about one connection.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    const MORE: [&str; 4] =
        ["keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"];

    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in MORE {
        headers.remove(name);
    }
}
