use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot work. It names the setting and the fix, and
/// never a secret.
#[derive(Debug)]
pub struct BuildError {
    setting: Cow<'static, str>,
    problem: String,
}

impl BuildError {
    pub(super) fn new(setting: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }

    /// The builder's method that was, or was not, called, or the place in a
    /// `MessageFeedbackConfig` (feature `serde`): `accounts[1].auth_token`.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message feedback: {}: {}", self.setting, self.problem)
    }
}

impl Error for BuildError {}
