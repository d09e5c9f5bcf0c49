use std::{error::Error, fmt, sync::Arc};

/// A store that could not answer: it is unreachable, slow, or broken.
///
/// Whether the operation took place is unknown; every operation is safe to
/// repeat. A store's author wraps the driver's error, which must not hold ids
/// or keys.
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: Kind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    TimedOut,
}

impl StoreError {
    /// The store failed with `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Failed, source: Some(Arc::from(source.into())) }
    }

    pub(crate) fn timed_out() -> Self {
        Self { kind: Kind::TimedOut, source: None }
    }

    /// Whether the builder's bound on store operations ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::TimedOut
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Failed => "the feedback store failed",
            Kind::TimedOut => "the feedback store did not answer in time",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}
