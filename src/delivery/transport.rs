//! What carries a feedback call: any Tower service, behind one type.

use std::{
    error::Error,
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Buf;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tokio::time::timeout;
use tower_service::Service;

use super::call::CallResult;
use crate::twilio::{FeedbackBody, error_code};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type BoxTransport = Box<dyn Transport + Send>;
pub(crate) type Exchange = Pin<Box<dyn Future<Output = CallResult> + Send>>;

/// What is left of Twilio's answer once it has been read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Twilio's error code, if the answer is an error that names one.
    pub(crate) code: Option<u32>,
}

pub(crate) trait Transport {
    /// The answer, or that there was none within `patience`.
    fn exchange(&mut self, request: Request<FeedbackBody>, patience: Duration) -> Exchange;
}

/// Begins a call; `None` if the service, which is the application's, panicked
/// when it was cloned for it.
pub(super) fn begin(
    transport: &mut dyn Transport,
    request: Request<FeedbackBody>,
    patience: Duration,
) -> Option<Exchange> {
    panic::catch_unwind(AssertUnwindSafe(|| transport.exchange(request, patience))).ok()
}

/// Makes a transport of a Tower service.
pub(crate) struct ServiceTransport<S> {
    service: S,
    /// Clones whose calls are over: a client costs more to clone than to keep.
    idle: Arc<Mutex<Vec<S>>>,
}

impl<S> ServiceTransport<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service, idle: Arc::default() }
    }
}

impl<S, B> Transport for ServiceTransport<S>
where
    S: Service<Request<FeedbackBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
{
    fn exchange(&mut self, request: Request<FeedbackBody>, patience: Duration) -> Exchange {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut service = kept.unwrap_or_else(|| self.service.clone());
        let idle = self.idle.clone();
        Box::pin(async move {
            match timeout(patience, exchange(&mut service, request)).await {
                Ok(Ok(answer)) => {
                    idle.lock().unwrap_or_else(PoisonError::into_inner).push(service);
                    CallResult::Answered(answer)
                }
                Ok(Err(error)) => CallResult::Failed(error),
                Err(_) => CallResult::TimedOut,
            }
        })
    }
}

async fn exchange<S, B>(service: &mut S, request: Request<FeedbackBody>) -> Result<Answer, BoxError>
where
    S: Service<Request<FeedbackBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    let response = service.call(request).await.map_err(Into::into)?;
    let (parts, body) = response.into_parts();
    // The status says what became of the call; a body that breaks, or
    // never ends, takes nothing of it back.
    let mut start = Vec::new();
    let _ = timeout(BODY_TIMEOUT, read_start(body, &mut start)).await;
    let code = if parts.status.is_success() { None } else { error_code(&start) };
    Ok(Answer { status: parts.status, headers: parts.headers, code })
}

/// How long the body of an answer may take behind its head.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads a body to its end, so that the connection can be used again, unless
/// it is longer than any answer of Twilio's.
async fn read_start<B: Body>(body: B, start: &mut Vec<u8>) {
    const LONGEST: usize = 64 * 1024;
    let mut body = pin!(body);
    while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(mut data) = frame.into_data() else { continue };
        while data.has_remaining() {
            let chunk = data.chunk();
            start.extend_from_slice(chunk);
            let read = chunk.len();
            data.advance(read);
        }
        if start.len() > LONGEST {
            break;
        }
    }
}
