use std::{error::Error, fmt};

/// A configuration that cannot work. It names the setting and the fix, and
/// never a secret.
#[derive(Debug)]
pub struct BuildError {
    setting: &'static str,
    problem: String,
}

impl BuildError {
    pub(super) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into() }
    }

    /// The builder's method that was, or was not, called.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message feedback: {}: {}", self.setting, self.problem)
    }
}

impl Error for BuildError {}
