use std::{collections::HashSet, hash::Hash as StdHash};

use tracing::warn;

use super::{
    RedisStore, RedisStoreError,
    index::{Claim, Contest, Indexed, line},
    layout::{Hash, Layout, hash},
    names::{Origin, numbered},
    packed,
    script::Op,
};
use crate::store::{RecordOutcome, Segment, TrackedMessage};

/// How often messages are claimed, at most, because others take their claims over.
pub(super) const ATTEMPTS: usize = 16;

/// Which messages of a batch are whose.
#[derive(Default)]
pub(super) struct Claimed {
    /// Those that may be recorded, with the numbers of their claims.
    pub(super) own: Vec<(usize, [u8; 6])>,
    /// Those that other hashes claim, too.
    pub(super) others: Vec<(usize, Vec<Hash>)>,
}

impl RedisStore {
    pub(super) async fn record_all(
        &self,
        messages: &[TrackedMessage],
    ) -> Result<Vec<RecordOutcome>, RedisStoreError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.layout().await?;
        let mut outcomes = Vec::with_capacity(messages.len());
        for run in runs(messages, |message| [message.sid]) {
            outcomes.extend(self.record_run(layout, run).await?);
        }
        Ok(outcomes)
    }

    async fn record_run(
        &self,
        layout: &Layout,
        messages: &[TrackedMessage],
    ) -> Result<Vec<RecordOutcome>, RedisStoreError> {
        let packed = self.pack(layout, messages).await?;
        let mut outcomes = vec![None; messages.len()];
        for _ in 0..ATTEMPTS {
            let claimed = self.claim_open(layout, messages, &outcomes).await?;
            self.insert(layout, &packed, &claimed.own, &mut outcomes).await?;
            if !claimed.others.is_empty() {
                let mut won = Vec::new();
                let contests = self.contest(layout, messages, &claimed.others).await?;
                for ((at, _), contest) in claimed.others.iter().zip(contests) {
                    match contest {
                        Contest::Here(_) => outcomes[*at] = Some(RecordOutcome::OtherId),
                        Contest::Won(number) => won.push((*at, number)),
                    }
                }
                self.insert(layout, &packed, &won, &mut outcomes).await?;
            }
            if outcomes.iter().all(Option::is_some) {
                break;
            }
        }
        outcomes.into_iter().collect::<Option<_>>().ok_or(RedisStoreError::contended())
    }

    /// Claims the messages that nothing is decided about yet.
    pub(super) async fn claim_open<T>(
        &self,
        layout: &Layout,
        messages: &[TrackedMessage],
        outcomes: &[Option<T>],
    ) -> Result<Claimed, RedisStoreError> {
        let open: Vec<usize> = (0..messages.len()).filter(|at| outcomes[*at].is_none()).collect();
        let lines: Vec<Indexed> = open.iter().map(|at| line(&messages[*at])).collect();
        let mut claimed = Claimed::default();
        for (at, Claim { number, mut hashes }) in
            open.into_iter().zip(self.claim(layout, &lines).await?)
        {
            let own = hash(messages[at].key);
            // Whoever claims it beside this one may not be fenced off yet.
            hashes.retain(|hash| *hash != own);
            if hashes.is_empty() {
                claimed.own.push((at, number));
            } else {
                claimed.others.push((at, hashes));
            }
        }
        Ok(claimed)
    }

    /// Records what is claimed; what is refused stays open.
    async fn insert(
        &self,
        layout: &Layout,
        packed: &[Vec<u8>],
        claimed: &[(usize, [u8; 6])],
        outcomes: &mut [Option<RecordOutcome>],
    ) -> Result<(), RedisStoreError> {
        let items = claimed.iter().map(|(at, number)| fresh(layout, &packed[*at], *number));
        let batches = self.batches(layout, Op::Record, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let (letters, _) = batches.letters(answers)?;
        for ((at, _), letter) in claimed.iter().zip(letters) {
            outcomes[*at] = match letter {
                b'I' => Some(RecordOutcome::Inserted),
                b'P' => Some(RecordOutcome::AlreadyPresent),
                b'O' => Some(RecordOutcome::OtherId),
                _ => None,
            };
        }
        Ok(())
    }

    /// The hash and the record of each message.
    pub(super) async fn pack(
        &self,
        layout: &Layout,
        messages: &[TrackedMessage],
    ) -> Result<Vec<Vec<u8>>, RedisStoreError> {
        let accounts = messages.iter().map(|message| &message.account);
        let accounts = self.names.accounts.numbers(&self.connection, layout, accounts).await?;
        let origins: Vec<Origin> = messages.iter().map(origin).collect();
        let mut places =
            self.names.places.numbers(&self.connection, layout, origins.iter()).await?;
        if places.contains(&None) {
            warn!("there are too many labels; a message is recorded without");
            let bare: Vec<Origin> = messages
                .iter()
                .map(|message| (message.base_url.clone(), Segment::default()))
                .collect();
            let bare = self.names.places.numbers(&self.connection, layout, bare.iter()).await?;
            for (place, bare) in places.iter_mut().zip(bare) {
                *place = place.or(bare);
            }
        }
        messages
            .iter()
            .zip(accounts.into_iter().zip(places))
            .map(|(message, (account, place))| {
                let (account, place) = numbered(account, place)?;
                Ok(packed::pending(message, account, place))
            })
            .collect()
    }
}

fn origin(message: &TrackedMessage) -> Origin {
    (message.base_url.clone(), message.segment.clone())
}

/// A batch in runs in which no two items share a key. Items of a run are decided
/// together, and of two that share one the second may take fewer steps than the first.
pub(super) fn runs<'a, T, K: Eq + StdHash, I: IntoIterator<Item = K>>(
    batch: &'a [T],
    keys: impl Fn(&'a T) -> I,
) -> impl Iterator<Item = &'a [T]> {
    let mut seen = HashSet::with_capacity(batch.len());
    let mut rest = batch;
    std::iter::from_fn(move || {
        seen.clear();
        let repeats = rest.iter().position(|item| {
            let repeats = keys(item).into_iter().any(|key| seen.contains(&key));
            seen.extend(keys(item));
            repeats
        });
        let (run, more) = rest.split_at(repeats.unwrap_or(rest.len()));
        rest = more;
        (!run.is_empty()).then_some(run)
    })
}

/// A message to record, of which `packed` is hash and record: its shard, and what
/// the scripts expect.
pub(super) fn fresh(layout: &Layout, packed: &[u8], number: [u8; 6]) -> (usize, Vec<u8>) {
    let (hash, record) = packed.split_at(4);
    (layout.shard_of_hash([hash[0], 0, 0, 0]), [hash, &number, record].concat())
}
