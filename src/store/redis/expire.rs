use std::{
    sync::{PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use redis::Value;
use tokio::time::Instant;
use tracing::warn;

use super::{RedisStore, RedisStoreError, answer, health, layout::Layout, script::Op};

/// What is done now and then beside expiry.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// How far the old entries of each shard were looked at.
    lines: Vec<u64>,
    /// The shard that the next expiry begins with.
    next_shard: usize,
    looked_at: Instant,
}

/// How often the names are written down again, and the server looked at.
const LOOK: Duration = Duration::from_secs(600);
/// Entries of a shard that are looked at in one go.
const LINES: u64 = 500;
/// How old they are at least: a confirm leaves an hour of the index.
const OLD: Duration = Duration::from_secs(30 * 60);

impl Upkeep {
    pub(super) const fn new(now: Instant) -> Self {
        Self { lines: Vec::new(), next_shard: 0, looked_at: now }
    }
}

impl RedisStore {
    pub(super) async fn expire_due(&self, limit: usize) -> Result<usize, RedisStoreError> {
        let layout = self.layout().await?;
        self.look_after(layout).await?;
        self.reindex_old(layout).await?;
        let mut dropped = self.drop_limited(layout, Op::Expire, limit).await?;
        if self.settings.clock.is_some() {
            dropped += self.drop_limited(layout, Op::Drop, limit - dropped).await?;
            // What is no message is dropped beside.
            for op in [Op::DropIndex, Op::DropStatuses] {
                self.on_all_shards(layout, op, &[b"1000".to_vec()]).await?;
            }
        }
        self.expired.fetch_add(dropped as u64, Relaxed);
        Ok(dropped)
    }

    /// Runs a script that drops up to as many as it is told on the shards, the
    /// next time from the shard behind the last.
    async fn drop_limited(
        &self,
        layout: &Layout,
        op: Op,
        limit: usize,
    ) -> Result<usize, RedisStoreError> {
        let shards = layout.shards();
        let share = limit / shards;
        let mut dropped = 0;
        // Those that may have more than their share; all, if there is none.
        let mut full: Vec<usize> = (0..shards).collect();
        if share > 0 {
            let args = [share.to_string().into_bytes()];
            let mut by_shard = Vec::with_capacity(shards);
            for answer in self.on_all_shards(layout, op, &args).await? {
                by_shard.push(dropped_by(&answer)?);
            }
            full.retain(|shard| by_shard[*shard] >= share);
            dropped = by_shard.iter().sum();
        }
        if !full.is_empty() {
            let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
            upkeep.next_shard = upkeep.next_shard.wrapping_add(1);
            let first = upkeep.next_shard % full.len();
            full.rotate_left(first);
        }
        for shard in full {
            if dropped >= limit {
                break;
            }
            let mut call = self.call(layout, shard, op);
            call.arg((limit - dropped).to_string());
            for answer in self.connection.run(&[call]).await? {
                dropped += dropped_by(&answer)?;
            }
        }
        Ok(dropped)
    }

    /// Lets the index of entries that wait for long last for longer. A confirm
    /// does so for those whose index is about to end; its process may have died
    /// before.
    async fn reindex_old(&self, layout: &Layout) -> Result<(), RedisStoreError> {
        let shards = layout.shards();
        let mut lines = {
            let upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
            upkeep.lines.clone()
        };
        lines.resize(shards, 0);
        loop {
            let calls: Vec<_> = (0..shards)
                .map(|shard| {
                    let mut call = self.call(layout, shard, Op::Overdue);
                    for number in [lines[shard], LINES, super::settle::span(OLD)] {
                        call.arg(number.to_string());
                    }
                    call
                })
                .collect();
            let mut old = Vec::new();
            for (line, answer) in lines.iter_mut().zip(self.connection.run(&calls).await?) {
                let mut answer = answer::array(answer)?.into_iter();
                *line = answer.next().as_ref().map_or(Ok(0), answer::number)?;
                for entry in answer {
                    old.push(answer::bytes(entry)?);
                }
            }
            self.index_long(layout, &old).await?;
            // With a clock of its own the index is dropped right behind this.
            if self.settings.clock.is_none() || lines.iter().all(|line| *line == 0) {
                break;
            }
        }
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).lines = lines;
        Ok(())
    }

    async fn look_after(&self, layout: &Layout) -> Result<(), RedisStoreError> {
        let now = Instant::now();
        {
            let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
            if now.duration_since(upkeep.looked_at) < LOOK {
                return Ok(());
            }
            upkeep.looked_at = now;
        }
        self.names.accounts.refresh(&self.connection, layout).await?;
        self.names.places.refresh(&self.connection, layout).await?;
        if let Err(error) = health::check(&self.connection).await {
            let error: &(dyn std::error::Error + 'static) = &error;
            warn!(error, "Redis is not what this store needs any more");
        }
        Ok(())
    }
}

fn dropped_by(answer: &Value) -> Result<usize, RedisStoreError> {
    Ok(usize::try_from(answer::number(answer)?).unwrap_or(usize::MAX))
}
