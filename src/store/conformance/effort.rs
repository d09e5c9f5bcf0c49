use super::erased::Tested;

/// The environment variable that says how many histories are generated.
pub(super) const HISTORIES: &str = "STORE_CONFORMANCE_HISTORIES";
/// The environment variable that says which seed the first history has.
pub(super) const SEED: &str = "STORE_CONFORMANCE_SEED";

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(error) => panic!("{variable}: {error}"),
    }
}

/// How many histories to generate; the other cases that repeat go by it, too.
///
/// # Panics
///
/// If the environment variable holds no number.
pub(super) fn effort(subject: &Tested) -> u64 {
    number(HISTORIES).unwrap_or_else(|| subject.histories())
}

/// The seed to replay, if one is asked for.
///
/// # Panics
///
/// If the environment variable holds no number.
pub(super) fn replayed_seed() -> Option<u64> {
    number(SEED)
}
