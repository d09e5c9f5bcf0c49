//! What all processes shall know.

use rusqlite::params;

use super::{error::SqliteError, session::Session, statements::Query};
use crate::{
    CorrelationKey, CorrelationKeys,
    store::{Note, NoteOutcome},
};

impl Session<'_> {
    pub(super) fn keep_notes(&mut self, notes: &[Note]) -> Result<Vec<NoteOutcome>, SqliteError> {
        notes.iter().map(|note| self.keep_note(note)).collect()
    }

    fn keep_note(&mut self, note: &Note) -> Result<NoteOutcome, SqliteError> {
        let repeated = self.note(note.key)?.is_some_and(|known| known == note.value);
        let key = note.key.as_bytes().as_slice();
        self.statements
            .execute(Query::KeepNote, params![key, note.value, note.until.as_millis()])?;
        Ok(if repeated { NoteOutcome::Repeated } else { NoteOutcome::Written })
    }

    pub(super) fn notes(
        &mut self,
        keys: &[CorrelationKeys],
    ) -> Result<Vec<Option<Vec<u8>>>, SqliteError> {
        let mut notes = Vec::with_capacity(keys.len());
        for keys in keys {
            let mut note = None;
            for key in keys.iter() {
                if note.is_none() {
                    note = self.note(key)?;
                }
            }
            notes.push(note);
        }
        Ok(notes)
    }

    fn note(&mut self, key: CorrelationKey) -> Result<Option<Vec<u8>>, SqliteError> {
        let key = key.as_bytes().as_slice();
        self.statements.row(Query::Note, [key], |row| Ok(row.get(0)?))
    }
}
