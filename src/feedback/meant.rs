//! Which messages an action meant whose confirm comes late.

use std::time::Duration;

use super::{
    shared::{Shared, all},
    waiting::Action,
};
use crate::{
    CorrelationKeys, Timestamp,
    store::{ConfirmOutcome, ConfirmTarget, LedgerEntry, LedgerStatus, Resends, StoreError},
};

/// How far apart the clocks of two processes are taken to be at most.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

impl Action {
    /// Whether it was before a message was sent, and so not what that asked for.
    pub(super) fn is_before(&self, sent_at: Timestamp) -> bool {
        sent_at > self.acted_at + CLOCKS_DIFFER
    }

    /// Of what is known under its id, the newest first, what it acted on.
    fn meant(&self, resends: Resends, known: Vec<LedgerEntry>) -> Vec<LedgerEntry> {
        let sent = known.into_iter().filter(|entry| !self.is_before(entry.sent_at));
        match resends {
            Resends::Newest => sent.take(1).collect(),
            Resends::All => sent.collect(),
        }
    }
}

impl Shared {
    /// Confirms what actions meant, after `failures` of the store in a row.
    ///
    /// A confirm whose answer was lost may have taken place, and by the time that it is
    /// repeated a newer message may be under its id, which nobody has acted on: that is why
    /// the messages are looked up. One of them that is forgotten before it is confirmed stays
    /// so.
    pub(super) async fn confirm_late(
        &self,
        confirms: &[(ConfirmTarget, Timestamp)],
        failures: u32,
    ) -> Result<Vec<ConfirmOutcome>, StoreError> {
        let ids: Vec<CorrelationKeys> =
            confirms.iter().filter_map(|(target, _)| id(target)).map(|(keys, _)| keys).collect();
        let known = match ids.is_empty() {
            true => Vec::new(),
            false => self.more_patiently(failures, self.store.lookup(&ids)).await?,
        };
        let mut known = all(&ids, known)?.into_iter();

        let mut outcomes = vec![ConfirmOutcome::Unknown; confirms.len()];
        let (mut whose, mut targets) = (Vec::new(), Vec::new());
        for (at, (target, acted_at)) in confirms.iter().enumerate() {
            let Some((keys, resends)) = id(target) else {
                whose.push(at);
                targets.push(target.clone());
                continue;
            };
            let action = Action { keys, acted_at: *acted_at };
            for entry in action.meant(resends, known.next().unwrap_or_default()) {
                if entry.status == LedgerStatus::Pending {
                    whose.push(at);
                    targets.push(ConfirmTarget::Recorded { key: entry.key, sid: entry.sid });
                } else {
                    outcomes[at] = outcomes[at].most_telling(ConfirmOutcome::AlreadyConfirmed);
                }
            }
        }
        let confirmed = match targets.is_empty() {
            true => Vec::new(),
            false => self.more_patiently(failures, self.store.confirm(&targets)).await?,
        };
        for (at, outcome) in whose.into_iter().zip(all(&targets, confirmed)?) {
            outcomes[at] = outcomes[at].most_telling(outcome);
        }
        Ok(outcomes)
    }
}

fn id(target: &ConfirmTarget) -> Option<(CorrelationKeys, Resends)> {
    match target {
        ConfirmTarget::Id { keys, resends } => Some((*keys, *resends)),
        ConfirmTarget::Message(_) | ConfirmTarget::Recorded { .. } => None,
    }
}
