//! What the cases ask of a store: each operation for one item and for several.

use std::{panic::Location, time::Duration};

use super::{
    fixture::{Fixture, LEASE, REJECTED, answer, one},
    messages::{by_id, keys, sid},
};
use crate::{
    CorrelationKeys, MessageSid,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, ForgetTarget, LeaseAnswer, LeaseRequest, Leased,
        LedgerEntry, LedgerStatus, RecordOutcome, ResendOutcome, Resends, SettleOutcome, SettledAs,
        Settlement, StatusOutcome, StatusUpdate, StoreCounts, TrackedMessage,
    },
};

impl Fixture {
    pub(super) async fn record_all(&self, messages: &[TrackedMessage]) -> Vec<RecordOutcome> {
        let outcomes = answer("record", self.store.record(messages)).await;
        assert_eq!(outcomes.len(), messages.len(), "record: one answer for each message");
        outcomes
    }

    pub(super) async fn record(&self, message: TrackedMessage) -> RecordOutcome {
        one("record", self.record_all(&[message]).await)
    }

    /// Records what must be new.
    pub(super) async fn insert(&self, message: TrackedMessage) {
        assert_eq!(self.record(message).await, RecordOutcome::Inserted);
    }

    pub(super) async fn confirm_all(&self, targets: &[ConfirmTarget]) -> Vec<ConfirmOutcome> {
        let outcomes = answer("confirm", self.store.confirm(targets)).await;
        assert_eq!(outcomes.len(), targets.len(), "confirm: one answer for each target");
        outcomes
    }

    pub(super) async fn confirm(&self, id: u8) -> ConfirmOutcome {
        self.confirm_target(by_id(keys(id), Resends::Newest)).await
    }

    pub(super) async fn confirm_target(&self, target: ConfirmTarget) -> ConfirmOutcome {
        one("confirm", self.confirm_all(&[target]).await)
    }

    /// Records message `n` under id `n` and confirms it.
    pub(super) async fn queue(&self, owner: u64, n: u8) {
        self.insert(self.message_of(owner, n.into(), n)).await;
        assert_eq!(self.confirm(n).await, ConfirmOutcome::Queued);
    }

    /// One call.
    pub(super) async fn lease_as(&self, request: &LeaseRequest) -> LeaseAnswer {
        let answer = answer("lease", self.store.lease(request)).await;
        assert!(answer.entries.len() <= request.limit, "lease: more entries than the limit");
        for entry in &answer.entries {
            let of_account = answer.entries.iter().filter(|other| other.account == entry.account);
            let bound = request.bound(entry.account);
            assert!(of_account.count() <= bound, "lease: more entries than the account's bound");
        }
        answer
    }

    /// Up to `limit` entries that are due.
    pub(super) async fn lease(&self, limit: usize) -> LeaseAnswer {
        self.lease_fully(&LeaseRequest::new(limit, LEASE)).await
    }

    /// As many calls as it takes to lease all that the request allows: one, for
    /// a store with [`Capabilities::ordered_leases`].
    ///
    /// # Panics
    ///
    /// If the store says again and again that more is due and leases nothing.
    pub(super) async fn lease_fully(&self, request: &LeaseRequest) -> LeaseAnswer {
        let mut answer = self.lease_as(request).await;
        if self.capabilities().ordered_leases {
            return answer;
        }
        let mut in_vain = 0;
        while answer.more_due {
            let rest = left_of(request, &answer.entries);
            if rest.limit == 0 || (rest.other_accounts == 0 && rest.accounts.is_empty()) {
                break;
            }
            let more = self.lease_as(&rest).await;
            in_vain = if more.entries.is_empty() { in_vain + 1 } else { 0 };
            if in_vain > IN_VAIN {
                break;
            }
            answer.entries.extend(more.entries);
            (answer.more_due, answer.next_due) = (more.more_due, more.next_due);
        }
        answer
    }

    pub(super) async fn lease_one(&self) -> Leased {
        one("lease", self.lease(1).await.entries)
    }

    pub(super) async fn settle_all(&self, settlements: &[Settlement]) -> Vec<SettleOutcome> {
        let outcomes = answer("settle", self.store.settle(settlements)).await;
        assert_eq!(outcomes.len(), settlements.len(), "settle: one answer for each settlement");
        outcomes
    }

    pub(super) async fn settle(&self, entry: &Leased, settled_as: SettledAs) -> SettleOutcome {
        let attempts = Attempts::new(entry.attempts.total + 1, entry.attempts.not_found);
        one("settle", self.settle_all(&[Settlement::new(entry, attempts, settled_as)]).await)
    }

    /// Leases the next entry and settles it.
    pub(super) async fn settle_next(&self, settled_as: SettledAs) {
        let entry = self.lease_one().await;
        assert_eq!(self.settle(&entry, settled_as).await, SettleOutcome::Settled);
    }

    /// Leases what is due, settles message `n` and gives the others back.
    pub(super) async fn settle_message(&self, n: u64, settled_as: SettledAs) {
        let mut settled = false;
        for entry in self.lease(1000).await.entries {
            if entry.sid == sid(n) {
                assert_eq!(self.settle(&entry, settled_as).await, SettleOutcome::Settled);
                settled = true;
            } else {
                let back = SettledAs::Retry(Duration::ZERO);
                let settlement = Settlement::new(&entry, entry.attempts, back);
                assert_eq!(self.settle_all(&[settlement]).await, [SettleOutcome::Settled]);
            }
        }
        assert!(settled, "message {n} was not leased");
    }

    /// Queues message `n` under id `n` and makes a dead letter of it.
    pub(super) async fn bury(&self, n: u8) {
        self.queue(0, n).await;
        self.settle_message(n.into(), SettledAs::Dead(REJECTED)).await;
    }

    pub(super) async fn update_status(&self, updates: &[StatusUpdate]) -> Vec<StatusOutcome> {
        let outcomes = answer("update_status", self.store.update_status(updates)).await;
        assert_eq!(outcomes.len(), updates.len(), "update_status: one answer for each status");
        outcomes
    }

    pub(super) async fn expire(&self, limit: usize) -> usize {
        answer("expire", self.store.expire(limit)).await
    }

    pub(super) async fn forget_all(&self, targets: &[ForgetTarget]) -> Vec<usize> {
        let removed = answer("forget", self.store.forget(targets)).await;
        assert_eq!(removed.len(), targets.len(), "forget: one answer for each target");
        removed
    }

    pub(super) async fn forget(&self, id: u8) -> usize {
        one("forget", self.forget_all(&[ForgetTarget::Id(keys(id))]).await)
    }

    pub(super) async fn resend_all(&self, sids: &[MessageSid]) -> Vec<ResendOutcome> {
        let outcomes = answer("resend", self.store.resend(sids)).await;
        assert_eq!(outcomes.len(), sids.len(), "resend: one answer for each SID");
        outcomes
    }

    pub(super) async fn resend(&self, n: u64) -> ResendOutcome {
        one("resend", self.resend_all(&[sid(n)]).await)
    }

    pub(super) async fn lookup(&self, keys: CorrelationKeys) -> Vec<LedgerEntry> {
        one("lookup", answer("lookup", self.store.lookup(&[keys])).await)
    }

    /// The SIDs that a lookup shows, in its order.
    pub(super) async fn found(&self, keys: CorrelationKeys) -> Vec<MessageSid> {
        self.lookup(keys).await.into_iter().map(|entry| entry.sid).collect()
    }

    pub(super) async fn by_sid(&self, sids: &[MessageSid]) -> Vec<Option<LedgerEntry>> {
        let entries = answer("by_sid", self.store.by_sid(sids)).await;
        assert_eq!(entries.len(), sids.len(), "by_sid: one answer for each SID");
        entries
    }

    pub(super) async fn status(&self, n: u64) -> Option<LedgerStatus> {
        one("by_sid", self.by_sid(&[sid(n)]).await).map(|entry| entry.status)
    }

    pub(super) async fn is_known(&self, n: u64) -> bool {
        self.status(n).await.is_some()
    }

    pub(super) async fn is_queued(&self, n: u64) -> bool {
        matches!(self.status(n).await, Some(LedgerStatus::Queued { .. }))
    }

    /// Which of the numbers below 100 are known.
    pub(super) async fn known(&self) -> Vec<u64> {
        let sids: Vec<MessageSid> = (0..100).map(sid).collect();
        let entries = self.by_sid(&sids).await;
        (0..100).zip(entries).filter_map(|(n, entry)| entry.map(|_| n)).collect()
    }

    pub(super) async fn dead_letters(&self, after: Option<u64>, limit: usize) -> Vec<MessageSid> {
        let entries = answer("dead_letters", self.store.dead_letters(after.map(sid), limit)).await;
        assert!(entries.len() <= limit, "dead_letters: more than the limit");
        entries.into_iter().map(|entry| entry.sid).collect()
    }

    pub(super) async fn counts(&self) -> StoreCounts {
        answer("counts", self.store.counts()).await
    }

    /// Asserts how many messages, entries of the outbox and dead letters there
    /// are.
    #[track_caller]
    pub(super) fn sizes(
        &self,
        messages: u64,
        outbox: u64,
        dead_letters: u64,
    ) -> impl Future<Output = ()> + Send + use<'_> {
        let at = Location::caller();
        async move {
            let counts = self.counts().await;
            assert_eq!(
                (counts.outbox, counts.dead_letters),
                (outbox, dead_letters),
                "outbox and dead letters in counts(), at {at}"
            );
            if self.capabilities().exact_message_count {
                assert_eq!(counts.messages, messages, "messages in counts(), at {at}");
            }
        }
    }
}

/// How often in a row a store spread over shards may say that more is due and
/// lease nothing: it looks elsewhere each time.
const IN_VAIN: usize = 2000;

/// What a request allows beyond `entries`.
fn left_of(request: &LeaseRequest, entries: &[Leased]) -> LeaseRequest {
    let mut rest = request.clone();
    rest.limit -= entries.len();
    for entry in entries {
        if !rest.accounts.iter().any(|(account, _)| *account == entry.account) {
            rest.accounts.push((entry.account, request.other_accounts));
        }
    }
    for (account, bound) in &mut rest.accounts {
        *bound -= entries.iter().filter(|entry| entry.account == *account).count();
    }
    rest
}
