use std::time::Duration;

use tracing::warn;

use super::{
    RedisStore, RedisStoreError,
    index::{Claim, Indexed},
    layout::{Hash, Layout, hash},
    names::{Origin, numbered},
    packed,
    script::Op,
};
use crate::store::{RecordOutcome, TrackedMessage};

/// How often it is looked whether the record follows another's claim, and how
/// long between two looks: a process may have died between the two.
const LOOKS: usize = 6;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// What is known of a message whose SID another hash has claimed.
pub(super) enum Elsewhere {
    /// It is recorded there.
    Here(Hash),
    /// Nothing is there, or something whose time is over.
    Nowhere,
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
        let packed = self.pack(layout, messages).await?;
        let lines: Vec<Indexed> = messages.iter().map(line).collect();
        let claims = self.claim(layout, &lines).await?;
        let mut outcomes = vec![RecordOutcome::OtherId; messages.len()];
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (at, claim) in claims.into_iter().enumerate() {
            match claim {
                Claim::Own => own.push(at),
                Claim::Others(hashes) => others.push((at, hashes)),
            }
        }
        self.insert(layout, &packed, &own, &mut outcomes).await?;
        if !others.is_empty() {
            // What nothing is known of after all.
            let found = self.elsewhere(layout, messages, &others).await?;
            let free: Vec<usize> = others
                .iter()
                .zip(found)
                .filter(|(_, found)| matches!(found, Elsewhere::Nowhere))
                .map(|((at, _), _)| *at)
                .collect();
            let lines: Vec<Indexed> = free.iter().map(|at| line(&messages[*at])).collect();
            self.take_over(layout, &lines).await?;
            self.insert(layout, &packed, &free, &mut outcomes).await?;
        }
        Ok(outcomes)
    }

    async fn insert(
        &self,
        layout: &Layout,
        packed: &[Vec<u8>],
        which: &[usize],
        outcomes: &mut [RecordOutcome],
    ) -> Result<(), RedisStoreError> {
        let items = which
            .iter()
            .map(|at| (layout.shard_of_hash([packed[*at][0], 0, 0, 0]), packed[*at].clone()));
        let batches = self.batches(layout, Op::Record, &[], items);
        let answers = self.connection.run(&batches.calls).await?;
        let answers = answers.into_iter().map(|letters| redis::Value::Array(vec![letters]));
        let (letters, _) = batches.letters(answers.collect())?;
        for (at, letter) in which.iter().zip(letters) {
            outcomes[*at] = match letter {
                b'I' => RecordOutcome::Inserted,
                b'P' => RecordOutcome::AlreadyPresent,
                _ => RecordOutcome::OtherId,
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
            let bare: Vec<Origin> =
                messages.iter().map(|message| (message.base_url.clone(), None)).collect();
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

    /// Looks for messages where others claimed them. Where nothing is at all, a
    /// claim may have been made a moment ago: waits for its record a little.
    pub(super) async fn elsewhere(
        &self,
        layout: &Layout,
        messages: &[TrackedMessage],
        others: &[(usize, Vec<Hash>)],
    ) -> Result<Vec<Elsewhere>, RedisStoreError> {
        let mut found: Vec<Option<Elsewhere>> = others.iter().map(|_| None).collect();
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            for (place, (at, hashes)) in found.iter_mut().zip(others) {
                if place.is_some() {
                    continue;
                }
                let sid = messages[*at].sid;
                if let Some((hash, _)) = self.find_sid(layout, b's', sid, hashes).await? {
                    *place = Some(Elsewhere::Here(hash));
                } else if self.find_sid(layout, b'o', sid, hashes).await?.is_some() {
                    *place = Some(Elsewhere::Nowhere);
                }
            }
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        Ok(found.into_iter().map(|found| found.unwrap_or(Elsewhere::Nowhere)).collect())
    }
}

pub(super) fn line(message: &TrackedMessage) -> Indexed {
    Indexed::new(message.sid, hash(message.key), message.expires_at)
}

fn origin(message: &TrackedMessage) -> Origin {
    (message.base_url.clone(), message.label.clone())
}
