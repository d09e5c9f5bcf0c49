use std::{
    borrow::Cow,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::IdSource;
use crate::CorrelationId;

/// axum's path parameter `name`, percent-decoded: `path("id")` on a route
/// `/confirm/{id}`, nested or not.
///
/// It is known behind the routing: to a layer on the route, or on the `Router`
/// that has the route. For other services there is
/// [`path_template`](super::path_template).
#[must_use]
pub fn path(name: impl Into<Cow<'static, str>>) -> PathParam {
    PathParam { name: name.into() }
}

/// The source of [`path`].
#[derive(Debug, Clone)]
pub struct PathParam {
    name: Cow<'static, str>,
}

impl IdSource for PathParam {
    fn find(&self, parts: &mut Parts) -> Option<CorrelationId> {
        // The extractor reads an extension, and so is ready at once.
        let params = pin!(RawPathParams::from_request_parts(parts, &()));
        let Poll::Ready(Ok(params)) = params.poll(&mut Context::from_waker(Waker::noop())) else {
            return None;
        };
        params.iter().find(|(name, _)| *name == self.name).map(|(_, value)| value.into())
    }
}
