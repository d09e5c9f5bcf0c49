use std::collections::HashSet;

use super::{PostgresStore, error::PostgresError, param::millis};
use crate::store::{SettleOutcome, SettledAs, Settlement};

/// What became of an entry, as the statement reads it.
const DELIVERED: i16 = 0;
const RETRY: i16 = 1;
const DEAD: i16 = 2;

#[derive(Default)]
struct Columns {
    id: Vec<i64>,
    token: Vec<i64>,
    kind: Vec<i16>,
    wait: Vec<i64>,
    attempts: Vec<i32>,
    not_found: Vec<i32>,
    failure: Vec<Option<i16>>,
    http_status: Vec<Option<i32>>,
    code: Vec<Option<i64>>,
}

impl Columns {
    fn push(&mut self, settlement: &Settlement) {
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        self.id.push(settlement.id.get() as i64);
        self.token.push(settlement.token.get() as i64);
        self.attempts.push(count(settlement.attempts.total));
        self.not_found.push(count(settlement.attempts.not_found));
        let (kind, wait, failure) = match settlement.settled_as {
            SettledAs::Delivered => (DELIVERED, 0, None),
            SettledAs::Retry(wait) => (RETRY, millis(wait), None),
            SettledAs::Dead(failure) => (DEAD, 0, Some(failure)),
        };
        self.kind.push(kind);
        self.wait.push(wait);
        self.failure.push(failure.map(|failure| failure.kind.code().into()));
        self.http_status.push(failure.and_then(|failure| failure.status).map(i32::from));
        self.code.push(failure.and_then(|failure| failure.code).map(i64::from));
    }
}

impl PostgresStore {
    pub(super) async fn settle_once(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<SettleOutcome>, PostgresError> {
        let mut columns = Columns::default();
        let mut seen = HashSet::with_capacity(settlements.len());
        for settlement in settlements {
            // A second settlement of one lease comes too late.
            if seen.insert((settlement.id, settlement.token)) {
                columns.push(settlement);
            }
        }
        let rows = self
            .access
            .query(
                &self.statements.settle,
                &[
                    &self.now(),
                    &columns.id,
                    &columns.token,
                    &columns.kind,
                    &columns.wait,
                    &columns.attempts,
                    &columns.not_found,
                    &columns.failure,
                    &columns.http_status,
                    &columns.code,
                    &millis(self.ledger_retention),
                    &millis(self.dead_letter_retention),
                ],
            )
            .await?;
        // The entry had one of the tokens at most: the first with it settled it.
        let mut settled = HashSet::with_capacity(rows.len());
        for row in &rows {
            settled.insert((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?));
        }
        Ok(settlements
            .iter()
            .map(|of| match settled.remove(&(of.id.get() as i64, of.token.get() as i64)) {
                true => SettleOutcome::Settled,
                false => SettleOutcome::LeaseLost,
            })
            .collect())
    }
}
