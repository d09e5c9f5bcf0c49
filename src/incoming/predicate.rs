use http::{Extensions, HeaderMap, Response, StatusCode};

/// Whether an answer means that the user did what the message asked for.
///
/// Any `Fn(StatusCode, &HeaderMap, &Extensions) -> bool` is one. It looks at
/// the head of the answer and runs inside the service's future: it must not
/// block.
pub trait Predicate {
    /// `true` confirms.
    fn confirms<B>(&self, response: &Response<B>) -> bool;
}

impl<F> Predicate for F
where
    F: Fn(StatusCode, &HeaderMap, &Extensions) -> bool,
{
    fn confirms<B>(&self, response: &Response<B>) -> bool {
        self(response.status(), response.headers(), response.extensions())
    }
}

/// The default: a status of 2xx or 3xx confirms.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoodAnswer;

impl Predicate for GoodAnswer {
    fn confirms<B>(&self, response: &Response<B>) -> bool {
        response.status().is_success() || response.status().is_redirection()
    }
}
