//! The same in a chain of `reqwest_middleware`.

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::{layer::ProvideFeedbackLayer, reqwest::received};
use crate::Correlate;

/// The layer is a middleware too: it tags sends and records their SIDs.
///
/// The id of a send may also be said by `RequestBuilder::with_extension`. Of the retries
/// of `reqwest-retry`, attached before, each makes a message with a SID of its own, and
/// all are recorded.
#[async_trait]
impl<C> Middleware for ProvideFeedbackLayer<C>
where
    C: Correlate + Send + Sync + 'static,
{
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let sent = self.track_reqwest(&mut request, Some(extensions));
        match next.run(request, extensions).await {
            Ok(response) => Ok(received(response, sent).await),
            Err(error) => {
                if let Some(sent) = sent {
                    sent.failed();
                }
                Err(error)
            }
        }
    }
}
