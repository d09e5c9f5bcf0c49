//! The counters of the report.

use rusqlite::params;

use super::{
    error::{Problem, SqliteError},
    names::Name,
    session::Session,
    statements::Query,
};
use crate::{
    AccountSid, Timestamp,
    store::{Counts, Resolution, Rollup, RollupBatch, RollupOutcome, Segment},
};

impl Session<'_> {
    pub(super) fn add_rollups(
        &mut self,
        batch: &RollupBatch,
    ) -> Result<RollupOutcome, SqliteError> {
        let writer = params![batch.writer, batch.sequence, batch.keep_until.as_millis()];
        if self.statements.execute(Query::AddWriter, writer)? == 0 {
            return Ok(RollupOutcome::Repeated);
        }
        for rollup in &batch.rollups {
            self.add_rollup(rollup)?;
        }
        Ok(RollupOutcome::Added)
    }

    fn add_rollup(&mut self, rollup: &Rollup) -> Result<(), SqliteError> {
        let resolution = rollup.resolution.code();
        let start = rollup.start.as_millis();
        let (account, segment) = (rollup.account.pack(), rollup.segment.as_str());
        let known: Option<String> = self.statements.row(
            Query::Rollup,
            params![resolution, start, account, segment],
            |row| Ok(row.get(0)?),
        )?;
        let mut counts = known.map_or_else(Counts::default, |known| Counts::from_text(&known));
        counts.merge(&rollup.counts);
        let keep_until = rollup.keep_until.as_millis();
        let text = counts.to_text();
        let row = params![resolution, start, account, segment, text, keep_until];
        self.statements.execute(Query::KeepRollup, row)?;
        Ok(())
    }

    pub(super) fn rollups(
        &mut self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Rollup>, SqliteError> {
        let range = params![resolution.code(), from.as_millis(), to.as_millis()];
        self.statements.rows(Query::Rollups, range, |row| {
            let account = AccountSid::from_value(row.get_ref(1)?);
            let unreadable = Problem::Unreadable { column: "tmf_rollup.account" };
            Ok(Rollup {
                resolution,
                start: Timestamp::from_millis(row.get(0)?),
                account: account.ok_or(unreadable)?,
                segment: Segment::from_stored(row.get::<_, String>(2)?),
                counts: Counts::from_text(&row.get::<_, String>(3)?),
                keep_until: Timestamp::from_millis(row.get(4)?),
            })
        })
    }
}
