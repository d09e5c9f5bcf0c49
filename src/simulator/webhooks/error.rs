use std::{error::Error, fmt};

/// Why a webhook was not made, or not answered. It repeats neither a URL nor a
/// value.
#[derive(Debug)]
pub struct WebhookError {
    problem: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl WebhookError {
    fn new(problem: &'static str) -> Self {
        Self { problem, source: None }
    }

    pub(super) fn unknown_message() -> Self {
        Self::new("the simulator has no such message")
    }

    pub(super) fn no_status_callback() -> Self {
        Self::new("the message was created without a StatusCallback")
    }

    pub(super) fn no_reply_url() -> Self {
        Self::new("nobody takes replies: say where they go with `replies_to`")
    }

    pub(super) fn no_call_url() -> Self {
        Self::new("nobody takes calls: say where they go with `calls_to`")
    }

    pub(super) fn not_a_url() -> Self {
        Self::new("the URL of the webhook is not an absolute URL of visible ASCII characters")
    }

    pub(super) fn not_http() -> Self {
        Self::new("webhooks are sent over http: use `send_to` for what stands behind the https URL")
    }

    pub(super) fn not_answered(source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..Self::new("the webhook was not answered") }
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl Error for WebhookError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}
