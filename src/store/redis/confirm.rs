use super::{
    RedisStore, RedisStoreError,
    index::Contest,
    layout::{Hash, Layout, hash},
    lookup::sid_item,
    packed::key_bytes,
    record::{ATTEMPTS, fresh, runs},
    script::Op,
};
use crate::{
    CorrelationKey,
    store::{ConfirmOutcome, ConfirmTarget, Resends, TrackedMessage},
};

impl RedisStore {
    pub(super) async fn confirm_all(
        &self,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, RedisStoreError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let is_message = |target: &ConfirmTarget| matches!(target, ConfirmTarget::Message(_));
        let mut outcomes = Vec::with_capacity(targets.len());
        // Ids and messages go in runs, so that each sees what the one before did.
        for run in targets.chunk_by(|a, b| is_message(a) == is_message(b)) {
            let messages: Vec<TrackedMessage> = run
                .iter()
                .filter_map(|target| match target {
                    ConfirmTarget::Message(message) => Some(message.clone()),
                    ConfirmTarget::Id { .. } | ConfirmTarget::Recorded { .. } => None,
                })
                .collect();
            outcomes.extend(match messages.is_empty() {
                true => self.confirm_recorded(layout, run).await?,
                false => {
                    let mut outcomes = Vec::with_capacity(messages.len());
                    for run in runs(&messages, |message| [message.sid]) {
                        outcomes.extend(self.confirm_messages(layout, run).await?);
                    }
                    outcomes
                }
            });
        }
        Ok(outcomes)
    }

    /// Confirms what is recorded.
    async fn confirm_recorded(
        &self,
        layout: &Layout,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, RedisStoreError> {
        // The newest under two keys takes two steps, all else one.
        let in_two_steps = |target: &ConfirmTarget| match target {
            ConfirmTarget::Id { keys, resends } => {
                *resends == Resends::Newest && keys.previous.is_some()
            }
            ConfirmTarget::Recorded { .. } | ConfirmTarget::Message(_) => false,
        };
        if !targets.iter().any(in_two_steps) {
            return self.confirm_run(layout, targets).await;
        }
        let keys = |target: &ConfirmTarget| match target {
            ConfirmTarget::Id { keys, .. } => keys.iter().collect(),
            ConfirmTarget::Recorded { key, .. } => vec![*key],
            ConfirmTarget::Message(_) => Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(targets.len());
        for run in runs(targets, keys) {
            outcomes.extend(self.confirm_run(layout, run).await?);
        }
        Ok(outcomes)
    }

    async fn confirm_run(
        &self,
        layout: &Layout,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, RedisStoreError> {
        let mut outcomes = vec![ConfirmOutcome::Unknown; targets.len()];
        // In a rotation, resends lie on both sides of it: all are confirmed, or
        // else the newest under the previous key if there is none under the current.
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (at, target) in targets.iter().enumerate() {
            match target {
                ConfirmTarget::Id { keys, resends: Resends::Newest } => {
                    first.push((at, key_item(b'n', keys.current)));
                    second.extend(keys.previous.map(|previous| (at, key_item(b'n', previous))));
                }
                ConfirmTarget::Id { keys, resends: Resends::All } => {
                    first.extend(keys.iter().map(|key| (at, key_item(b'a', key))));
                }
                ConfirmTarget::Recorded { key, sid } => {
                    first.push((at, sid_item(b's', hash(*key), *sid)));
                }
                ConfirmTarget::Message(_) => {}
            }
        }
        self.confirm_found(layout, first, &mut outcomes).await?;
        second.retain(|(at, _)| outcomes[*at] == ConfirmOutcome::Unknown);
        self.confirm_found(layout, second, &mut outcomes).await?;
        Ok(outcomes)
    }

    async fn confirm_found(
        &self,
        layout: &Layout,
        items: Vec<(usize, (Hash, Vec<u8>))>,
        outcomes: &mut [ConfirmOutcome],
    ) -> Result<(), RedisStoreError> {
        let (which, items): (Vec<usize>, Vec<_>) = items.into_iter().unzip();
        let items = items.into_iter().map(|(hash, item)| (layout.shard_of_hash(hash), item));
        let confirmed = self.confirm_items(layout, items).await?;
        for (at, outcome) in which.into_iter().zip(confirmed) {
            outcomes[at] = outcomes[at].most_telling(outcome.unwrap_or(ConfirmOutcome::Unknown));
        }
        Ok(())
    }

    async fn confirm_messages(
        &self,
        layout: &Layout,
        messages: &[TrackedMessage],
    ) -> Result<Vec<ConfirmOutcome>, RedisStoreError> {
        let packed = self.pack(layout, messages).await?;
        let with_letter = |(shard, item): (usize, Vec<u8>)| (shard, [&b"m"[..], &item].concat());
        let mut outcomes = vec![None; messages.len()];
        for _ in 0..ATTEMPTS {
            let claimed = self.claim_open(layout, messages, &outcomes).await?;
            let items = claimed
                .own
                .iter()
                .map(|(at, number)| (*at, with_letter(fresh(layout, &packed[*at], *number))));
            self.confirm_some(layout, items.collect(), &mut outcomes).await?;
            if !claimed.others.is_empty() {
                let contests = self.contest(layout, messages, &claimed.others).await?;
                let items = claimed.others.iter().zip(contests).map(|((at, _), contest)| {
                    let item = match contest {
                        Contest::Won(number) => with_letter(fresh(layout, &packed[*at], number)),
                        Contest::Here(hash) => {
                            let (hash, item) = sid_item(b's', hash, messages[*at].sid);
                            (layout.shard_of_hash(hash), item)
                        }
                    };
                    (*at, item)
                });
                self.confirm_some(layout, items.collect(), &mut outcomes).await?;
            }
            if outcomes.iter().all(Option::is_some) {
                break;
            }
        }
        outcomes.into_iter().collect::<Option<_>>().ok_or(RedisStoreError::contended())
    }

    /// Confirms messages; what was refused, or is gone since, stays open.
    async fn confirm_some(
        &self,
        layout: &Layout,
        items: Vec<(usize, (usize, Vec<u8>))>,
        outcomes: &mut [Option<ConfirmOutcome>],
    ) -> Result<(), RedisStoreError> {
        let (which, items): (Vec<usize>, Vec<_>) = items.into_iter().unzip();
        for (at, outcome) in which.into_iter().zip(self.confirm_items(layout, items).await?) {
            outcomes[at] = outcome.filter(|outcome| *outcome != ConfirmOutcome::Unknown);
        }
        Ok(())
    }

    /// What became of each; nothing, if a claim was taken over.
    async fn confirm_items(
        &self,
        layout: &Layout,
        items: impl IntoIterator<Item = (usize, Vec<u8>)>,
    ) -> Result<Vec<Option<ConfirmOutcome>>, RedisStoreError> {
        let replicas = self.settings.replicas;
        let waits = vec![if replicas.is_some() { b'1' } else { b'0' }];
        let batches = self.batches(layout, Op::Confirm, &[waits], items);
        let answers = self.confirming.run_and_wait(&batches.calls, replicas).await?;
        let (letters, unindexed) = batches.letters(answers)?;
        self.index_long(layout, &unindexed).await?;
        letters
            .into_iter()
            .map(|letter| match letter {
                b'Q' => Ok(Some(ConfirmOutcome::Queued)),
                b'A' => Ok(Some(ConfirmOutcome::AlreadyConfirmed)),
                b'U' => Ok(Some(ConfirmOutcome::Unknown)),
                b'R' => Ok(None),
                _ => Err(RedisStoreError::unreadable("the answer to a confirm")),
            })
            .collect()
    }
}

/// The hash of a key, for those that look for a message under it.
pub(super) fn key_item(letter: u8, key: CorrelationKey) -> (Hash, Vec<u8>) {
    let mut item = vec![letter];
    item.extend(key_bytes(key));
    (hash(key), item)
}
