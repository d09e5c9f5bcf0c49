//! What all processes shall know.

use std::collections::HashMap;

use super::{PostgresStore, error::PostgresError, param::Key};
use crate::{
    CorrelationKey, CorrelationKeys,
    store::{Note, NoteOutcome},
};

impl PostgresStore {
    pub(super) async fn keep_all_notes(
        &self,
        notes: &[Note],
    ) -> Result<Vec<NoteOutcome>, PostgresError> {
        // Of each key the last, for the longest time.
        let mut last: HashMap<CorrelationKey, (&[u8], i64)> = HashMap::new();
        for note in notes {
            let until = note.until.as_millis();
            let until = last.get(&note.key).map_or(until, |(_, before)| until.max(*before));
            last.insert(note.key, (&note.value, until));
        }
        let keys: Vec<Key> = last.keys().map(|key| Key(*key)).collect();
        let (values, until): (Vec<&[u8]>, Vec<i64>) = last.into_values().unzip();
        let rows =
            self.access.query(&self.statements.keep_notes, &[&keys, &values, &until]).await?;
        let mut known: HashMap<CorrelationKey, Vec<u8>> = HashMap::new();
        for row in &rows {
            let (Key(key), value) = (row.try_get(0)?, row.try_get::<_, Option<Vec<u8>>>(1)?);
            known.extend(value.map(|value| (key, value)));
        }
        // As if they had come one after the other.
        let outcomes = notes.iter().map(|note| match known.insert(note.key, note.value.clone()) {
            Some(value) if value == note.value => NoteOutcome::Repeated,
            _ => NoteOutcome::Written,
        });
        Ok(outcomes.collect())
    }

    pub(super) async fn notes_of(
        &self,
        keys: &[CorrelationKeys],
    ) -> Result<Vec<Option<Vec<u8>>>, PostgresError> {
        let current: Vec<Key> = keys.iter().map(|keys| Key(keys.current)).collect();
        let previous: Vec<Option<Key>> = keys.iter().map(|keys| keys.previous.map(Key)).collect();
        let rows = self.access.query(&self.statements.notes, &[&current, &previous]).await?;
        let mut found = vec![None; keys.len()];
        for row in &rows {
            let ord: i64 = row.try_get(0)?;
            let place = usize::try_from(ord - 1).ok().and_then(|at| found.get_mut(at));
            if let Some(place @ None) = place {
                *place = row.try_get(1)?;
            }
        }
        Ok(found)
    }
}
