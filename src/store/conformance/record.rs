use std::sync::Arc;

use super::{Subject, fixture::Fixture, messages::keys, verdict::CaseResult};
use crate::store::RecordOutcome;

pub(super) async fn a_message_is_recorded_once_and_its_first_id_stays<S: Subject>(
    subject: &Arc<S>,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    assert_eq!(f.record(f.message(1, 1)).await, RecordOutcome::Inserted);
    assert_eq!(f.record(f.message(1, 1)).await, RecordOutcome::AlreadyPresent);
    assert_eq!(f.record(f.message(1, 2)).await, RecordOutcome::OtherId);
    f.sizes(1, 0, 0).await;
    assert_eq!(f.lookup(keys(1)).await.len(), 1);
    assert!(f.lookup(keys(2)).await.is_empty());
    Ok(())
}

pub(super) async fn a_batch_is_answered_item_by_item_in_its_order<S: Subject>(
    subject: &Arc<S>,
) -> CaseResult {
    use RecordOutcome::{AlreadyPresent, Inserted, OtherId};
    let f = Fixture::new(subject).await;
    f.insert(f.message(9, 9)).await;
    let batch =
        [f.message(1, 1), f.message(1, 1), f.message(1, 2), f.message(9, 9), f.message(2, 2)];
    assert_eq!(
        f.record_all(&batch).await,
        [Inserted, AlreadyPresent, OtherId, AlreadyPresent, Inserted]
    );
    Ok(())
}
