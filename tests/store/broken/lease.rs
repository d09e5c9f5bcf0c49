//! Faults of leases and settlements.

use std::time::Duration;

use tower_message_feedback::{
    BaseUrl,
    store::{
        Attempts, Failure, FailureKind, FeedbackStore, LeaseAnswer, LeaseRequest, LeaseToken,
        Leased, LedgerStatus, SettleOutcome, SettledAs, Settlement,
    },
};

use super::{
    fault::Fault::*,
    store::{Answer, BrokenStore},
};

impl BrokenStore {
    pub(super) async fn lease_(&self, request: &LeaseRequest) -> Answer<LeaseAnswer> {
        let early = if self.has(LeasesEarly) { Duration::from_millis(1) } else { Duration::ZERO };
        self.see_the_time(early);
        self.end_leases_by_a_step_back().await?;
        let mut wrong = request.clone();
        match self.fault {
            LeaseDoesNotHold => wrong.duration = Duration::ZERO,
            LeaseHoldsForTwiceAsLong => wrong.duration *= 2,
            LimitIsIgnored => wrong.limit += 1,
            AccountBoundsAreIgnored => {
                wrong.accounts.retain(|(_, bound)| *bound == 0);
                wrong.other_accounts = wrong.other_accounts.max(1) * 100;
            }
            BoundOfZeroIsIgnored => wrong.accounts.retain(|(_, bound)| *bound > 0),
            _ => {}
        }
        let mut answer = match self.fault {
            AccountsWaitForTheirBetters => self.lease_without_turns(&wrong).await?,
            LeaseDoesNotHold => {
                // Once each, at least.
                let mut answer = self.memory.lease(&wrong).await?;
                let mut ids = std::collections::HashSet::new();
                answer.entries.retain(|entry| ids.insert(entry.id));
                answer
            }
            _ => self.memory.lease(&wrong).await?,
        };
        let until = self.now() + request.duration;
        for entry in &mut answer.entries {
            self.seen().tokens.insert(entry.id, (entry.token, until));
            self.seen().owners.insert(entry.id, entry.sid);
            self.misreport(entry).await;
        }
        match self.fault {
            NextDueIsNone => answer.next_due = None,
            NextDueIsOff => {
                answer.next_due = answer.next_due.map(|next| next + Duration::from_millis(1));
            }
            NextDueCountsWhatIsDue if answer.more_due => answer.next_due = Some(Duration::ZERO),
            MoreDueNever => answer.more_due = false,
            MoreDueAlways => answer.more_due = true,
            EntriesComeBackwards => answer.entries.reverse(),
            _ => {}
        }
        Ok(answer)
    }

    /// What the fault makes of a leased entry.
    async fn misreport(&self, entry: &mut Leased) {
        match self.fault {
            TokenIsReused => entry.token = LeaseToken::new(entry.id.get()),
            LeaseForgetsAttempts => entry.attempts = Attempts::new(0, 0),
            LeaseCountsAnAttempt => entry.attempts.total += 1,
            AgeIsAlwaysZero => entry.age = Duration::ZERO,
            AgeRunsOnAfterAResend => {
                if let Some(LedgerStatus::Queued { confirmed_at, .. }) =
                    self.status(entry.sid).await
                {
                    entry.age = self.now().since(confirmed_at);
                }
            }
            LeasedBaseUrlIsTheDefault => entry.base_url = BaseUrl::default(),
            _ => {}
        }
    }

    /// A clock that goes back makes it think that every lease is over.
    async fn end_leases_by_a_step_back(&self) -> Answer<()> {
        if !self.has(LeaseEndsByAStepBack) {
            return Ok(());
        }
        let now = self.now();
        let (back, tokens) = {
            let mut seen = self.seen();
            let back = seen.latest.is_some_and(|latest| latest > now);
            seen.latest = Some(now);
            (back, if back { std::mem::take(&mut seen.tokens) } else { Default::default() })
        };
        for (id, (token, _)) in tokens {
            if back {
                let sid = self.seen().owners.get(&id).copied();
                let Some(sid) = sid else { continue };
                let Some(LedgerStatus::Queued { attempts, .. }) = self.status(sid).await else {
                    continue;
                };
                let settlement = settlement(id, token, attempts, SettledAs::Retry(Duration::ZERO));
                self.memory.settle(&[settlement]).await?;
            }
        }
        Ok(())
    }

    /// Serves an account to its end before the next.
    async fn lease_without_turns(&self, request: &LeaseRequest) -> Answer<LeaseAnswer> {
        let mut accounts: Vec<_> =
            self.seen().recorded.values().map(|(_, message)| message.account).collect();
        accounts.sort();
        accounts.dedup();
        let mut answer = LeaseAnswer::default();
        for account in accounts {
            let mut only = request.clone();
            only.limit -= answer.entries.len();
            only.accounts = vec![(account, request.bound(account))];
            only.other_accounts = 0;
            answer.entries.extend(self.memory.lease(&only).await?.entries);
        }
        let mut rest = request.clone();
        rest.limit = 0;
        let rest = self.memory.lease(&rest).await?;
        (answer.next_due, answer.more_due) = (rest.next_due, rest.more_due);
        Ok(answer)
    }

    pub(super) async fn settle_(&self, batch: &[Settlement]) -> Answer<Vec<SettleOutcome>> {
        self.see_the_time(Duration::ZERO);
        let mut outcomes = Vec::new();
        for (n, settlement) in batch.iter().enumerate() {
            if n > 0 && self.has(SettlesTheFirstOfABatch) {
                outcomes.push(SettleOutcome::Settled);
                continue;
            }
            outcomes.push(self.settle_one(settlement).await?);
        }
        if self.has(SettleAnswersBackwards) {
            outcomes.reverse();
        }
        Ok(outcomes)
    }

    async fn settle_one(&self, settlement: &Settlement) -> Answer<SettleOutcome> {
        use SettleOutcome::{LeaseLost, Settled};
        let mut wrong = settlement.clone();
        let held = self.seen().tokens.get(&settlement.id).copied();
        let holds = held.is_some_and(|(token, _)| token == settlement.token);
        match (self.fault, held) {
            (TokenIsIgnored | TokenIsReused, Some((token, _))) => wrong.token = token,
            (LateSettlementIsRefused, Some((_, until))) if until <= self.now() => {
                return Ok(LeaseLost);
            }
            _ => {}
        }
        match (self.fault, &mut wrong.settled_as) {
            (RetryIsDueAtOnce, SettledAs::Retry(wait)) => *wait = Duration::ZERO,
            (RetryForgetsAttempts, SettledAs::Retry(_)) => wrong.attempts = Attempts::new(0, 0),
            (RetryKeepsTheLease, SettledAs::Retry(_)) if holds => return Ok(Settled),
            (RetryDelivers, retry @ SettledAs::Retry(_)) => *retry = SettledAs::Delivered,
            (DeliveredDies, delivered @ SettledAs::Delivered) => {
                *delivered = SettledAs::Dead(Failure::new(FailureKind::GaveUp, None, None));
            }
            (DeadIsDelivered, dead @ SettledAs::Dead(_)) => *dead = SettledAs::Delivered,
            (FailuresLoseTheirCode, SettledAs::Dead(failure)) => failure.code = None,
            (FailuresAreAllRejected, SettledAs::Dead(failure)) => {
                failure.kind = FailureKind::Rejected;
            }
            _ => {}
        }
        let looked = match self.fault {
            SettleLooksBeforeItLeaps => {
                let sid = self.seen().owners.get(&settlement.id).copied();
                let queued = match sid {
                    Some(sid) => {
                        matches!(self.status(sid).await, Some(LedgerStatus::Queued { .. }))
                    }
                    None => false,
                };
                tokio::task::yield_now().await;
                queued && holds
            }
            _ => false,
        };
        let outcome = self.memory.settle(&[wrong]).await?[0];
        if self.has(DeliveredLeavesNothing) && settlement.settled_as == SettledAs::Delivered {
            let sid = self.seen().owners.get(&settlement.id).copied();
            let target = sid.map(tower_message_feedback::store::ForgetTarget::Message);
            self.memory.forget(target.as_slice()).await?;
        }
        Ok(match (self.fault, outcome) {
            (LeaseLostSaysSettled, LeaseLost) => Settled,
            (SettleLooksBeforeItLeaps, LeaseLost) if looked => Settled,
            (_, outcome) => outcome,
        })
    }
}

fn settlement(
    id: tower_message_feedback::store::EntryId,
    token: LeaseToken,
    attempts: Attempts,
    settled_as: SettledAs,
) -> Settlement {
    let sid = "SM00000000000000000000000000000000".parse().expect("a SID");
    let account = "AC00000000000000000000000000000000".parse().expect("a SID");
    let at = tower_message_feedback::Timestamp::from_millis(0);
    let entry = Leased::new(id, token, sid, account, BaseUrl::default(), at);
    Settlement::new(&entry, attempts, settled_as)
}
