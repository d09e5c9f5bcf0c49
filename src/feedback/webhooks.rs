//! Which webhooks have confirmed: a signed one verifies for ever, and must not confirm
//! again what is sent later.

use std::time::Duration;

use super::shared::Shared;
use crate::CorrelationKeys;

/// How long that is remembered.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);

impl Shared {
    /// Whether it has confirmed, here or in another process. If the store does not
    /// answer, only this process is asked.
    pub(crate) async fn has_confirmed(&self, webhook: CorrelationKeys) -> bool {
        self.webhooks.get(webhook.iter()).is_some() || self.read_note(webhook).await.is_some()
    }

    /// Remembers it in this process: it came to no end that could be kept in the store.
    pub(crate) fn has_begun_to_confirm(&self, webhook: CorrelationKeys) {
        self.webhooks.insert(webhook.current, ());
    }

    pub(crate) async fn remember_confirmed(&self, webhook: CorrelationKeys) {
        self.webhooks.insert(webhook.current, ());
        // Without the store this process remembers it.
        let _ = self.keep_note(webhook.current, Vec::new(), REMEMBERED).await;
    }
}
