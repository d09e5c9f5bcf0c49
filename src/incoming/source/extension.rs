use http::request::Parts;

use super::IdSource;
use crate::CorrelationId;

/// A [`CorrelationId`] in the request's extensions, where a middleware that
/// knows it, such as one for sessions, has put it.
#[must_use]
pub fn extension() -> Extension {
    Extension(())
}

/// The source of [`extension`].
#[derive(Debug, Clone, Copy)]
pub struct Extension(());

impl IdSource for Extension {
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        parts.extensions.get::<CorrelationId>().cloned()
    }
}
