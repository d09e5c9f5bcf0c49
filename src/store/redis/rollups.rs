//! The counters of the report: a hash a period, with a field a segment. They lie in one
//! place, so that a batch is added as a whole.

use std::collections::BTreeMap;

use redis::Value;

use super::{RedisStore, RedisStoreError, answer, connection::Call, packed::LATEST, script::Op};
use crate::{
    AccountSid, Timestamp,
    store::{Counts, Resolution, Rollup, RollupBatch, RollupOutcome, Segment},
};

/// Periods of one call at most.
const PERIODS: usize = 32;

/// A period's number among those of its resolution.
fn number(resolution: Resolution, start: Timestamp) -> i64 {
    start.as_millis().div_euclid(resolution.period_millis())
}

fn until(at: Timestamp) -> String {
    at.as_millis().clamp(1, LATEST).to_string()
}

fn field(account: AccountSid, segment: &Segment) -> String {
    format!("{account}{}", segment.as_str())
}

/// What [`field`] wrote.
fn read_field(field: &[u8]) -> Option<(AccountSid, Segment)> {
    let (account, segment) = std::str::from_utf8(field).ok()?.split_at_checked(34)?;
    Some((account.parse().ok()?, Segment::from_stored(segment)))
}

impl RedisStore {
    pub(super) async fn add_rollups_once(
        &self,
        batch: &RollupBatch,
    ) -> Result<RollupOutcome, RedisStoreError> {
        let layout = self.layout().await?;
        let mut keys = vec![layout.rollup_writer(batch.writer)];
        let mut places = BTreeMap::new();
        let mut args = vec![batch.sequence.to_string(), until(batch.keep_until)];
        for rollup in &batch.rollups {
            let number = number(rollup.resolution, rollup.start);
            let place = *places.entry((rollup.resolution, number)).or_insert_with(|| {
                keys.push(layout.rollups(rollup.resolution, number));
                keys.len() - 1
            });
            args.push(place.to_string());
            args.push(until(rollup.keep_until));
            args.push(field(rollup.account, &rollup.segment));
            args.push(rollup.counts.to_text());
        }
        let mut call = Call::new(Op::AddRollups, &keys);
        args.into_iter().for_each(|arg| call.arg(arg));
        let answer = self.connection.run(&[call]).await?.pop().unwrap_or(Value::Nil);
        Ok(match answer::number(&answer)? {
            0 => RollupOutcome::Repeated,
            _ => RollupOutcome::Added,
        })
    }

    pub(super) async fn rollups_of(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Rollup>, RedisStoreError> {
        let layout = self.layout().await?;
        let period = resolution.period_millis();
        // The first that begins from then on, and the first that begins later.
        let first = |at: Timestamp| {
            number(resolution, at) + i64::from(at.as_millis().rem_euclid(period) > 0)
        };
        let periods: Vec<i64> = (first(from)..first(to)).collect();
        let calls: Vec<Call> = periods
            .chunks(PERIODS)
            .map(|some| {
                let keys: Vec<String> =
                    some.iter().map(|number| layout.rollups(resolution, *number)).collect();
                Call::new(Op::Rollups, &keys)
            })
            .collect();
        let mut rollups = Vec::new();
        let answers = self.connection.run(&calls).await?;
        for (some, answer) in periods.chunks(PERIODS).zip(answers) {
            for (number, fields) in some.iter().zip(answer::array(answer)?) {
                let start = Timestamp::from_millis(number.saturating_mul(period));
                let mut fields = answer::strings(fields)?.into_iter();
                while let Some((field, counts)) = fields.next().zip(fields.next()) {
                    // What a later version wrote and this one cannot read is left out.
                    let Some((account, segment)) = read_field(&field) else { continue };
                    let counts = Counts::from_text(&String::from_utf8_lossy(&counts));
                    // Redis alone knows how long: none of them is written back.
                    let keep_until = start + resolution.period();
                    rollups.push(Rollup {
                        resolution,
                        start,
                        account,
                        segment,
                        counts,
                        keep_until,
                    });
                }
            }
        }
        Ok(rollups)
    }
}
