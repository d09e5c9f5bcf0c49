//! Writing a store that does most of what another does.

/// `FeedbackStore` for a type whose inherent methods of the same names, async
/// and over slices, do the work.
macro_rules! feedback_store {
    ($store:ty) => {
        impl tower_message_feedback::store::FeedbackStore for $store {
            fn record<'a>(
                &'a self,
                messages: &'a [TrackedMessage],
            ) -> StoreFuture<'a, Vec<RecordOutcome>> {
                Box::pin(self.record_(messages))
            }

            fn confirm<'a>(
                &'a self,
                targets: &'a [ConfirmTarget],
            ) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
                Box::pin(self.confirm_(targets))
            }

            fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
                Box::pin(self.lease_(request))
            }

            fn settle<'a>(
                &'a self,
                settlements: &'a [Settlement],
            ) -> StoreFuture<'a, Vec<SettleOutcome>> {
                Box::pin(self.settle_(settlements))
            }

            fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
                Box::pin(self.expire_(limit))
            }

            fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
                Box::pin(self.forget_(targets))
            }

            fn update_status<'a>(
                &'a self,
                updates: &'a [StatusUpdate],
            ) -> StoreFuture<'a, Vec<StatusOutcome>> {
                Box::pin(self.update_status_(updates))
            }

            fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
                Box::pin(self.keep_notes_(notes))
            }

            fn notes<'a>(
                &'a self,
                keys: &'a [CorrelationKeys],
            ) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
                Box::pin(self.notes_(keys))
            }

            fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
                Box::pin(self.add_rollups_(batch))
            }

            fn rollups(
                &self,
                resolution: Resolution,
                from: Timestamp,
                to: Timestamp,
            ) -> StoreFuture<'_, Vec<Rollup>> {
                Box::pin(self.rollups_(resolution, from, to))
            }

            fn lookup<'a>(
                &'a self,
                ids: &'a [CorrelationKeys],
            ) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
                Box::pin(self.lookup_(ids))
            }

            fn by_sid<'a>(
                &'a self,
                sids: &'a [MessageSid],
            ) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
                Box::pin(self.by_sid_(sids))
            }

            fn dead_letters(
                &self,
                after: Option<MessageSid>,
                limit: usize,
            ) -> StoreFuture<'_, Vec<LedgerEntry>> {
                Box::pin(self.dead_letters_(after, limit))
            }

            fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
                Box::pin(self.resend_(sids))
            }

            fn counts(&self) -> StoreFuture<'_, StoreCounts> {
                Box::pin(self.counts_())
            }

            fn durability(&self) -> Durability {
                self.durability_()
            }
        }
    };
}

pub(crate) use feedback_store;
