use http::{HeaderMap, Method};

use crate::feedback::Shared;

/// Whether a request says of itself that no user is behind it.
pub(super) fn is_no_action(method: &Method, headers: &HeaderMap) -> bool {
    /// `Sec-Purpose` is the standard (Fetch); Chrome and Safari sent `Purpose`,
    /// Safari and Facebook send `X-Purpose`, Firefox sent `X-Moz`.
    const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    matches!(*method, Method::HEAD | Method::OPTIONS)
        || PURPOSES
            .iter()
            .flat_map(|name| headers.get_all(*name))
            .any(|value| is_fetched_ahead(value.as_bytes()))
}

/// Counts a confirm that the guard held back.
pub(super) fn held_back(shared: &Shared) {
    shared.confirms.not_an_action.increment();
    tracing::debug!("not an action: HEAD, OPTIONS, a prefetch or a preview");
}

fn is_fetched_ahead(purpose: &[u8]) -> bool {
    purpose.split(|byte| matches!(byte, b';' | b',' | b' ')).any(|token| {
        [&b"prefetch"[..], b"prerender", b"preview"]
            .iter()
            .any(|ahead| token.eq_ignore_ascii_case(ahead))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &Method, header: Option<(&'static str, &'static str)>) -> bool {
        let headers = header
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        is_no_action(method, &headers)
    }

    #[test]
    fn what_fetches_ahead_is_no_action() {
        assert!(verdict(&Method::HEAD, None));
        assert!(verdict(&Method::OPTIONS, None));
        for header in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("sec-purpose", "prefetch; anonymous-client-ip"),
            ("purpose", "prefetch"),
            ("Purpose", "Preview"),
            ("x-purpose", "preview"),
            ("x-moz", "prefetch"),
        ] {
            assert!(verdict(&Method::GET, Some(header)), "{header:?}");
        }
    }

    #[test]
    fn a_user_is_an_action() {
        assert!(!verdict(&Method::GET, None));
        assert!(!verdict(&Method::POST, None));
        assert!(!verdict(&Method::GET, Some(("purpose", "navigation"))));
        assert!(!verdict(&Method::GET, Some(("x-prefetched", "prefetch"))));
    }
}
