//! Which message a confirm meant that is repeated.

use std::time::Duration;

use super::shared::{Shared, all};
use crate::{
    CorrelationKeys, Timestamp,
    store::{ConfirmTarget, LedgerEntry, LedgerStatus, Resends, StoreError, TrackedMessage},
};

/// How far apart the clocks of two processes are taken to be at most.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

impl Shared {
    /// What to confirm for each; `None` if it was confirmed.
    ///
    /// A confirm whose answer was lost may have taken place, and by the time that it is
    /// repeated a newer message may be under its id, which nobody has acted on.
    pub(super) async fn meant(
        &self,
        confirms: &[(ConfirmTarget, Option<Timestamp>)],
    ) -> Result<Vec<Option<ConfirmTarget>>, StoreError> {
        let ids: Vec<CorrelationKeys> = confirms
            .iter()
            .filter_map(|confirm| of_the_newest(confirm))
            .map(|(keys, _)| keys)
            .collect();
        let known = if ids.is_empty() { Vec::new() } else { self.store.lookup(&ids).await? };
        let mut known = all(&ids, known)?.into_iter();
        let meant = confirms.iter().map(|confirm| {
            let entries = of_the_newest(confirm).and_then(|_| known.next()).unwrap_or_default();
            self.meant_of(confirm, entries)
        });
        Ok(meant.collect())
    }

    fn meant_of(
        &self,
        confirm: &(ConfirmTarget, Option<Timestamp>),
        entries: Vec<LedgerEntry>,
    ) -> Option<ConfirmTarget> {
        let as_ever = Some(confirm.0.clone());
        let Some((_, acted_at)) = of_the_newest(confirm) else { return as_ever };
        let is_since = |entry: &LedgerEntry| entry.sent_at > acted_at + CLOCKS_DIFFER;
        if !entries.first().is_some_and(is_since) {
            return as_ever;
        }
        let Some(before) = entries.into_iter().find(|entry| !is_since(entry)) else {
            return as_ever;
        };
        if before.status != LedgerStatus::Pending {
            return None;
        }
        let expires_at = before.sent_at.max(acted_at) + self.settings.retention;
        let LedgerEntry { key, sid, account, base_url, sent_at, segment, .. } = before;
        Some(ConfirmTarget::Message(TrackedMessage {
            key,
            sid,
            account,
            base_url,
            sent_at,
            expires_at,
            segment,
        }))
    }
}

/// The id and the time of an action that confirms the newest of several messages.
fn of_the_newest(
    (target, acted_at): &(ConfirmTarget, Option<Timestamp>),
) -> Option<(CorrelationKeys, Timestamp)> {
    match target {
        ConfirmTarget::Id { keys, resends: Resends::Newest } => Some((*keys, (*acted_at)?)),
        _ => None,
    }
}
