//! Faults of confirms.

use std::time::Duration;

use tower_message_feedback::{
    CorrelationKeys, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, FeedbackStore, ForgetTarget, LedgerEntry, LedgerStatus,
        Resends, TrackedMessage,
    },
};

use super::{
    fault::Fault::*,
    store::{Answer, BrokenStore},
};

impl BrokenStore {
    pub(super) async fn confirm_(&self, batch: &[ConfirmTarget]) -> Answer<Vec<ConfirmOutcome>> {
        let early =
            if self.has(ConfirmedTooEarly) { Duration::from_secs(1) } else { Duration::ZERO };
        self.see_the_time(early);
        let mut outcomes = Vec::new();
        for (n, target) in batch.iter().enumerate() {
            if self.has(ConfirmDropsDuplicates) && batch[..n].contains(target) {
                outcomes.push(outcomes[0]);
                continue;
            }
            outcomes.push(self.confirm_one(target).await?);
        }
        if self.has(ConfirmAnswersBackwards) {
            outcomes.reverse();
        }
        Ok(outcomes)
    }

    async fn confirm_one(&self, target: &ConfirmTarget) -> Answer<ConfirmOutcome> {
        use ConfirmOutcome::{AlreadyConfirmed, Full, Queued, Unknown};
        let before = match self.fault {
            ConfirmLooksBeforeItLeaps => {
                let before = self.known(target).await?;
                tokio::task::yield_now().await;
                before
            }
            ConfirmsTwice | QueuesAgainAfterDelivery => self.known(target).await?,
            _ => Vec::new(),
        };
        let Some(target) = self.misread(target).await? else { return Ok(Unknown) };
        if self.has(QueuedIsNotQueued) && fastrand::u8(0..4) == 0 {
            let known = self.known(&target).await?;
            if known.first().is_some_and(|entry| entry.status == LedgerStatus::Pending) {
                return Ok(Queued);
            }
        }
        if let ConfirmTarget::Message(message) = &target {
            let mut seen = self.seen();
            let arrival = seen.recorded.len();
            seen.recorded.entry(message.sid).or_insert((arrival, message.clone()));
        }
        let outcome = self.memory.confirm(std::slice::from_ref(&target)).await?[0];
        if outcome == AlreadyConfirmed {
            self.queue_again(&before).await?;
        }
        Ok(match (self.fault, outcome) {
            (AlreadyConfirmedSaysQueued, AlreadyConfirmed) => Queued,
            (QueuedSaysAlreadyConfirmed, Queued) => AlreadyConfirmed,
            (UnknownSaysAlreadyConfirmed, Unknown) => AlreadyConfirmed,
            (FullIsUnknown, Full) => Unknown,
            (ConfirmLooksBeforeItLeaps, _)
                if before.first().is_some_and(|entry| entry.status == LedgerStatus::Pending) =>
            {
                Queued
            }
            (_, outcome) => outcome,
        })
    }

    /// What is known of a target, the newest first.
    async fn known(&self, target: &ConfirmTarget) -> Answer<Vec<LedgerEntry>> {
        Ok(match target {
            ConfirmTarget::Id { keys, .. } => self.memory.lookup(&[*keys]).await?.remove(0),
            ConfirmTarget::Message(TrackedMessage { sid, .. })
            | ConfirmTarget::Recorded { sid, .. } => {
                self.memory.by_sid(&[*sid]).await?.into_iter().flatten().collect()
            }
            _ => panic!("a new target"),
        })
    }

    /// Queues what was confirmed before, as if it had not been.
    async fn queue_again(&self, before: &[LedgerEntry]) -> Answer<()> {
        let Some(entry) = before.first() else { return Ok(()) };
        let again = matches!(
            (self.fault, entry.status),
            (ConfirmsTwice, LedgerStatus::Queued { .. })
                | (QueuesAgainAfterDelivery, LedgerStatus::Delivered { .. })
        );
        let message = self.seen().recorded.get(&entry.sid).map(|(_, message)| message.clone());
        if let Some(message) = message.filter(|_| again) {
            self.memory.forget(&[ForgetTarget::Message(entry.sid)]).await?;
            self.memory.confirm(&[ConfirmTarget::Message(message)]).await?;
        }
        Ok(())
    }

    /// What the fault takes a target for; nothing for an unknown one.
    async fn misread(&self, target: &ConfirmTarget) -> Answer<Option<ConfirmTarget>> {
        let mut target = target.clone();
        match (self.fault, &mut target) {
            (NewestConfirmsAll, ConfirmTarget::Id { resends, .. }) => *resends = Resends::All,
            (AllConfirmsNewest, ConfirmTarget::Id { resends, .. }) => *resends = Resends::Newest,
            (PreviousKeyIsIgnored, ConfirmTarget::Id { keys, .. }) => keys.previous = None,
            (
                AllIgnoresThePreviousKey,
                ConfirmTarget::Id { keys, resends: resends @ Resends::All },
            ) => {
                let _ = resends;
                if !self.memory.lookup(&[keys.current.into()]).await?[0].is_empty() {
                    keys.previous = None;
                }
            }
            (PreviousKeyComesFirst, ConfirmTarget::Id { keys, resends: Resends::Newest }) => {
                let current = keys.current;
                if let Some(previous) = keys.previous {
                    keys.current = previous;
                    keys.previous = Some(current);
                }
            }
            (
                NewestIsTheOldest
                | NewestIsTheLastToArrive
                | ScheduledHidesSent
                | ScheduledIsNeverConfirmed
                | NewestSkipsTheConfirmed,
                ConfirmTarget::Id { keys, resends: Resends::Newest },
            ) => {
                let keys = *keys;
                return Ok(self.wrong_one(keys).await?.map(ConfirmTarget::Message));
            }
            (UnrecordedMessageIsUnknown, ConfirmTarget::Message(message))
                if self.status(message.sid).await.is_none() =>
            {
                return Ok(None);
            }
            (MessageConfirmsTheNewestOfItsId, ConfirmTarget::Message(message)) => {
                let keys = CorrelationKeys::from(message.key);
                if !self.memory.lookup(&[keys]).await?[0].is_empty() {
                    target = ConfirmTarget::Id { keys, resends: Resends::Newest };
                }
            }
            (RecordedConfirmsTheNewestOfItsId, ConfirmTarget::Recorded { key, .. }) => {
                target = ConfirmTarget::Id { keys: (*key).into(), resends: Resends::Newest };
            }
            (RecordedIgnoresTheKey, ConfirmTarget::Recorded { key, sid }) => {
                let found = self.memory.by_sid(&[*sid]).await?.remove(0);
                *key = found.map_or(*key, |entry| entry.key);
            }
            (ForgottenIsConfirmed, ConfirmTarget::Recorded { sid, .. }) => {
                let message = self.seen().recorded.get(sid).map(|(_, message)| message.clone());
                return Ok(message.map(ConfirmTarget::Message));
            }
            (_, ConfirmTarget::Message(message)) => *message = self.altered(message),
            _ => {}
        }
        Ok(Some(target))
    }

    /// Not the newest that was sent.
    async fn wrong_one(&self, keys: CorrelationKeys) -> Answer<Option<TrackedMessage>> {
        let horizon: Timestamp = self.now() + Duration::from_secs(60);
        for key in keys.iter() {
            let found = self.memory.lookup(&[key.into()]).await?.remove(0);
            if found.is_empty() {
                continue;
            }
            let arrival = |entry: &&LedgerEntry| {
                self.seen().recorded.get(&entry.sid).map_or(0, |(arrival, _)| *arrival)
            };
            let is_sent = |entry: &&LedgerEntry| entry.sent_at < horizon;
            let newest = found.iter().find(is_sent).or(found.first());
            let wrong = match self.fault {
                NewestIsTheOldest => found.last(),
                NewestIsTheLastToArrive => found.iter().max_by_key(arrival),
                ScheduledHidesSent => found.first(),
                ScheduledIsNeverConfirmed => found.iter().find(is_sent),
                NewestSkipsTheConfirmed => {
                    let pending = |entry: &&LedgerEntry| entry.status == LedgerStatus::Pending;
                    found.iter().filter(is_sent).find(pending).or(newest)
                }
                _ => newest,
            };
            let Some(wrong) = wrong else { return Ok(None) };
            return Ok(self.seen().recorded.get(&wrong.sid).map(|(_, message)| message.clone()));
        }
        Ok(None)
    }
}
