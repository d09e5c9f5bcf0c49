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

/// What an action meant.
enum Meant {
    /// Nothing that is known.
    Nothing,
    /// Whatever its id says.
    Newest,
    /// This one, because newer ones were sent since.
    Message(LedgerEntry),
}

impl Meant {
    /// `entries`: what is known under its id, the newest first.
    fn by(action: &Action, entries: Vec<LedgerEntry>) -> Self {
        match entries.first() {
            Some(newest) if !action.is_before(newest.sent_at) => Self::Newest,
            _ => entries
                .into_iter()
                .find(|entry| !action.is_before(entry.sent_at))
                .map_or(Self::Nothing, Self::Message),
        }
    }
}

impl Shared {
    /// What to confirm for each, or what became of it.
    ///
    /// A confirm whose answer was lost may have taken place, and by the time that it is
    /// repeated a newer message may be under its id, which nobody has acted on.
    pub(super) async fn meant(
        &self,
        confirms: &[(ConfirmTarget, Option<Timestamp>)],
    ) -> Result<Vec<Result<ConfirmTarget, ConfirmOutcome>>, StoreError> {
        let actions: Vec<Option<Action>> = confirms.iter().map(of_the_newest).collect();
        let ids: Vec<CorrelationKeys> =
            actions.iter().flatten().map(|action| action.keys).collect();
        let mut known = self.known(&ids).await?.into_iter();
        let meant = confirms.iter().zip(actions).map(|((target, _), action)| {
            let Some(action) = action else { return Ok(target.clone()) };
            match Meant::by(&action, known.next().unwrap_or_default()) {
                Meant::Newest => Ok(target.clone()),
                Meant::Nothing => Err(ConfirmOutcome::Unknown),
                Meant::Message(entry) => self.pending(&action, entry),
            }
        });
        Ok(meant.collect())
    }

    /// Of actions that came before their records, those whose message is recorded now,
    /// each with what to confirm, or what became of it.
    pub(super) async fn overtaken(
        &self,
        actions: &[Action],
    ) -> Result<Vec<(Action, Result<ConfirmTarget, ConfirmOutcome>)>, StoreError> {
        let ids: Vec<CorrelationKeys> = actions.iter().map(|action| action.keys).collect();
        let known = self.known(&ids).await?;
        let found = actions.iter().zip(known).filter_map(|(action, entries)| {
            match Meant::by(action, entries) {
                Meant::Nothing => None,
                Meant::Newest => Some((*action, Ok(self.by_id(action.keys)))),
                Meant::Message(entry) => Some((*action, self.pending(action, entry))),
            }
        });
        Ok(found.collect())
    }

    async fn known(&self, ids: &[CorrelationKeys]) -> Result<Vec<Vec<LedgerEntry>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        all(ids, self.store.lookup(ids).await?)
    }

    /// The message itself, unless it was confirmed.
    fn pending(
        &self,
        action: &Action,
        entry: LedgerEntry,
    ) -> Result<ConfirmTarget, ConfirmOutcome> {
        if entry.status != LedgerStatus::Pending {
            return Err(ConfirmOutcome::AlreadyConfirmed);
        }
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
}

/// The action of a confirm that means the newest of several messages.
fn of_the_newest((target, acted_at): &(ConfirmTarget, Option<Timestamp>)) -> Option<Action> {
    match target {
        ConfirmTarget::Id { keys, resends: Resends::Newest } => {
            Some(Action { keys: *keys, acted_at: (*acted_at)? })
        }
        _ => None,
    }
}
