use http::{HeaderMap, Uri, header};

/// Whether a request comes from a page of the same origin, by what a browser says of it:
/// no page of another can make it say so. Every browser does since 2020.
pub(super) fn is_same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = of("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = of(header::HOST.as_str()).or(uri.authority().map(|authority| authority.as_str()));
    let origin = of(header::ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_says_where_a_form_comes_from() {
        const HERE: (&str, &str) = ("host", "a.example");
        let uri = Uri::from_static("/report/resend");
        for (headers, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://a.example"), HERE], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://a.example"), HERE], true),
            (&[("origin", "https://a.example:8443"), HERE], false),
            (&[("origin", "https://b.example"), HERE], false),
            (&[("origin", "null"), HERE], false),
            (&[HERE], false),
            (&[], false),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_same_origin(&map, &uri), expected, "{headers:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_static("https://a.example"));
        // HTTP/2 has no Host.
        assert!(is_same_origin(&headers, &Uri::from_static("https://a.example/report/resend")));
    }
}
