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
///
/// gRPC answers 200 to a call that failed, too: its own status, `grpc-status` in the head of
/// the answer, must be 0 if it is there. One that comes in trailers, behind a message, is not
/// seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoodAnswer;

impl Predicate for GoodAnswer {
    fn confirms<B>(&self, response: &Response<B>) -> bool {
        let status = response.status();
        let grpc_failed = response.headers().get("grpc-status").is_some_and(|code| code != "0");
        (status.is_success() || status.is_redirection()) && !grpc_failed
    }
}
