//! Faults of questions.

use std::time::Duration;

use tower_message_feedback::{
    CorrelationKeys, MessageSid,
    store::{FeedbackStore, LedgerEntry, LedgerStatus, StoreCounts},
};

use super::{
    fault::Fault::*,
    store::{Answer, BrokenStore},
};

impl BrokenStore {
    pub(super) async fn lookup_(&self, ids: &[CorrelationKeys]) -> Answer<Vec<Vec<LedgerEntry>>> {
        let mut ids = ids.to_vec();
        if self.has(LookupIgnoresThePreviousKey) {
            ids.iter_mut().for_each(|keys| keys.previous = None);
        }
        let mut found = self.memory.lookup(&ids).await?;
        for found in &mut found {
            match self.fault {
                LookupShowsTheOldestFirst => found.reverse(),
                LookupHidesTheDelivered => {
                    found.retain(|e| !matches!(e.status, LedgerStatus::Delivered { .. }));
                }
                _ => {}
            }
            found.iter_mut().for_each(|entry| self.show_status(entry));
        }
        Ok(found)
    }

    pub(super) async fn by_sid_(&self, sids: &[MessageSid]) -> Answer<Vec<Option<LedgerEntry>>> {
        let mut entries = self.memory.by_sid(sids).await?;
        match self.fault {
            BySidAnswersBackwards => entries.reverse(),
            BySidSkipsTheUnknown => entries.retain(Option::is_some),
            _ => {}
        }
        entries.iter_mut().flatten().for_each(|entry| self.show_status(entry));
        Ok(entries)
    }

    pub(super) async fn dead_letters_(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> Answer<Vec<LedgerEntry>> {
        let limit = if self.has(DeadLettersIgnoreTheLimit) { usize::MAX } else { limit };
        let mut letters = self.memory.dead_letters(after, limit).await?;
        match self.fault {
            DeadLettersComeBackwards => letters.reverse(),
            DeadLettersRepeatTheLastOfAPage if limit > 0 => {
                if let Some(sid) = after {
                    let again = self.memory.by_sid(&[sid]).await?.remove(0);
                    let dead = |e: &LedgerEntry| matches!(e.status, LedgerStatus::Dead { .. });
                    letters.splice(0..0, again.filter(dead));
                    letters.truncate(limit);
                }
            }
            DeadLettersShowWhatWasSentAgain => {
                let resent = self.seen().resent.clone();
                letters.extend(self.memory.by_sid(&resent).await?.into_iter().flatten());
            }
            _ => {}
        }
        letters.iter_mut().for_each(|entry| self.show_status(entry));
        Ok(letters)
    }

    pub(super) async fn counts_(&self) -> Answer<StoreCounts> {
        self.see_the_time(Duration::ZERO);
        let mut counts = self.memory.counts().await?;
        let sids: Vec<_> = self.seen().recorded.keys().copied().collect();
        let known: Vec<_> = self.memory.by_sid(&sids).await?.into_iter().flatten().collect();
        let delivered =
            known.iter().filter(|e| matches!(e.status, LedgerStatus::Delivered { .. })).count();
        match self.fault {
            CountsForgetTheDelivered => counts.messages -= delivered as u64,
            OutboxCountsTheUnleasedAlone => {
                let now = self.now();
                let seen = self.seen();
                let held = seen.tokens.iter().filter(|(id, (_, until))| {
                    let sid = seen.owners.get(id);
                    let queued = known.iter().any(|e| {
                        Some(&e.sid) == sid && matches!(e.status, LedgerStatus::Queued { .. })
                    });
                    *until > now && queued
                });
                counts.outbox -= (held.count() as u64).min(counts.outbox);
            }
            OldestAgeIsNone => counts.oldest_outbox_age = None,
            CountsExpiredTwice => counts.expired *= 2,
            _ => {}
        }
        Ok(counts)
    }
}
