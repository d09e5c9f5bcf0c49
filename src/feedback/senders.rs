//! Which Messaging Service a number sends for: a call names the number alone.

use super::shared::{Shared, single};
use crate::{
    AccountSid, CorrelationId, MessagingServiceSid,
    store::{SenderOutcome, ServiceSender},
};

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
        let learnt = [ServiceSender::new(keys.current, service)];
        let outcome = self.within_bound(self.store.learn_senders(&learnt)).await.and_then(single);
        // What is not remembered now comes with the next callback.
        if let Ok(SenderOutcome::Learned | SenderOutcome::Known) = outcome {
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
        let found = self.within_bound(self.store.services(&[keys])).await.and_then(single);
        let service = found.ok().flatten()?;
        self.senders.insert(keys.current, service);
        Some(service)
    }
}
