use crate::{
    feedback::Shared,
    guard::{Evidence, NotAnAction},
};

/// Whether a confirm may go on; one that the guard holds back counts.
pub(super) fn lets_through(shared: &Shared, evidence: &Evidence) -> bool {
    let Some(reason) = shared.settings.guard.judge(evidence) else { return true };
    shared.confirms.not_an_action.increment();
    if matches!(reason, NotAnAction::Agent { .. }) {
        shared.confirms.previewed.increment();
    }
    tracing::debug!(%reason, "not an action");
    false
}
