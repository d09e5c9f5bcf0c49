use http::{HeaderName, request::Parts};

use super::IdSource;
use crate::CorrelationId;

/// The value of the header `name`, byte for byte.
#[must_use]
pub fn header(name: HeaderName) -> Header {
    Header { name }
}

/// The source of [`header`].
#[derive(Debug, Clone)]
pub struct Header {
    name: HeaderName,
}

impl IdSource for Header {
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        let value = parts.headers.get(&self.name)?.as_bytes();
        Some(CorrelationId::new(value.to_vec()))
    }
}
