use std::{error::Error, fmt, str::FromStr, sync::Arc};

use http::Uri;

/// Where a message was created: everything of the create's URL that stands
/// before `/Accounts/`.
///
/// Feedback goes to the same place, because data does not cross Twilio's
/// regions, and because a proxy with a path prefix must see it too.
///
/// ```
/// use tower_message_feedback::BaseUrl;
///
/// assert_eq!(BaseUrl::default().as_str(), "https://api.twilio.com/2010-04-01");
/// let dublin: BaseUrl = "https://api.dublin.ie1.twilio.com/2010-04-01".parse()?;
/// # Ok::<(), tower_message_feedback::InvalidBaseUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaseUrl(Arc<str>);

impl BaseUrl {
    /// The URL without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme, host and port, without the path.
    pub(crate) fn origin(&self) -> &str {
        let host = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0[host..].find('/').map_or(self.0.len(), |at| host + at);
        &self.0[..end]
    }

    /// Whether this base is `{scheme}://{authority}{prefix}`, without building it.
    pub(crate) fn is(&self, scheme: &str, authority: &str, prefix: &str) -> bool {
        self.0
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"))
            .and_then(|rest| rest.strip_prefix(authority))
            .is_some_and(|rest| rest == prefix)
    }

    pub(crate) fn from_parts(scheme: &str, authority: &str, prefix: &str) -> Self {
        Self(format!("{scheme}://{authority}{prefix}").into())
    }

    /// Whether it is Twilio's own, over `https`: nobody else answers there.
    pub(crate) fn is_twilios(&self) -> bool {
        self.uri().is_some_and(|uri| parts(&uri).is_some_and(is_twilios))
    }

    fn uri(&self) -> Option<Uri> {
        self.0.parse().ok()
    }
}

impl Default for BaseUrl {
    /// `https://api.twilio.com/2010-04-01`
    fn default() -> Self {
        Self("https://api.twilio.com/2010-04-01".into())
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidBaseUrl { problem: "not a URL" })?;
        match uri.scheme_str() {
            Some("https" | "http") => {}
            _ => return Err(InvalidBaseUrl { problem: "the scheme is neither https nor http" }),
        }
        let authority = uri.authority().ok_or(InvalidBaseUrl { problem: "it has no host" })?;
        if authority.as_str().contains('@') {
            return Err(InvalidBaseUrl { problem: "it carries a user or a password" });
        }
        if uri.query().is_some() {
            return Err(InvalidBaseUrl { problem: "it has a query" });
        }
        let scheme = uri.scheme_str().unwrap_or("https");
        Ok(Self::from_parts(scheme, authority.as_str(), uri.path().trim_end_matches('/')))
    }
}

impl TryFrom<&str> for BaseUrl {
    type Error = InvalidBaseUrl;

    fn try_from(text: &str) -> Result<Self, InvalidBaseUrl> {
        text.parse()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.0)
    }
}

/// A text that is not a base URL or an origin. The text itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidBaseUrl {
    problem: &'static str,
}

impl InvalidBaseUrl {
    pub(crate) const fn new(problem: &'static str) -> Self {
        Self { problem }
    }

    pub(crate) fn problem(&self) -> &'static str {
        self.problem
    }
}

impl fmt::Display for InvalidBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a base URL: {}", self.problem)
    }
}

impl Error for InvalidBaseUrl {}

/// Where credentials may go: `https` at `twilio.com` and its subdomains, and
/// what the builder adds.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedOrigins {
    added: Vec<AllowedOrigin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedOrigin {
    scheme: Box<str>,
    host: Box<str>,
    port: u16,
}

impl AllowedOrigins {
    /// Adds the scheme, host and port of `base`; its path does not matter.
    pub(crate) fn allow(&mut self, base: &BaseUrl) {
        if let Some(uri) = base.uri() {
            if let Some((scheme, host, port)) = parts(&uri) {
                self.added.push(AllowedOrigin {
                    scheme: scheme.into(),
                    host: host.to_ascii_lowercase().into(),
                    port,
                });
            }
        }
    }

    pub(crate) fn permits(&self, base: &BaseUrl) -> bool {
        base.uri().is_some_and(|uri| self.permits_uri(&uri))
    }

    pub(crate) fn permits_uri(&self, uri: &Uri) -> bool {
        // A user name in the authority would make the host ambiguous to a reader.
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return false;
        }
        parts(uri).is_some_and(|(scheme, host, port)| {
            is_twilios((scheme, host, port))
                || self.added.iter().any(|origin| {
                    *origin.scheme == *scheme
                        && origin.host.eq_ignore_ascii_case(host)
                        && origin.port == port
                })
        })
    }
}

fn parts(uri: &Uri) -> Option<(&str, &str, u16)> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let port = match uri.port_u16() {
        Some(port) => port,
        // What stands behind the host is no port: somebody else may read it as one.
        None if authority.as_str().len() != authority.host().len() => return None,
        None if scheme == "https" => 443,
        None if scheme == "http" => 80,
        None => return None,
    };
    Some((scheme, authority.host(), port))
}

fn is_twilios((scheme, host, port): (&str, &str, u16)) -> bool {
    scheme == "https" && port == 443 && is_twilio(host)
}

fn is_twilio(host: &str) -> bool {
    const DOMAIN: &[u8] = b"twilio.com";
    let host = host.as_bytes();
    let Some(start) = host.len().checked_sub(DOMAIN.len()) else { return false };
    host[start..].eq_ignore_ascii_case(DOMAIN) && (start == 0 || host[start - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_all_before_the_path() {
        for (url, origin) in [
            ("http://a/2010-04-01", "http://a"),
            ("https://a.example:8443/b/c", "https://a.example:8443"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(url.parse::<BaseUrl>().unwrap().origin(), origin);
        }
    }

    #[test]
    fn only_twilio_over_https_and_what_was_added_is_allowed() {
        let mut allowed = AllowedOrigins::default();
        let permits = |allowed: &AllowedOrigins, url: &str| {
            url.parse::<Uri>().is_ok_and(|uri| allowed.permits_uri(&uri))
        };
        for yes in [
            "https://api.twilio.com/x",
            "https://twilio.com/",
            "https://API.Dublin.ie1.Twilio.Com/",
            "https://api.twilio.com:443/",
        ] {
            assert!(permits(&allowed, yes), "{yes}");
        }
        for no in [
            "http://api.twilio.com/",
            "https://api.twilio.com:8443/",
            "https://api.twilio.com@evil.example/",
            "https://user@api.twilio.com/",
            "https://eviltwilio.com/",
            "https://api.twilio.com:443x/",
            "https://api.twilio.com:65536/",
            "https://twilio.com.evil.example/",
            "http://127.0.0.1:9000/",
            "/2010-04-01",
        ] {
            assert!(!permits(&allowed, no), "{no}");
        }
        allowed.allow(&"http://127.0.0.1:9000/twilio".parse().unwrap());
        assert!(permits(&allowed, "http://127.0.0.1:9000/any"));
        assert!(!permits(&allowed, "https://127.0.0.1:9000/any"));
        assert!(!permits(&allowed, "http://127.0.0.1:9001/any"));
    }

    #[test]
    fn a_base_is_its_parts_and_no_others() {
        let base: BaseUrl = "https://a.example:8443/b".parse().unwrap();
        assert!(base.is("https", "a.example:8443", "/b"));
        for (scheme, authority, prefix) in [
            ("http", "a.example:8443", "/b"),
            ("https", "a.example", "/b"),
            ("https", "a.example:8443", ""),
            ("https", "a.example:8443", "/c"),
        ] {
            assert!(!base.is(scheme, authority, prefix), "{scheme} {authority} {prefix}");
        }
    }
}
