//! What a store is asked and what it answers, noted.

use tower_message_feedback::{
    CorrelationKeys, MessageSid, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, Note, NoteOutcome, RecordOutcome, ResendOutcome, Resolution,
        Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome, StatusUpdate,
        StoreCounts, StoreFuture, TrackedMessage,
    },
};

use crate::said::{noted, noted_error};

/// Another store, and a note of every call.
#[derive(Clone)]
pub(crate) struct Noting<S>(pub(crate) S);

macro_rules! noted_calls {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl<S: FeedbackStore> FeedbackStore for Noting<S> {
            $(fn $name<'a>(&'a self, $($argument: $type),*) -> StoreFuture<'a, $answer> {
                $(noted(&$argument);)*
                Box::pin(async move {
                    self.0.$name($($argument),*).await.map(noted).map_err(noted_error)
                })
            })*

            fn durability(&self) -> Durability {
                noted(self.0.durability())
            }
        }
    };
}

noted_calls! {
    fn record(messages: &'a [TrackedMessage]) -> Vec<RecordOutcome>;
    fn confirm(targets: &'a [ConfirmTarget]) -> Vec<ConfirmOutcome>;
    fn lease(request: &'a LeaseRequest) -> LeaseAnswer;
    fn settle(settlements: &'a [Settlement]) -> Vec<SettleOutcome>;
    fn expire(limit: usize) -> usize;
    fn forget(targets: &'a [ForgetTarget]) -> Vec<usize>;
    fn update_status(updates: &'a [StatusUpdate]) -> Vec<StatusOutcome>;
    fn keep_notes(notes: &'a [Note]) -> Vec<NoteOutcome>;
    fn notes(keys: &'a [CorrelationKeys]) -> Vec<Option<Vec<u8>>>;
    fn add_rollups(batch: &'a RollupBatch) -> RollupOutcome;
    fn rollups(resolution: Resolution, from: Timestamp, to: Timestamp) -> Vec<Rollup>;
    fn lookup(ids: &'a [CorrelationKeys]) -> Vec<Vec<LedgerEntry>>;
    fn by_sid(sids: &'a [MessageSid]) -> Vec<Option<LedgerEntry>>;
    fn dead_letters(after: Option<MessageSid>, limit: usize) -> Vec<LedgerEntry>;
    fn resend(sids: &'a [MessageSid]) -> Vec<ResendOutcome>;
    fn counts() -> StoreCounts;
}
