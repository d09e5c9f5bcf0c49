//! What to do with a create: whether it is tagged, and what to remember of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderValue, Request, StatusCode, Uri,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};

use super::{layer::Options, read_form::FailedForm};
use crate::{
    AccountSid, BaseUrl, Channel, Correlate, CorrelationId, CorrelationKey, Country, MessageForm,
    Mode, Timestamp,
    correlate::scoped_id,
    feedback::{PendingRecord, Shared, TrackedSend, Untagged},
    store::{Dimensions, Segment, TrackedMessage},
    twilio::{
        CreatePath, Receipt, Tagging, decode_within, has_body_digest, has_status_callback,
        is_encoded, is_form, parse_send_at,
    },
};

/// A create whose form is worth reading.
pub(super) struct Create {
    account: AccountSid,
    base_url: BaseUrl,
    /// The id, if the request said it outside its form.
    id: Option<CorrelationId>,
    /// Nothing is tagged, but what would be is counted.
    observed: bool,
}

/// A create that has been sent, and what is to be remembered once Twilio has named its
/// message.
///
/// Dropped before that, the message counts as abandoned.
pub(super) struct Sent {
    shared: Arc<Shared>,
    account: AccountSid,
    /// Nothing if no action can confirm it, or once it is known what became of it.
    unnamed: Option<UnnamedMessage>,
}

/// A message without its SID.
struct UnnamedMessage {
    key: CorrelationKey,
    base_url: BaseUrl,
    sent_at: Timestamp,
    segment: Segment,
}

impl<C> Options<C> {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.feedback.shared()
    }

    /// Recognises a create whose form can be read; removes the id's header.
    pub(super) fn create_of(
        &self,
        path: &CreatePath,
        uri: &Uri,
        headers: &mut HeaderMap,
        in_extensions: Option<CorrelationId>,
        size: Option<u64>,
    ) -> Option<Create> {
        if !is_form(headers) {
            return None;
        }
        // The id is none of Twilio's business, whatever becomes of this send.
        let in_header = self.header.as_ref().and_then(|name| headers.remove(name));
        let shared = self.shared();
        let base_url = match &self.base_url {
            Some(base_url) => shared.origins.permits(base_url).then(|| base_url.clone()),
            None => shared.base_url(uri, &uri.path()[..path.prefix]),
        };
        let Some(base_url) = base_url else {
            shared.sends.origin_not_allowed.increment();
            tracing::debug!("create left alone: its origin is not allowed");
            return None;
        };
        let mode = shared.control.modes.of(&base_url);
        if mode == Mode::Off {
            return None;
        }
        let readable = !is_encoded(headers)
            && size.is_some_and(|size| size <= shared.settings.max_form_bytes as u64);
        if !readable {
            shared.sends.form_unreadable.increment();
            tracing::debug!("create left alone: its form is compressed, too long or a stream");
            return None;
        }
        let id = in_extensions
            .or_else(|| in_header.map(|value| CorrelationId::new(copied(&value))))
            .or_else(scoped_id);
        Some(Create { account: path.account, base_url, id, observed: mode == Mode::Observe })
    }

    /// Tags a create, if an action can confirm it.
    pub(super) fn track<B: From<Bytes>>(
        &self,
        create: Create,
        mut parts: Parts,
        form: Bytes,
    ) -> (Request<B>, Option<Box<Sent>>)
    where
        C: Correlate,
    {
        let (tagged, sent) = self.sent(create, &mut parts.headers, &form);
        (Request::from_parts(parts, tagged.unwrap_or(form).into()), Some(sent))
    }

    /// The form with a tag, if it needs one, and what is to be watched.
    pub(super) fn sent(
        &self,
        create: Create,
        headers: &mut HeaderMap,
        form: &Bytes,
    ) -> (Option<Bytes>, Box<Sent>)
    where
        C: Correlate,
    {
        let account = create.account;
        let (tagged, unnamed) = self.decide(create, headers, form);
        // On the heap, so that it makes no other request's future larger.
        (tagged, Box::new(Sent { shared: self.shared().clone(), account, unnamed }))
    }

    fn decide(
        &self,
        create: Create,
        headers: &mut HeaderMap,
        bytes: &Bytes,
    ) -> (Option<Bytes>, Option<UnnamedMessage>)
    where
        C: Correlate,
    {
        let shared = self.shared();
        let form = MessageForm::new(bytes);
        let tagging = Tagging::of(&form);
        let id = create.id.or_else(|| self.rule.correlate(&form));
        let keys = id.and_then(|id| shared.keyring.keys(&id));
        // A confirm of this id finds nothing, and shall be told why.
        let untagged = |why| {
            if let Some(keys) = keys {
                shared.untagged.insert(keys.current, why);
            }
            (None, None)
        };
        if tagging == Tagging::Declined {
            shared.sends.declined.increment();
            return untagged(Untagged::NotTagged);
        }
        let Some(keys) = keys else {
            shared.sends.without_id.increment();
            if tagging == Tagging::Tagged {
                shared.tagged_without_id();
            }
            return (None, None);
        };
        if tagging == Tagging::Untagged {
            if !shared.may_tag(&form) {
                shared.sends.vetoed.increment();
                return untagged(Untagged::NotTagged);
            }
            if has_body_digest(headers) {
                shared.sends.digest_present.increment();
                tracing::debug!("create not tagged: a header vouches for its bytes");
                return untagged(Untagged::NotTagged);
            }
        }
        if create.observed {
            shared.sends.observed.increment();
            tracing::info!(account = %create.account, "observed: this create would be tracked");
            return untagged(Untagged::Observed);
        }
        shared.untagged.remove(keys.current);
        let now = shared.clock.now();
        let send_at = form.get("SendAt").and_then(|send_at| parse_send_at(&send_at));
        let sent_at = send_at.map_or(now, |send_at| now.max(Timestamp::from_millis(send_at)));
        if tagging == Tagging::Untagged {
            shared.sends.tagged.increment();
        } else {
            shared.sends.already_tagged.increment();
        }
        let segment = shared.segments.of(self.label.clone(), dimensions(&form));
        let status_callback = shared
            .settings
            .status_callback
            .as_ref()
            .filter(|_| !has_status_callback(&form) && !has_body_digest(headers))
            .map(|url| {
                url.of(&TrackedSend {
                    account: create.account,
                    key: keys.current,
                    base_url: create.base_url.clone(),
                    created_at: now,
                    sent_at,
                    segment: segment.clone(),
                })
            });
        let tagged = (tagging == Tagging::Untagged || status_callback.is_some())
            .then(|| tagging.tag(bytes, status_callback.as_deref()));
        if let (Some(tagged), true) = (&tagged, headers.contains_key(CONTENT_LENGTH)) {
            headers.insert(CONTENT_LENGTH, tagged.len().into());
        }
        let base_url = create.base_url;
        (tagged, Some(UnnamedMessage { key: keys.current, base_url, sent_at, segment }))
    }

    /// A create whose body failed goes on in such a way that the client fails
    /// it, as it would have without us, and never takes a part for the whole.
    ///
    /// It keeps what is left of that body, and the length it had. But a body
    /// that is over looks to a client like none at all, and it would wait for
    /// the answer to a form that the server still waits for: then the create
    /// loses its form, and its host, without which it cannot be sent.
    pub(super) fn failed<B: From<Bytes>>(&self, failed: FailedForm<B>) -> Request<B> {
        self.shared().sends.form_failed.increment();
        tracing::debug!("create not tracked: its form failed");
        let FailedForm { mut request, size, over } = failed;
        let headers = request.headers_mut();
        if over {
            headers.remove(CONTENT_LENGTH);
            headers.remove(TRANSFER_ENCODING);
            if let Some(path) = request.uri().path_and_query().cloned() {
                *request.uri_mut() = path.into();
            }
            return request.map(|_| Bytes::new().into());
        }
        if !headers.contains_key(TRANSFER_ENCODING) {
            headers.entry(CONTENT_LENGTH).or_insert(size.into());
        }
        request
    }
}

impl Sent {
    /// It was answered with `status`; itself again if its answer names a message to
    /// track.
    pub(super) fn answered(self: Box<Self>, status: StatusCode) -> Option<Box<Self>> {
        if status == StatusCode::TOO_MANY_REQUESTS {
            // Twilio's limit counts sends and feedback together: feedback gives way.
            self.shared.control.give_way(self.account);
        }
        if !status.is_success() {
            self.failed();
            return None;
        }
        self.unnamed.is_some().then_some(self)
    }

    /// It failed on the way, or Twilio refused it: there is no message.
    pub(super) fn failed(mut self) {
        if self.unnamed.take().is_some() {
            self.shared.sends.not_created.increment();
        }
    }

    /// Twilio took the message, and its answer does not say which it is.
    pub(super) fn unreadable(mut self) {
        self.unnamed = None;
        self.shared.sends.receipt_unreadable.increment();
        tracing::warn!(
            account = %self.account,
            "message not tracked: the answer to its create could not be read for its SID; \
             is there a decompression layer below?"
        );
    }

    /// Twilio has named the message, if there is one to track.
    pub(super) fn created(mut self, receipt: Receipt) -> Option<PendingRecord> {
        let UnnamedMessage { key, base_url, sent_at, segment } = self.unnamed.take()?;
        // A proxy that the builder added must not get another account's credentials by
        // naming that account.
        let named = receipt.account.filter(|named| *named == self.account || base_url.is_twilios());
        let message = TrackedMessage {
            key,
            sid: receipt.sid,
            account: named.unwrap_or(self.account),
            base_url,
            sent_at,
            expires_at: sent_at + self.shared.settings.retention,
            segment,
        };
        Some(PendingRecord::new(self.shared.clone(), message))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.unnamed.is_some() {
            self.shared.sends.abandoned.increment();
            tracing::debug!("tracked create dropped before its SID was known");
        }
    }
}

/// What the report groups a send by. The number that it goes to is not kept.
fn dimensions(form: &MessageForm<'_>) -> Dimensions {
    let mut dimensions = Dimensions::default();
    if let Some(to) = form.get_raw("To") {
        // Longer than any number, or the address of a channel.
        let mut buffer = [0; 64];
        let to = decode_within(to, &mut buffer);
        dimensions.country = Country::of_number(&to);
        dimensions.channel = Channel::of(&to, form.get_raw("MediaUrl").is_some());
    }
    let service = form.get("MessagingServiceSid");
    dimensions.messaging_service = service.and_then(|service| service.parse().ok());
    dimensions
}

pub(super) fn id_in(extensions: &Extensions) -> Option<CorrelationId> {
    extensions.get::<CorrelationId>().cloned()
}

fn copied(value: &HeaderValue) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}
