use std::{borrow::Cow, sync::Arc};

use axum::extract::Request;
use bytes::Bytes;
use http::{Method, Uri};

use super::{
    WebhookRejection, answered::Answered, rejection::UnexpectedWebhook, signed::read_signed,
};
use crate::{
    AccountSid, Confirmation, CorrelationId, CorrelationKeys, MessageForm, MessageSid,
    feedback::Shared, incoming::context::TrackingContext,
};

/// The fields of a webhook that Twilio signed, and the handle.
pub(super) struct SignedForm {
    context: TrackingContext,
    /// What Twilio called.
    uri: Uri,
    raw: Bytes,
    account: AccountSid,
}

impl SignedForm {
    pub(super) async fn read(request: Request) -> Result<Self, WebhookRejection> {
        let context = TrackingContext::of(request.extensions())?;
        let shared = context.feedback().shared();
        let (parts, body, signer) =
            read_signed(request, &shared.settings.verifier).await.inspect_err(|_| {
                shared.confirms.webhooks_refused.increment();
            })?;
        let raw = match parts.method {
            Method::POST => body,
            _ => Bytes::copy_from_slice(parts.uri.query().unwrap_or_default().as_bytes()),
        };
        let account = MessageForm::new(&raw).get("AccountSid");
        let account = account.and_then(|account| account.parse().ok());
        // Whoever has one account's token cannot speak for another.
        let account = account.filter(|account| *account == signer);
        let account = account.ok_or(unexpected("AccountSid"))?;
        Ok(Self { context, uri: parts.uri, raw, account })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.context.feedback().shared()
    }

    pub(super) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    pub(super) fn account(&self) -> AccountSid {
        self.account
    }

    pub(super) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        MessageForm::new(&self.raw).get(name)
    }

    pub(super) fn required(&self, name: &'static str) -> Result<String, WebhookRejection> {
        let value = self.get(name).filter(|value| !value.is_empty());
        value.map(Cow::into_owned).ok_or(unexpected(name))
    }

    /// Confirms, once for each `event`, the message that `from` answers.
    pub(super) async fn confirm(
        &self,
        event: &str,
        quoted: Option<MessageSid>,
        from: &str,
        senders: &[&str],
    ) -> Confirmation {
        let shared = self.context.feedback().shared();
        if !self.context.lets_through() {
            return Confirmation::NotAnAction;
        }
        let Some(event) = shared.keyring.keys(&CorrelationId::event(event)) else {
            return Confirmation::NoId;
        };
        if shared.has_confirmed(event).await {
            shared.confirms.already_confirmed.increment();
            return Confirmation::AlreadyConfirmed;
        }
        let answered = Answered { feedback: self.context.feedback(), account: self.account };
        let service = match senders {
            [sender] => shared.service_of(self.account, sender).await.map(|sid| sid.to_string()),
            _ => None,
        };
        let senders: Vec<&str> =
            service.as_deref().into_iter().chain(senders.iter().copied()).collect();
        let target = match answered.find(quoted, from, &senders).await {
            Ok(target) => target,
            Err(confirmation) => return confirmation,
        };
        // A confirm that has begun is done, also if this is dropped.
        let begun = Begun { shared, event: Some(event) };
        let confirmation = self.context.feedback().confirm_target(target).await;
        begun.ended();
        if confirmation.is_confirmed() || confirmation == Confirmation::Deferred {
            shared.remember_confirmed(event).await;
        }
        confirmation
    }
}

pub(super) fn unexpected(field: &'static str) -> WebhookRejection {
    WebhookRejection::Inner(UnexpectedWebhook::new(field))
}

/// A webhook whose confirm is under way: dropped before its end, it has confirmed.
struct Begun<'a> {
    shared: &'a Shared,
    event: Option<CorrelationKeys>,
}

impl Begun<'_> {
    fn ended(mut self) {
        self.event = None;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(event) = self.event {
            self.shared.has_begun_to_confirm(event);
        }
    }
}
