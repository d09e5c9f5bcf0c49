//! One step of a history, and how it fails.

/// Where a store parts ways with the model.
pub(super) type Step = Result<(), String>;

/// Ends the history if the store's answer is not the expected one.
macro_rules! same {
    ($answer:expr, $expected:expr, $($what:tt)+) => {
        match (&$answer, &$expected) {
            (answer, expected) if *answer == *expected => {}
            (answer, expected) => {
                return Err(format!("{}: {answer:?} instead of {expected:?}", format_args!($($what)+)));
            }
        }
    };
}

/// Ends the history if the condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}

pub(super) use {ensure, same};
