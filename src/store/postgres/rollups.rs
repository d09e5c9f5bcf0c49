//! The counters of the report.

use super::{PostgresStore, error::PostgresError};
use crate::{
    AccountSid, Timestamp,
    store::{Counts, Resolution, Rollup, RollupBatch, RollupOutcome, Segment},
};

impl PostgresStore {
    pub(super) async fn add_rollups_once(
        &self,
        batch: &RollupBatch,
    ) -> Result<RollupOutcome, PostgresError> {
        let rollups = || batch.rollups.iter();
        let resolutions: Vec<i16> =
            rollups().map(|rollup| rollup.resolution.code().into()).collect();
        let starts: Vec<i64> = rollups().map(|rollup| rollup.start.as_millis()).collect();
        let accounts: Vec<Vec<u8>> = rollups().map(|rollup| rollup.account.pack()).collect();
        let segments: Vec<&str> = rollups().map(|rollup| rollup.segment.as_str()).collect();
        let counts: Vec<String> = rollups().map(|rollup| array(&rollup.counts)).collect();
        let keep_until: Vec<i64> = rollups().map(|rollup| rollup.keep_until.as_millis()).collect();
        let rows = self
            .access
            .query(
                &self.statements.add_rollups,
                &[
                    &batch.writer,
                    &batch.sequence,
                    &batch.keep_until.as_millis(),
                    &resolutions,
                    &starts,
                    &accounts,
                    &segments,
                    &counts,
                    &keep_until,
                ],
            )
            .await?;
        let added: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(if added > 0 { RollupOutcome::Added } else { RollupOutcome::Repeated })
    }

    pub(super) async fn rollups_of(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Rollup>, PostgresError> {
        let code = i16::from(resolution.code());
        let range: [super::access::Param<'_>; 3] = [&code, &from.as_millis(), &to.as_millis()];
        let rows = self.access.query(&self.statements.rollups, &range).await?;
        let mut rollups = Vec::with_capacity(rows.len());
        for row in &rows {
            // What a later version wrote and this one cannot read is left out.
            let Some(account) = AccountSid::unpack(row.try_get(1)?) else { continue };
            let counts: Vec<i64> = row.try_get(3)?;
            rollups.push(Rollup {
                resolution,
                start: Timestamp::from_millis(row.try_get(0)?),
                account,
                segment: Segment::from_stored(row.try_get::<_, &str>(2)?),
                counts: Counts::from_codes((0..=u8::MAX).zip(counts)),
                keep_until: Timestamp::from_millis(row.try_get(4)?),
            });
        }
        Ok(rollups)
    }
}

/// An array in PostgreSQL's text form.
fn array(counts: &Counts) -> String {
    let length = counts.codes().last().map_or(0, |(code, _)| usize::from(*code) + 1);
    let mut numbers = vec!["0".to_owned(); length];
    for (code, count) in counts.codes() {
        numbers[usize::from(*code)] = count.to_string();
    }
    format!("{{{}}}", numbers.join(","))
}
