//! Which webhooks have confirmed: a signed one verifies for ever, and must not confirm
//! again what is sent later.

use std::time::Duration;

use super::shared::{Shared, single};
use crate::{CorrelationKeys, store::Note};

/// How long that is remembered.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);

impl Shared {
    /// Whether it has confirmed, here or in another process. If the store does not
    /// answer, only this process is asked.
    pub(crate) async fn has_confirmed(&self, webhook: CorrelationKeys) -> bool {
        if self.webhooks.get(webhook.iter()).is_some() {
            return true;
        }
        let noted = self.within_bound(self.store.notes(&[webhook])).await.and_then(single);
        matches!(noted, Ok(Some(_)))
    }

    pub(crate) async fn remember_confirmed(&self, webhook: CorrelationKeys) {
        self.webhooks.insert(webhook.current, ());
        let until = self.clock.now() + REMEMBERED;
        let note = [Note::new(webhook.current, Vec::new(), until)];
        // Without the store this process remembers it.
        let _ = self.within_bound(self.store.keep_notes(&note)).await;
    }
}
