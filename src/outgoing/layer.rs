use std::{fmt, sync::Arc};

use http::HeaderName;
use tower_layer::Layer;

use super::service::ProvideFeedback;
use crate::{BaseUrl, MessageFeedback};

/// Makes [`ProvideFeedback`] services: it tags sends and records their SIDs.
///
/// Made by [`MessageFeedback::provide_layer`]. The [module](crate::outgoing)
/// says what it does to a request, and where in a stack it belongs.
#[must_use]
pub struct ProvideFeedbackLayer<C = ()> {
    pub(super) options: Arc<Options<C>>,
}

pub(super) struct Options<C> {
    pub(super) feedback: MessageFeedback,
    pub(super) rule: C,
    pub(super) header: Option<HeaderName>,
    pub(super) base_url: Option<BaseUrl>,
    pub(super) label: Option<Arc<str>>,
}

impl MessageFeedback {
    /// The layer around the client that sends messages to Twilio.
    ///
    /// Where its futures run on a Tokio runtime, that runtime needs its timer
    /// (`enable_time` or `enable_all`), which bounds the wait for the SID: without
    /// it, an answer whose body does not come at once panics, as any use of
    /// Tokio's time does. Without a runtime it works, and nothing is bounded in
    /// time.
    pub fn provide_layer(&self) -> ProvideFeedbackLayer {
        ProvideFeedbackLayer {
            options: Arc::new(Options {
                feedback: self.clone(),
                rule: (),
                header: None,
                base_url: None,
                label: None,
            }),
        }
    }
}

impl<C> ProvideFeedbackLayer<C> {
    fn map<D>(self, change: impl FnOnce(Options<C>) -> Options<D>) -> ProvideFeedbackLayer<D>
    where
        C: Clone,
    {
        let options = Arc::unwrap_or_clone(self.options);
        ProvideFeedbackLayer { options: Arc::new(change(options)) }
    }

    /// The rule that finds the correlation id in a send that does not say it in
    /// a closer way: [`link_query`](crate::link_query),
    /// [`recipient`](crate::recipient()) or a closure over the form. It takes
    /// the place of an earlier rule.
    pub fn correlate<D>(self, rule: D) -> ProvideFeedbackLayer<D>
    where
        C: Clone,
    {
        self.map(|Options { feedback, rule: _, header, base_url, label }| Options {
            feedback,
            rule,
            header,
            base_url,
            label,
        })
    }

    /// The header that carries the correlation id of a send. It is removed
    /// before the send goes on.
    pub fn header(self, name: HeaderName) -> Self
    where
        C: Clone,
    {
        self.map(|options| Options { header: Some(name), ..options })
    }

    /// Where creates go, for clients whose requests do not say it: their URI
    /// has no host, or a layer below changes it. Feedback goes there too, so
    /// the builder has to allow its origin.
    pub fn base_url(self, base_url: BaseUrl) -> Self
    where
        C: Clone,
    {
        self.map(|options| Options { base_url: Some(base_url), ..options })
    }

    /// The application's own name for the messages that pass through, for
    /// example `"login"`; it shows in the ledger.
    pub fn label(self, label: impl Into<Arc<str>>) -> Self
    where
        C: Clone,
    {
        self.map(|options| Options { label: Some(label.into()), ..options })
    }
}

impl<S, C> Layer<S> for ProvideFeedbackLayer<C> {
    type Service = ProvideFeedback<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ProvideFeedback::new(inner, self.clone())
    }
}

impl<C> Clone for ProvideFeedbackLayer<C> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone() }
    }
}

impl<C: Clone> Clone for Options<C> {
    fn clone(&self) -> Self {
        Self {
            feedback: self.feedback.clone(),
            rule: self.rule.clone(),
            header: self.header.clone(),
            base_url: self.base_url.clone(),
            label: self.label.clone(),
        }
    }
}

impl<C> fmt::Debug for ProvideFeedbackLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvideFeedbackLayer")
            .field("header", &self.options.header)
            .field("base_url", &self.options.base_url)
            .field("label", &self.options.label)
            .finish_non_exhaustive()
    }
}
