//! Which Messaging Service a number sends for: a call names the number alone.

use std::time::Duration;

use super::shared::{Shared, single};
use crate::{AccountSid, CorrelationId, MessagingServiceSid, store::Note};

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
        let until = self.clock.now() + REMEMBERED;
        let note = [Note::new(keys.current, service.to_string().into_bytes(), until)];
        // What is not remembered now comes with the next callback.
        if self.within_bound(self.store.keep_notes(&note)).await.is_ok() {
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
        let noted = self.within_bound(self.store.notes(&[keys])).await.and_then(single);
        let service = MessagingServiceSid::parse(&noted.ok().flatten()?)?;
        self.senders.insert(keys.current, service);
        Some(service)
    }
}
