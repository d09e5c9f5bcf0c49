//! Which Messaging Service a number sends for: a call names the number alone.

use std::time::Duration;

use super::shared::Shared;
use crate::{AccountSid, CorrelationId, MessagingServiceSid};

/// How long it is remembered after a callback has told it: a number may rest, and
/// changes its service seldom.
const REMEMBERED: Duration = Duration::from_secs(400 * 24 * 3600);

impl Shared {
    /// Remembers for which Messaging Service a number sends.
    pub(crate) async fn learn_sender(
        &self,
        account: AccountSid,
        sender: &str,
        service: MessagingServiceSid,
    ) {
        let Some(keys) = self.keyring.keys(&CorrelationId::sender(account, sender)) else { return };
        if self.senders.get([keys.current].into_iter()) == Some(service) {
            return;
        }
        let value = service.to_string().into_bytes();
        // What is not remembered now comes with the next callback.
        if self.keep_note(keys.current, value, REMEMBERED).await.is_ok() {
            self.senders.insert(keys.current, service);
        }
    }

    /// The Messaging Service that a number sends for, as far as callbacks have told.
    pub(crate) async fn service_of(
        &self,
        account: AccountSid,
        sender: &str,
    ) -> Option<MessagingServiceSid> {
        let keys = self.keyring.keys(&CorrelationId::sender(account, sender))?;
        if let Some(service) = self.senders.get(keys.iter()) {
            return Some(service);
        }
        let service = MessagingServiceSid::parse(&self.read_note(keys).await?)?;
        self.senders.insert(keys.current, service);
        Some(service)
    }
}
