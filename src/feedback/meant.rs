//! Which message an action meant whose confirm comes late.

use std::time::Duration;

use super::{
    shared::{Shared, all},
    waiting::Action,
};
use crate::{
    CorrelationKeys, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, LedgerEntry, LedgerStatus, Resends, StoreError,
        TrackedMessage,
    },
};

/// How far apart the clocks of two processes are taken to be at most.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

impl Action {
    /// Whether it was before a message was sent, and so not what that asked for.
    pub(super) fn is_before(&self, sent_at: Timestamp) -> bool {
        sent_at > self.acted_at + CLOCKS_DIFFER
    }
}

/// What to confirm, or what became of it.
type Meant = Result<ConfirmTarget, ConfirmOutcome>;

impl Shared {
    /// What each confirm meant.
    ///
    /// One whose answer was lost may have taken place, and by the time that it is repeated a
    /// newer message may be under its id, which nobody has acted on.
    pub(super) async fn meant(
        &self,
        confirms: &[(ConfirmTarget, Timestamp)],
    ) -> Result<Vec<Meant>, StoreError> {
        let actions: Vec<Option<Action>> = confirms.iter().map(of_the_newest).collect();
        let ids: Vec<CorrelationKeys> =
            actions.iter().flatten().map(|action| action.keys).collect();
        let mut known = self.known(&ids).await?.into_iter();
        let meant = confirms.iter().zip(actions).map(|((target, _), action)| match action {
            Some(action) => self.meant_by(&action, known.next().unwrap_or_default()),
            None => Ok(target.clone()),
        });
        Ok(meant.collect())
    }

    /// Of actions that came before their records, those whose message is recorded now, each
    /// with what it meant.
    pub(super) async fn overtaken(
        &self,
        actions: &[Action],
    ) -> Result<Vec<(Action, Meant)>, StoreError> {
        let ids: Vec<CorrelationKeys> = actions.iter().map(|action| action.keys).collect();
        let known = self.known(&ids).await?;
        let found = actions.iter().zip(known).filter_map(|(action, entries)| {
            let meant = match self.meant_by(action, entries) {
                Err(ConfirmOutcome::Unknown) => return None,
                Ok(_) if self.settings.resends == Resends::All => Ok(self.by_id(action.keys)),
                meant => meant,
            };
            Some((*action, meant))
        });
        Ok(found.collect())
    }

    /// `entries`: what is known under its id, the newest first.
    fn meant_by(&self, action: &Action, entries: Vec<LedgerEntry>) -> Meant {
        let sent = entries.into_iter().find(|entry| !action.is_before(entry.sent_at));
        let entry = sent.ok_or(ConfirmOutcome::Unknown)?;
        if entry.status != LedgerStatus::Pending {
            return Err(ConfirmOutcome::AlreadyConfirmed);
        }
        // By its SID: the next message may be recorded before this is confirmed.
        let expires_at = entry.sent_at.max(action.acted_at) + self.settings.retention;
        let LedgerEntry { key, sid, account, base_url, sent_at, segment, .. } = entry;
        Ok(ConfirmTarget::Message(TrackedMessage {
            key,
            sid,
            account,
            base_url,
            sent_at,
            expires_at,
            segment,
        }))
    }

    async fn known(&self, ids: &[CorrelationKeys]) -> Result<Vec<Vec<LedgerEntry>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        all(ids, self.store.lookup(ids).await?)
    }
}

/// The action of a confirm that means the newest of several messages.
fn of_the_newest((target, acted_at): &(ConfirmTarget, Timestamp)) -> Option<Action> {
    match target {
        ConfirmTarget::Id { keys, resends: Resends::Newest } => {
            Some(Action { keys: *keys, acted_at: *acted_at })
        }
        _ => None,
    }
}
