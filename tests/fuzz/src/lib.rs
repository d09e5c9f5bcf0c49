//! What the fuzz targets share.

use std::{
    borrow::Cow,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use sha1::{Digest, Sha1};
use tower_message_feedback::{
    BuildError, Credentials, MessageFeedback, MessageFeedbackBuilder, RetryPolicy,
};

/// The account of every target.
pub const AC: &str = "AC0123456789abcdef0123456789abcdef";
/// Its auth token.
pub const TOKEN: &str = "a token of the fuzz targets";

/// Takes an input apart, so that each part stays text that a fuzzer can work on.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// A choice; 0 where the input is over.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// What stands before the next line feed.
    pub fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| byte == b'\n');
        let line = &self.0[..end.unwrap_or(self.0.len())];
        self.0 = end.map_or(&[], |end| &self.0[end + 1..]);
        line
    }

    /// The next line, with what is no UTF-8 replaced.
    pub fn text(&mut self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.line())
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// A builder whose feedback leaves this process by no means.
pub fn builder() -> MessageFeedbackBuilder {
    with_transport(MessageFeedback::builder())
        .credentials(Credentials::auth_token(AC, TOKEN).unwrap())
        .retry_policy(RetryPolicy::default())
}

/// The builder with a transport that reaches nobody.
pub fn with_transport(builder: MessageFeedbackBuilder) -> MessageFeedbackBuilder {
    builder.transport(Nobody)
}

/// The handle; its dispatcher does not run.
pub fn build(builder: MessageFeedbackBuilder) -> Result<MessageFeedback, BuildError> {
    builder.build_pair().map(|(feedback, _)| feedback)
}

/// Fails what it is called with.
#[derive(Clone)]
struct Nobody;

impl<B> tower_service::Service<Request<B>> for Nobody {
    type Response = Response<Full<Bytes>>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Err(std::io::Error::other("nobody is there")))
    }
}

/// What a future is that waits for nothing.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The pairs of a form, as the URL standard reads it.
pub fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

/// The first value of a field, as the URL standard reads it.
pub fn first(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// HMAC as RFC 2104 writes it down, for digests with blocks of 64 bytes.
pub fn hmac<D: Digest>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => {
            let digest = D::digest(key);
            block[..digest.len()].copy_from_slice(&digest);
        }
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = D::new().chain_update(padded(0x36)).chain_update(text).finalize();
    D::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// `X-Twilio-Signature` of a text.
pub fn signature(token: &str, signed: &[u8]) -> String {
    BASE64_STANDARD.encode(hmac::<Sha1>(token.as_bytes(), signed))
}

/// What Twilio signs: the URL, and the decoded fields behind it in their order, each once.
pub fn signed_text(url: &str, form: &[u8]) -> Vec<u8> {
    let decoded = |raw: &[u8]| -> Vec<u8> {
        let spaces: Vec<u8> =
            raw.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        percent_encoding::percent_decode(&spaces).collect()
    };
    let fields = form.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    let fields = fields.map(|pair| {
        let (name, value) =
            pair.split_at(pair.iter().position(|&b| b == b'=').unwrap_or(pair.len()));
        (decoded(name), decoded(value.strip_prefix(b"=").unwrap_or_default()))
    });
    let fields: std::collections::BTreeSet<_> = fields.collect();
    let mut text = url.as_bytes().to_vec();
    for (name, value) in fields {
        text.extend(name);
        text.extend(value);
    }
    text
}

/// The bytes as text.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
