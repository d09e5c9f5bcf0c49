use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    Method, Request, Response, Uri,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{super::state::random_hex, error::WebhookError};
use crate::twilio::sign;

/// What the URL standard leaves as it is in a form, but for the space.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// The client that webhooks are sent with: http alone, no connection kept.
#[derive(Clone)]
pub(super) struct Caller(Client<HttpConnector, Full<Bytes>>);

impl Caller {
    pub(super) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http())
    }
}

/// One call of Twilio's to the application: a form, POSTed with a valid
/// `X-Twilio-Signature` unless the test wants another; with [`by_get`](Self::by_get) its
/// fields are in the URL.
///
/// It may be sent any number of times: each time the same, as Twilio's retries
/// are, down to the `I-Twilio-Idempotency-Token`.
///
/// `Debug` shows the names of the fields alone.
#[derive(Clone)]
#[must_use = "a webhook does nothing until it is sent"]
pub struct Webhook {
    caller: Caller,
    token: Option<Arc<str>>,
    url: String,
    fields: Vec<(String, String)>,
    idempotency_token: String,
    method: Method,
}

impl Webhook {
    pub(super) fn new(
        caller: Caller,
        token: Arc<str>,
        url: String,
        fields: Vec<(String, String)>,
    ) -> Self {
        let idempotency_token = random_hex();
        Self { caller, token: Some(token), url, fields, idempotency_token, method: Method::POST }
    }

    /// Sets a field, in place of all that have its name: `ErrorCode`,
    /// `OriginalRepliedMessageSid`, or one that Twilio has not invented yet. The
    /// signature covers it.
    pub fn with_field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Signs with another token: one that the account rotated away, or a
    /// forger's.
    pub fn signed_with(mut self, auth_token: &str) -> Self {
        self.token = Some(auth_token.into());
        self
    }

    /// Asks with `GET`, as an account can have it configured: the fields are in the query,
    /// behind what stands there.
    pub fn by_get(mut self) -> Self {
        self.method = Method::GET;
        self
    }

    /// Leaves the signature out.
    pub fn unsigned(mut self) -> Self {
        self.token = None;
        self
    }

    /// The value of a field: of a reply's `MessageSid`, for example.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The URL that is called, and that the signature covers.
    #[must_use]
    pub fn url(&self) -> String {
        // Twilio takes a fragment for settings of its own.
        self.with_query(self.url.split('#').next().unwrap_or_default())
    }

    fn with_query(&self, url: &str) -> String {
        if self.method == Method::POST {
            return url.to_owned();
        }
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{}", self.form())
    }

    /// The request, for an application that is called without a socket.
    ///
    /// # Errors
    ///
    /// If the URL is none.
    pub fn request(&self) -> Result<Request<Full<Bytes>>, WebhookError> {
        self.request_to(&self.url())
    }

    /// POSTs it to its URL, and returns what the application answers, whatever
    /// it is. It waits for as long as the application takes: wrap it in
    /// `tokio::time::timeout`. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// If the URL is not an `http` one, or the answer does not come.
    pub async fn send(&self) -> Result<Response<Bytes>, WebhookError> {
        self.call(&self.url()).await
    }

    /// POSTs it to `url`, signed for its own: as a proxy passes on what Twilio
    /// sent to the public URL.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub async fn send_to(&self, url: &str) -> Result<Response<Bytes>, WebhookError> {
        self.call(&self.with_query(url)).await
    }

    async fn call(&self, url: &str) -> Result<Response<Bytes>, WebhookError> {
        let request = self.request_to(url)?;
        if request.uri().scheme_str() != Some("http") {
            return Err(WebhookError::not_http());
        }
        let response = self.caller.0.request(request).await.map_err(WebhookError::not_answered)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(WebhookError::not_answered)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    fn request_to(&self, url: &str) -> Result<Request<Full<Bytes>>, WebhookError> {
        let uri: Uri = url.parse().map_err(|_| WebhookError::not_a_url())?;
        let authority = uri.authority().ok_or_else(WebhookError::not_a_url)?.as_str();
        let host = authority.rsplit('@').next().unwrap_or_default().to_owned();
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .header(HOST, host)
            .header(USER_AGENT, "TwilioProxy/1.1")
            .header("i-twilio-idempotency-token", &self.idempotency_token);
        let (fields, body) = match self.method {
            Method::POST => (&self.fields[..], self.form()),
            _ => (&[][..], String::new()),
        };
        if self.method == Method::POST {
            let form = "application/x-www-form-urlencoded; charset=UTF-8";
            request = request.header(CONTENT_TYPE, form);
        }
        if let Some(token) = &self.token {
            request = request.header("x-twilio-signature", sign(token, &self.url(), fields));
        }
        request.body(Full::new(body.into())).map_err(|_| WebhookError::not_a_url())
    }

    fn form(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, FORM).to_string().replace("%20", "+");
        let pairs: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Webhook").field("fields", &names).finish_non_exhaustive()
    }
}
