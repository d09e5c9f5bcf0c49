use std::borrow::Cow;

use http::request::Parts;

use super::IdSource;
use crate::{CorrelationId, correlate::find_in_query};

/// The query parameter `name`: the first that is not empty, decoded as a form
/// is, which is how [`link_query`](crate::link_query) reads it in a send.
#[must_use]
pub fn query(name: impl Into<Cow<'static, str>>) -> Query {
    Query { name: name.into() }
}

/// The source of [`query`].
#[derive(Debug, Clone)]
pub struct Query {
    name: Cow<'static, str>,
}

impl IdSource for Query {
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        find_in_query(parts.uri.query()?, &self.name)
    }
}
