use crate::{
    BaseUrl,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

/// How far tracking goes. It can be switched while the application runs:
/// [`MessageFeedback::set_mode`](crate::MessageFeedback::set_mode).
///
/// What was tagged and confirmed is never lost by a switch: in
/// [`Observe`](Self::Observe) and [`Off`](Self::Off) it waits in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Sends are tagged, and feedback is posted.
    #[default]
    On,
    /// Nothing is tagged or posted. What would have been is counted and logged:
    /// [`SendStats::observed`](crate::SendStats::observed) and
    /// [`ConfirmStats::observed`](crate::ConfirmStats::observed).
    Observe,
    /// Nothing is tagged, posted or observed.
    Off,
}

impl Mode {
    fn from_u8(mode: u8) -> Self {
        match mode {
            0 => Self::On,
            1 => Self::Observe,
            _ => Self::Off,
        }
    }
}

/// The mode of the whole, and of origins that differ from it.
#[derive(Debug, Default)]
pub(crate) struct Modes {
    whole: AtomicU8,
    /// Few, and almost always none: a list.
    origins: RwLock<Vec<(Box<str>, Mode)>>,
}

impl Modes {
    pub(crate) fn set(&self, mode: Mode) {
        self.whole.store(mode as u8, Relaxed);
    }

    pub(crate) fn get(&self) -> Mode {
        Mode::from_u8(self.whole.load(Relaxed))
    }

    /// Sets the mode of an origin; `None` lets it follow the whole again.
    pub(crate) fn set_origin(&self, base_url: &BaseUrl, mode: Option<Mode>) {
        let origin = base_url.origin();
        let mut origins = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        origins.retain(|(known, _)| !known.eq_ignore_ascii_case(origin));
        if let Some(mode) = mode {
            origins.push((origin.into(), mode));
        }
    }

    /// Whether an origin is on that the whole is not.
    pub(crate) fn any_on(&self) -> bool {
        let origins = self.origins.read().unwrap_or_else(PoisonError::into_inner);
        origins.iter().any(|(_, mode)| *mode == Mode::On)
    }

    pub(crate) fn of(&self, base_url: &BaseUrl) -> Mode {
        let origins = self.origins.read().unwrap_or_else(PoisonError::into_inner);
        if origins.is_empty() {
            return self.get();
        }
        let origin = base_url.origin();
        origins
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(origin))
            .map_or_else(|| self.get(), |(_, mode)| *mode)
    }
}
