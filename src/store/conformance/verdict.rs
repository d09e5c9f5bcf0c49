use std::fmt;

/// What the suite says of a case that did not panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The store does what the case asks for.
    Passed,
    /// The case asks for something that the store does not have, for this reason.
    NotApplicable(&'static str),
}

/// What became of every case of the suite.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The cases by name, in the order they ran.
    pub verdicts: Vec<(&'static str, Verdict)>,
}

impl Report {
    /// The names of the cases that were not applicable.
    pub fn not_applicable(&self) -> impl Iterator<Item = &'static str> {
        let skipped = self.verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Passed);
        skipped.map(|(name, _)| *name)
    }
}

impl fmt::Display for Report {
    /// How many passed, and a line for each case that did not apply.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.verdicts.len() - self.not_applicable().count();
        write!(f, "{passed} of {} cases passed", self.verdicts.len())?;
        for (name, verdict) in &self.verdicts {
            if let Verdict::NotApplicable(reason) = verdict {
                write!(f, "\nnot applicable: {name}: {reason}")?;
            }
        }
        Ok(())
    }
}

/// Why a case does not apply to a store.
#[derive(Debug)]
pub(super) struct NotApplicable(pub(super) &'static str);

/// What a case answers; it panics if the store breaks the contract.
pub(super) type CaseResult = Result<(), NotApplicable>;

/// Ends a case that is about something the store does not keep.
pub(super) fn require(kept: bool, reason: &'static str) -> CaseResult {
    if kept { Ok(()) } else { Err(NotApplicable(reason)) }
}
