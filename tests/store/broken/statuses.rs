//! Faults of statuses, notes and counters.

use std::time::Duration;

use tower_message_feedback::{
    CorrelationKeys, Timestamp,
    store::{
        Counts, FeedbackStore, LedgerEntry, LedgerStatus, Note, NoteOutcome, Resolution, Rollup,
        RollupBatch, RollupOutcome, StatusOutcome, StatusUpdate,
    },
};

use super::{
    fault::Fault::*,
    store::{Answer, BrokenStore},
};

impl BrokenStore {
    pub(super) async fn update_status_(
        &self,
        updates: &[StatusUpdate],
    ) -> Answer<Vec<StatusOutcome>> {
        let mut outcomes = Vec::new();
        for update in updates {
            outcomes.push(self.update_one(*update).await?);
        }
        if self.has(StatusAnswersBackwards) {
            outcomes.reverse();
        }
        Ok(outcomes)
    }

    async fn update_one(&self, mut update: StatusUpdate) -> Answer<StatusOutcome> {
        use StatusOutcome::{NotNewer, Unknown, Updated};
        const UPDATED: StatusOutcome = Updated { previous: None };
        let known = self.memory.by_sid(&[update.sid]).await?.remove(0);
        match self.fault {
            StatusIsTakenFromAnyAccount => {
                update.account = known.map_or(update.account, |entry| entry.account);
            }
            StatusLosesItsCode => update.error_code = None,
            _ => {}
        }
        let outcome = self.memory.update_status(&[update]).await?[0];
        let told = (update.status, update.error_code);
        let mut seen = self.seen();
        let before = seen.told.get(&update.sid).copied();
        let told = match self.fault {
            StatusGoesBack if outcome != Unknown => Some(told),
            StatusOfTheSameKindReplaces if before.is_some_and(|(s, _)| s == told.0) => Some(told),
            CodeOutlivesItsStatus if matches!(outcome, Updated { .. }) => {
                Some((told.0, told.1.or(before.and_then(|(_, code)| code))))
            }
            StatusOfTheSameKindReplaces | StatusSurvivesForgetting
                if matches!(outcome, Updated { .. }) =>
            {
                Some(told)
            }
            _ => None,
        };
        if let Some(told) = told {
            seen.told.insert(update.sid, told);
        }
        Ok(match outcome {
            NotNewer if self.has(NotNewerSaysUpdated) => UPDATED,
            Updated { .. } if self.has(UpdatedForgetsWhatWas) => UPDATED,
            Updated { .. } if self.has(UpdatedTellsWhatIs) => {
                Updated { previous: Some(update.status) }
            }
            outcome => outcome,
        })
    }

    /// What the fault shows of how far a message was delivered.
    pub(super) fn show_status(&self, entry: &mut LedgerEntry) {
        if self.has(StatusEndsWithTheConfirm) && entry.status != LedgerStatus::Pending {
            (entry.message_status, entry.error_code) = (None, None);
        }
        if let Some((status, code)) = self.seen().told.get(&entry.sid) {
            (entry.message_status, entry.error_code) = (Some(*status), *code);
        }
    }

    pub(super) async fn keep_notes_(&self, notes: &[Note]) -> Answer<Vec<NoteOutcome>> {
        self.see_the_time(Duration::ZERO);
        let mut outcomes = Vec::new();
        for note in notes {
            let known = self.memory.notes(&[note.key.into()]).await?.remove(0);
            if self.has(NotesKeepTheirFirstValue) && known.is_some() {
                outcomes.push(NoteOutcome::Repeated);
                continue;
            }
            let mut note = note.clone();
            match self.fault {
                NotesEndEarly => note.until = note.until - Duration::from_secs(1),
                NotesAreCutShort => note.value.truncate(60),
                _ => {}
            }
            let outcome = self.memory.keep_notes(&[note]).await?[0];
            outcomes.push(if self.has(NotesAreAlwaysWritten) {
                NoteOutcome::Written
            } else {
                outcome
            });
        }
        Ok(outcomes)
    }

    pub(super) async fn notes_(&self, keys: &[CorrelationKeys]) -> Answer<Vec<Option<Vec<u8>>>> {
        let mut keys = keys.to_vec();
        if self.has(NotesIgnoreThePreviousKey) {
            keys.iter_mut().for_each(|keys| keys.previous = None);
        }
        let mut notes = self.memory.notes(&keys).await?;
        match self.fault {
            NotesAnswerBackwards => notes.reverse(),
            EmptyNotesAreNone => {
                notes.iter_mut().for_each(|note| *note = note.take().filter(|n| !n.is_empty()));
            }
            _ => {}
        }
        Ok(notes)
    }

    pub(super) async fn add_rollups_(&self, batch: &RollupBatch) -> Answer<RollupOutcome> {
        self.see_the_time(Duration::ZERO);
        let mut batch = batch.clone();
        match self.fault {
            RollupsRepeat => {
                let mut seen = self.seen();
                seen.batches += 1;
                batch.sequence = seen.batches;
            }
            RollupsHaveOneWriter => batch.writer = 0,
            RollupsLoseTheSegment => {
                batch.rollups.iter_mut().for_each(|rollup| rollup.segment = "one".into());
            }
            RollupsLoseTheAccount => {
                let first = batch.rollups.first().map(|rollup| rollup.account);
                for rollup in &mut batch.rollups {
                    rollup.account = first.unwrap_or(rollup.account);
                }
            }
            RollupsEndEarly => {
                for rollup in &mut batch.rollups {
                    rollup.keep_until = rollup.keep_until - Duration::from_secs(2);
                }
            }
            RollupsLoseTheirLast => drop(batch.rollups.pop()),
            RollupsAreUnsigned => {
                for rollup in &mut batch.rollups {
                    let positive = rollup.counts.codes().iter().filter(|(_, count)| *count > 0);
                    rollup.counts = Counts::from_codes(positive.copied());
                }
            }
            _ => {}
        }
        self.memory.add_rollups(&batch).await
    }

    pub(super) async fn rollups_(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Answer<Vec<Rollup>> {
        let (from, to) = match self.fault {
            RollupsIncludeTheEnd => (from, to + Duration::from_millis(1)),
            RollupsExcludeTheBeginning => (from + Duration::from_millis(1), to),
            _ => (from, to),
        };
        let mut rollups = self.memory.rollups(resolution, from, to).await?;
        if self.has(RollupsMixHoursAndDays) {
            for other in [Resolution::Hour, Resolution::Day] {
                if other != resolution {
                    rollups.extend(self.memory.rollups(other, from, to).await?);
                }
            }
        }
        Ok(rollups)
    }
}
