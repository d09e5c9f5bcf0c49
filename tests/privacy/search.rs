//! Finds marked texts in bytes, in whatever form they stand there.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{
    encodings::{of_number, of_text},
    markers::{Kind, MARKERS},
};

/// Looks for many texts in one pass.
pub(crate) struct Search {
    automaton: AhoCorasick,
    /// Of each form: whose it is, and which.
    forms: Vec<(&'static str, String)>,
}

impl Search {
    /// For every marker, in every form.
    pub(crate) fn for_markers() -> &'static Self {
        static SEARCH: std::sync::LazyLock<Search> = std::sync::LazyLock::new(|| {
            Search::new(MARKERS.iter().flat_map(|marker| {
                let forms = match marker.kind {
                    Kind::Number { code } => of_number(marker.value, code),
                    Kind::Text => of_text(marker.value),
                };
                forms.into_iter().map(|(form, bytes)| (marker.name, form, bytes))
            }))
        });
        &SEARCH
    }

    /// For these: a name, the name of a form, and its bytes.
    pub(crate) fn new(forms: impl IntoIterator<Item = (&'static str, String, Vec<u8>)>) -> Self {
        let (names, bytes): (Vec<_>, Vec<_>) =
            forms.into_iter().map(|(name, form, bytes)| ((name, form), bytes)).unzip();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(bytes);
        Self { automaton: automaton.expect("an automaton"), forms: names }
    }

    /// What is there, as name and form.
    pub(crate) fn all_in(&self, bytes: &[u8]) -> BTreeSet<(&'static str, &str)> {
        let found = self.automaton.find_overlapping_iter(bytes);
        found
            .map(|found| &self.forms[found.pattern()])
            .map(|(name, form)| (*name, &**form))
            .collect()
    }

    /// Fails if anything is there; says where, and what stands around it.
    #[track_caller]
    pub(crate) fn finds_nothing_in(&self, place: &str, bytes: &[u8]) {
        let Some(found) = self.automaton.find_overlapping_iter(bytes).next() else { return };
        let around = found.start().saturating_sub(300)..bytes.len().min(found.end() + 100);
        let around = String::from_utf8_lossy(&bytes[around]);
        panic!(
            "{:?} in {place}:\n{around}\n\nof {:?}",
            self.forms[found.pattern()],
            self.all_in(bytes)
        );
    }
}
