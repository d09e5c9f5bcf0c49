//! What URL Twilio may have called, as its owner wrote it down.

use http::{
    HeaderMap, HeaderName, Uri,
    header::{HOST, HeaderValue},
};

use crate::twilio::InvalidBaseUrl;

/// What stands before the path that the application sees.
#[derive(Clone)]
pub(super) struct Base {
    /// If it is not known: either.
    scheme: Option<Box<str>>,
    authority: Box<str>,
    prefix: Box<str>,
}

impl Base {
    /// The base URL that Twilio was told, byte by byte as it was told.
    pub(super) fn parse(url: &str) -> Result<Self, InvalidBaseUrl> {
        let uri: Uri = url.parse().map_err(|_| InvalidBaseUrl::new("not a URL"))?;
        let Some(scheme @ ("https" | "http")) = uri.scheme_str() else {
            return Err(InvalidBaseUrl::new("the scheme is neither https nor http"));
        };
        let authority = uri.authority().ok_or(InvalidBaseUrl::new("it has no host"))?;
        if uri.query().is_some() {
            return Err(InvalidBaseUrl::new("it has a query"));
        }
        Ok(Self {
            scheme: Some(scheme.into()),
            authority: authority.as_str().into(),
            prefix: uri.path().trim_end_matches('/').into(),
        })
    }

    /// What the request itself says.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        // HTTP/2 has its authority in the URI.
        let authority = match uri.authority() {
            Some(authority) => authority.as_str(),
            None => headers.get(HOST)?.to_str().ok()?,
        };
        Some(Self { scheme: None, authority: authority.into(), prefix: "".into() })
    }

    /// What a proxy says that the application trusts.
    pub(super) fn forwarded(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
        const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
        const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

        let first = |name: &HeaderName| {
            let value = headers.get(name).map(HeaderValue::to_str)?.ok()?;
            Some(value.split(',').next()?.trim()).filter(|first| !first.is_empty())
        };
        let mut base = Self::of(uri, headers);
        if let Some(host) = first(&FORWARDED_HOST) {
            base = Some(Self { scheme: None, authority: host.into(), prefix: "".into() });
        }
        let mut base = base?;
        base.scheme = first(&PROTO).map(Into::into);
        if let (Some(port), (host, None)) = (first(&PORT), split_port(&base.authority)) {
            base.authority = format!("{host}:{port}").into();
        }
        Some(base)
    }

    /// Each URL that Twilio may have signed for a request for `target`, the path
    /// with its query.
    ///
    /// Of one with a port, calls are signed without it and messages with it. The
    /// path of one without any is `/` on the wire.
    pub(super) fn urls(&self, target: &str) -> Vec<String> {
        let schemes: &[&str] = match self.scheme.as_deref() {
            Some("https") => &["https"],
            Some("http") => &["http"],
            _ => &["https", "http"],
        };
        let bare = target.strip_prefix('/').filter(|_| self.prefix.is_empty());
        let bare = bare.filter(|rest| rest.is_empty() || rest.starts_with('?'));
        let mut urls = Vec::new();
        for scheme in schemes {
            for authority in self.authorities(scheme) {
                urls.push(format!("{scheme}://{authority}{}{target}", self.prefix));
                if let Some(rest) = bare {
                    urls.push(format!("{scheme}://{authority}{rest}"));
                }
            }
        }
        urls
    }

    fn authorities(&self, scheme: &str) -> Vec<String> {
        let (host, port) = split_port(&self.authority);
        let with_port = match (port, scheme) {
            (Some(_), _) => self.authority.to_string(),
            (None, "https") => format!("{host}:443"),
            (None, _) => format!("{host}:80"),
        };
        let mut authorities = vec![host.to_owned(), with_port];
        // Whether a user and a password in it count is nowhere written.
        if self.authority.contains('@') {
            let without = |authority: &String| authority.rsplit('@').next().map(str::to_owned);
            authorities.extend(authorities.iter().filter_map(without).collect::<Vec<_>>());
        }
        authorities
    }
}

/// The authority without its port, and the port.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // In brackets it is a part of an IPv6 address.
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    fn urls(base: Option<Base>, target: &str) -> Vec<String> {
        let mut urls = base.expect("a base").urls(target);
        urls.sort();
        urls
    }

    #[test]
    fn a_known_url_is_tried_with_and_without_its_port() {
        let base = |url| Base::parse(url).ok();
        for (url, with_port) in [
            ("https://app.example", "https://app.example:443"),
            ("http://app.example/", "http://app.example:80"),
            ("https://app.example:8443", "https://app.example:8443"),
            ("https://[::1]", "https://[::1]:443"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            let without = url.trim_end_matches('/').trim_end_matches(":8443");
            assert_eq!(
                urls(base(url), "/a?b='%27"),
                [format!("{without}/a?b='%27"), format!("{with_port}/a?b='%27")],
            );
        }
        assert_eq!(
            urls(base("https://app.example/in/"), "/"),
            ["https://app.example/in/", "https://app.example:443/in/"],
        );
        assert_eq!(
            urls(base("https://u:p@app.example:8443"), "/a"),
            [
                "https://app.example/a",
                "https://app.example:8443/a",
                "https://u:p@app.example/a",
                "https://u:p@app.example:8443/a",
            ],
        );
    }

    #[test]
    fn a_url_without_a_path_is_tried_without_one() {
        let base = || Base::parse("https://app.example").ok();
        assert_eq!(
            urls(base(), "/?a=1"),
            [
                "https://app.example/?a=1",
                "https://app.example:443/?a=1",
                "https://app.example:443?a=1",
                "https://app.example?a=1",
            ],
        );
        assert!(urls(base(), "/").contains(&"https://app.example".to_owned()));
    }

    #[test]
    fn without_a_known_url_the_request_says_it() {
        let both = ["http://h/a", "http://h:80/a", "https://h/a", "https://h:443/a"];
        let by_header = headers(&[("host", "h")]);
        assert_eq!(urls(Base::of(&"/a".parse().unwrap(), &by_header), "/a"), both);
        let by_uri = "http://h/a".parse().unwrap();
        assert_eq!(urls(Base::of(&by_uri, &headers(&[("host", "other")])), "/a"), both);
        assert!(Base::of(&"/a".parse().unwrap(), &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_trusted_proxy_says_it_first() {
        let uri: Uri = "/a".parse().unwrap();
        let inner = ("host", "10.0.0.1:3000");
        let proto = ("x-forwarded-proto", "https, http");
        assert_eq!(
            urls(
                Base::forwarded(
                    &uri,
                    &headers(&[inner, proto, ("x-forwarded-host", "app.example, inner")]),
                ),
                "/a",
            ),
            ["https://app.example/a", "https://app.example:443/a"],
        );
        assert_eq!(
            urls(
                Base::forwarded(
                    &uri,
                    &headers(&[("host", "app.example"), proto, ("x-forwarded-port", "8443")]),
                ),
                "/a",
            ),
            ["https://app.example/a", "https://app.example:8443/a"],
        );
        assert_eq!(urls(Base::forwarded(&uri, &headers(&[inner])), "/a").len(), 4);
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for url in ["", "app.example", "/in", "ftp://app.example", "https://app.example/?a=1"] {
            assert!(Base::parse(url).is_err(), "{url}");
        }
    }
}
