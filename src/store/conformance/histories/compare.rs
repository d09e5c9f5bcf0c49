//! What a store shows, beside what the model shows.

use std::collections::HashSet;

use super::{
    model::Message,
    op::IDS,
    pair::{Pair, all_sids, may_give_way, with_previous},
    step::{Step, ensure, same},
};
use crate::{
    MessageSid, Timestamp,
    store::{
        ForgetTarget, LedgerEntry, StoreCounts,
        conformance::fixture::{Fixture, answer},
    },
};

/// What the store dropped by itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) evicted: u64,
    pub(super) expired: u64,
    pub(super) dead_letters: u64,
}

/// Why a message may have gone in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Expire,
    Arrival,
    /// Beyond a bound on dead letters, or at leisure.
    Other,
}

impl Pair {
    /// Takes out of the model what `expire` dropped.
    pub(super) async fn expired(
        &mut self,
        f: &Fixture,
        limit: usize,
        answered: usize,
        now: Timestamp,
    ) -> Step {
        let exact = f.capabilities().exact_expiry;
        let over = self.model.messages.iter().filter(|message| message.is_over(now)).count();
        let gone = self.take_gone(Reason::Expire).await?;
        let expired = gone.iter().filter(|message| message.is_over(now)).count();
        if exact {
            same!(expired, over.min(limit), "expire: how many went of those that are over");
            ensure!(
                (expired..=gone.len()).contains(&answered),
                "expire: answered {answered} when {expired} went"
            );
            for kind in [(true, false), (false, true), (false, false)] {
                let of_kind =
                    |m: &&Message| (m.is_pending(), m.is_dead()) == kind && m.is_over(now);
                let last = gone.iter().filter(of_kind).map(|m| m.expires_at).max();
                let left = self.model.messages.iter().filter(of_kind).map(|m| m.expires_at).min();
                let in_order = last.zip(left).is_none_or(|(last, left)| last <= left);
                ensure!(in_order, "expire: one that was over later went before another");
            }
        }
        Ok(())
    }

    /// Takes out of the model what the store no longer knows, if it may have
    /// gone for `reason`.
    async fn take_gone(&mut self, reason: Reason) -> Result<Vec<Message>, String> {
        let f = self.f();
        let now = f.time.now();
        let exact = f.capabilities().exact_expiry;
        let sids: Vec<_> = self.model.messages.iter().map(|m| m.tracked.sid).collect();
        let known: HashSet<_> =
            f.by_sid(&sids).await.into_iter().flatten().map(|entry| entry.sid).collect();
        let messages = std::mem::take(&mut self.model.messages);
        let (known, gone): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| known.contains(&message.tracked.sid));
        self.model.messages = known;
        let excess = |max: Option<usize>, held: usize| {
            max.map_or(0, |max| (held + gone.len()).saturating_sub(max))
        };
        let mut to_evict = excess(f.settings.max_messages, self.model.messages.len());
        let dead = self.model.messages.iter().filter(|message| message.is_dead()).count()
            + gone.iter().filter(|message| message.is_dead()).count();
        let mut dead_to_drop =
            f.settings.max_dead_letters.map_or(0, |max| dead.saturating_sub(max));
        for message in &gone {
            let sid = message.tracked.sid;
            ensure!(!message.is_queued(), "{sid} is gone from the outbox");
            let over = match exact {
                true => reason == Reason::Expire && message.is_over(now),
                false => message.is_over(self.latest),
            };
            if over {
                self.dropped.expired += 1;
            } else if message.is_dead() && dead_to_drop > 0 {
                dead_to_drop -= 1;
                self.dropped.dead_letters += 1;
            } else if may_give_way(message) && to_evict > 0 && reason == Reason::Arrival {
                to_evict -= 1;
                self.dropped.evicted += u64::from(message.is_pending());
            } else {
                return Err(format!("{sid} is gone, which was {:?}", message.status));
            }
        }
        ensure!(
            to_evict == 0,
            "{} messages are kept at a bound of {:?}",
            self.model.messages.len(),
            f.settings.max_messages
        );
        if reason == Reason::Expire {
            ensure!(dead_to_drop == 0, "{dead_to_drop} dead letters too many are kept");
        }
        Ok(gone)
    }

    /// Compares every message.
    pub(super) async fn compare(&mut self, reason: Reason) -> Step {
        let gone = self.take_gone(reason).await?;
        let f = self.f();
        if !f.capabilities().exact_expiry {
            self.forget_what_is_over(&f, &gone).await?;
        }
        let sids = all_sids();
        let shown = f.by_sid(&sids).await;
        for (sid, shown) in sids.into_iter().zip(shown) {
            let dropped = shown.as_ref().is_some_and(|shown| shown.message_status.is_none());
            if dropped && !f.capabilities().exact_expiry {
                self.model.drop_status(sid);
            }
            let expected = self.model.message(sid).map(Message::ledger_entry);
            same!(shown, expected, "by_sid {sid}");
        }
        Ok(())
    }

    /// What may go at any time, as the store likes, goes now: or nothing could be
    /// said of it any more.
    async fn forget_what_is_over(&mut self, f: &Fixture, gone: &[Message]) -> Step {
        let over = self.model.messages.iter().filter(|message| message.is_over(self.latest));
        let over = over.chain(gone);
        let over: Vec<MessageSid> = over.map(|message| message.tracked.sid).collect();
        let targets: Vec<_> = over.iter().map(|sid| ForgetTarget::Message(*sid)).collect();
        f.forget_all(&targets).await;
        self.model.forget(&over);
        Ok(())
    }

    /// Compares everything else that can be asked.
    pub(super) async fn compare_thoroughly(&mut self) -> Step {
        let f = self.f();
        let (now, capabilities) = (f.time.now(), f.capabilities());
        let ids: Vec<_> = (0..IDS).map(|id| with_previous(id, Some((id + 1) % IDS))).collect();
        let found = answer("lookup", f.store.lookup(&ids)).await;
        same!(found.len(), ids.len(), "lookup: how many answers");
        for (keys, found) in ids.into_iter().zip(found) {
            let under = self.model.under(keys).into_iter();
            let expected: Vec<LedgerEntry> = under.map(Message::ledger_entry).collect();
            same!(found, expected, "lookup");
        }
        let dead = self.model.messages.iter().filter(|message| message.is_dead());
        let mut expected: Vec<_> = dead.map(Message::ledger_entry).collect();
        expected.sort_by_key(|entry| entry.sid);
        let mut letters: Vec<LedgerEntry> = Vec::new();
        loop {
            let after = letters.last().map(|entry| entry.sid);
            let page = answer("dead_letters", f.store.dead_letters(after, 2)).await;
            ensure!(page.len() <= 2, "dead_letters: {} in a page of 2", page.len());
            let mut last = after;
            for entry in &page {
                ensure!(last < Some(entry.sid), "dead_letters: {} comes too late", entry.sid);
                last = Some(entry.sid);
            }
            if page.is_empty() {
                break;
            }
            letters.extend(page);
        }
        same!(letters, expected, "dead_letters");

        let counts = f.counts().await;
        same!(counts.outbox, self.model.outbox.len() as u64, "outbox in counts()");
        same!(counts.dead_letters, expected.len() as u64, "dead letters in counts()");
        if capabilities.exact_message_count {
            same!(counts.messages, self.model.messages.len() as u64, "messages in counts()");
        }
        match (counts.oldest_outbox_age, self.model.oldest(now)) {
            (None, None) => {}
            // An order of arrival is an order of times but for steps back.
            (Some(age), Some((since, first)))
                if age + self.stepped_back >= since.min(first) && age <= since.max(first) => {}
            (age, expected) => {
                return Err(format!("oldest_outbox_age: {age:?} instead of {expected:?}"));
            }
        }
        self.compare_drops().await
    }

    /// Compares what all store objects together say that they dropped.
    async fn compare_drops(&self) -> Step {
        let mut said = StoreCounts::default();
        for f in &self.stores {
            let counts = f.counts().await;
            said.evicted += counts.evicted;
            said.expired += counts.expired;
            said.dead_letters_dropped += counts.dead_letters_dropped;
        }
        let capabilities = self.stores[0].capabilities();
        same!(said.evicted, self.dropped.evicted, "evicted");
        same!(said.dead_letters_dropped, self.dropped.dead_letters, "dead_letters_dropped");
        if capabilities.exact_expiry {
            same!(said.expired, self.dropped.expired, "expired");
        }
        Ok(())
    }
}
