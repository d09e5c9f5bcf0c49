//! What all processes shall know.

use super::{RedisStore, RedisStoreError, answer, packed::key_bytes, script::Op};
use crate::{
    CorrelationKey, CorrelationKeys,
    store::{Note, NoteOutcome},
};

/// The latest time that Redis is told, in milliseconds: some thousand years ahead.
const LATEST: i64 = 1 << 47;

impl RedisStore {
    pub(super) async fn keep_all_notes(
        &self,
        notes: &[Note],
    ) -> Result<Vec<NoteOutcome>, RedisStoreError> {
        let items = notes.iter().map(|note| {
            let until = note.until.as_millis().clamp(1, LATEST).to_be_bytes();
            (note.key, [&b"k"[..], &key_bytes(note.key), &until, &note.value].concat())
        });
        let before = self.noted(items).await?;
        let outcomes = before.into_iter().zip(notes).map(|(before, note)| {
            if before.as_ref() == Some(&note.value) {
                NoteOutcome::Repeated
            } else {
                NoteOutcome::Written
            }
        });
        Ok(outcomes.collect())
    }

    pub(super) async fn notes_of(
        &self,
        keys: &[CorrelationKeys],
    ) -> Result<Vec<Option<Vec<u8>>>, RedisStoreError> {
        let both = keys.iter().flat_map(|keys| keys.iter());
        let items = both.map(|key| (key, [&b"g"[..], &key_bytes(key)].concat()));
        let mut found = self.noted(items).await?.into_iter();
        let notes = keys.iter().map(|keys| {
            let of_keys = found.by_ref().take(keys.iter().count());
            of_keys.fold(None, Option::or)
        });
        Ok(notes.collect())
    }

    /// Answers what was noted under each key before.
    async fn noted(
        &self,
        items: impl Iterator<Item = (CorrelationKey, Vec<u8>)>,
    ) -> Result<Vec<Option<Vec<u8>>>, RedisStoreError> {
        let layout = self.layout().await?;
        let items = items.map(|(key, item)| (layout.shard_of_key(key), item));
        let batches = self.batches(layout, Op::Notes, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let notes = batches.arrays(answers)?.into_iter().map(|answer| {
            let note = answer::bytes(answer)?;
            Ok(note.split_at_checked(8).map(|(_, value)| value.to_vec()))
        });
        notes.collect()
    }
}
