use std::borrow::Cow;

use http::{header::COOKIE, request::Parts};

use super::IdSource;
use crate::CorrelationId;

/// The value of the cookie `name`, as it stands, without double quotes around
/// it. It is not decrypted, and no signature is checked.
#[must_use]
pub fn cookie(name: impl Into<Cow<'static, str>>) -> Cookie {
    Cookie { name: name.into() }
}

/// The source of [`cookie`].
#[derive(Debug, Clone)]
pub struct Cookie {
    name: Cow<'static, str>,
}

impl IdSource for Cookie {
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        parts
            .headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|header| header.as_bytes().split(|&byte| byte == b';'))
            .filter_map(|pair| {
                let at = pair.iter().position(|&byte| byte == b'=')?;
                Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
            })
            .find(|(name, _)| *name == self.name.as_bytes())
            .map(|(_, value)| {
                let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
                CorrelationId::new(bare.unwrap_or(value).to_vec())
            })
    }
}
