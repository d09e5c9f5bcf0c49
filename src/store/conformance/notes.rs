//! What all processes shall know.

use super::{
    erased::Tested,
    fixture::{Fixture, answer, seconds},
    messages::{key, keys, rotated},
    verdict::CaseResult,
};
use crate::{
    CorrelationKeys,
    store::{FeedbackStore, Note, NoteOutcome},
};
use NoteOutcome::{Repeated, Written};

impl Fixture {
    /// A note that holds for a while.
    fn note(&self, n: u8, value: &[u8]) -> Note {
        Note::new(key(n), value.to_vec(), self.time.now() + seconds(100))
    }

    async fn keep(&self, notes: &[Note]) -> Vec<NoteOutcome> {
        let outcomes = answer("keep_notes", self.store.keep_notes(notes)).await;
        assert_eq!(outcomes.len(), notes.len(), "keep_notes: one answer for each note");
        outcomes
    }

    async fn notes(&self, asked: &[CorrelationKeys]) -> Vec<Option<Vec<u8>>> {
        let notes = answer("notes", self.store.notes(asked)).await;
        assert_eq!(notes.len(), asked.len(), "notes: one answer for each");
        notes
    }
}

fn is(value: &[u8]) -> Option<Vec<u8>> {
    Some(value.to_vec())
}

pub(super) async fn what_was_noted_last_is_what_is_read(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    assert_eq!(f.notes(&[keys(1)]).await, [None]);
    let long = [0xff_u8; 64];
    let batch = [f.note(1, b"a"), f.note(2, b""), f.note(3, &long), f.note(1, b"b")];
    assert_eq!(f.keep(&batch).await, [Written; 4]);
    let asked = [keys(3), keys(1), keys(9), keys(2), keys(1)];
    let noted = [is(&long), is(b"b"), None, is(b""), is(b"b")];
    assert_eq!(f.notes(&asked).await, noted);
    assert_eq!(f.keep(&batch[1..]).await, [Repeated; 3]);
    assert_eq!(
        f.keep(&[f.note(1, b"b"), f.note(1, b""), f.note(1, b"")]).await,
        [Repeated, Written, Repeated]
    );
    assert_eq!(f.notes(&[keys(1)]).await, [is(b"")]);
    assert_eq!((f.notes(&[]).await, f.keep(&[]).await), (vec![], vec![]));
    // Notes are no messages.
    f.sizes(0, 0, 0).await;
    assert!(f.lookup(keys(1)).await.is_empty());
    Ok(())
}

pub(super) async fn a_note_is_found_under_its_previous_key(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.keep(&[f.note(1, b"a"), f.note(2, b"b")]).await;
    let asked = [rotated(3, 1), rotated(2, 1), rotated(1, 2), rotated(4, 3)];
    assert_eq!(f.notes(&asked).await, [is(b"a"), is(b"b"), is(b"a"), None]);
    Ok(())
}

pub(super) async fn a_note_is_kept_until_its_time(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.keep(&[f.note(1, b"a"), f.note(2, b"b")]).await;
    f.advance(seconds(50));
    f.keep(&[f.note(2, b"b")]).await;
    // Noted again for a shorter time, it is kept for the longer one.
    let short = Note { until: f.time.now(), ..f.note(1, b"a") };
    assert_eq!(f.keep(&[short]).await, [Repeated]);
    f.advance(seconds(49));
    f.expire(100).await;
    assert_eq!(f.notes(&[keys(1), keys(2)]).await, [is(b"a"), is(b"b")]);
    f.advance(seconds(50));
    f.expire(100).await;
    assert_eq!(f.notes(&[keys(2)]).await, [is(b"b")]);
    f.advance(seconds(1));
    f.expire(100).await;
    if f.capabilities().exact_expiry {
        assert_eq!(f.notes(&[keys(1), keys(2)]).await, [None, None]);
        assert_eq!(f.counts().await.expired, 0, "notes are no messages");
    }
    Ok(())
}

pub(super) async fn what_one_notes_the_other_reads(subject: &Tested) -> CaseResult {
    let a = Fixture::new(subject).await;
    let b = a.again().await?;
    assert_eq!(a.keep(&[a.note(1, b"a")]).await, [Written]);
    assert_eq!(b.notes(&[keys(1)]).await, [is(b"a")]);
    assert_eq!(b.keep(&[b.note(1, b"a"), b.note(1, b"b")]).await, [Repeated, Written]);
    assert_eq!(a.notes(&[keys(1)]).await, [is(b"b")]);
    Ok(())
}
