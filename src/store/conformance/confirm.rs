use std::sync::Arc;

use super::{
    Subject,
    fixture::{Fixture, sids},
    messages::{by_id, keys, sid},
    verdict::CaseResult,
};
use crate::store::{ConfirmOutcome, Resends};

pub(super) async fn confirming_twice_queues_once_even_in_one_batch<S: Subject>(
    subject: &Arc<S>,
) -> CaseResult {
    use ConfirmOutcome::{AlreadyConfirmed, Queued, Unknown};
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    let target = by_id(keys(1), Resends::Newest);
    let targets = [target.clone(), target, by_id(keys(2), Resends::Newest)];
    assert_eq!(f.confirm_all(&targets).await, [Queued, AlreadyConfirmed, Unknown]);
    assert_eq!(f.confirm(1).await, AlreadyConfirmed);
    assert_eq!(sids(&f.lease(10).await), [sid(1)]);
    f.sizes(1, 1, 0).await;
    Ok(())
}
