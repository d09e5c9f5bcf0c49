use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{PostgresStore, error::PostgresError};
use crate::Timestamp;

/// How often everything whose time is over is looked through, from the start.
const SWEEP: Duration = Duration::from_secs(3600);
/// How late a row may become visible that was written before a look, in ms.
const LATE: i64 = 300_000;

/// From where on expiry looks for messages that nobody confirmed.
///
/// Their index also has the confirmed ones (or a confirm would not be HOT), and
/// those that outlive it need not be passed over at each look: a message never
/// becomes unconfirmed again. If one was locked, the next look begins where this
/// one did; what another process writes too late is found by the sweep.
pub(super) struct Expiry {
    state: Mutex<State>,
    dropped: AtomicU64,
}

struct State {
    from: i64,
    next_sweep: Option<Instant>,
}

impl Expiry {
    pub(super) fn new() -> Self {
        let state = Mutex::new(State { from: i64::MIN, next_sweep: None });
        Self { state, dropped: AtomicU64::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages this store object dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Messages with these times are about to be written.
    pub(super) fn expect(&self, times: impl Iterator<Item = Timestamp>) {
        if let Some(first) = times.map(Timestamp::as_millis).min() {
            let mut state = self.state();
            state.from = state.from.min(first);
        }
    }

    fn from(&self, now: Instant) -> i64 {
        let mut state = self.state();
        if state.next_sweep.is_none_or(|at| at <= now) {
            state.from = i64::MIN;
            state.next_sweep = Some(now + SWEEP);
        }
        state.from
    }

    /// A look from `from` on found everything that was over at `now`.
    fn looked(&self, from: i64, now: i64) {
        let mut state = self.state();
        // Unless something older has been written since.
        if state.from == from {
            state.from = state.from.max(now.saturating_sub(LATE));
        }
    }
}

impl PostgresStore {
    pub(super) async fn expire_once(&self, limit: usize) -> Result<usize, PostgresError> {
        if limit == 0 {
            return Ok(0);
        }
        let from = self.expiry.from(Instant::now());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            self.access.query(&self.statements.expire, &[&self.now(), &from, &limit]).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        let (gone, all): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
        if all {
            self.expiry.looked(from, row.try_get(2)?);
        }
        self.expiry.dropped.fetch_add(gone.unsigned_abs(), Relaxed);
        Ok(usize::try_from(gone).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_through_is_passed_over_until_the_sweep() {
        let (expiry, begun) = (Expiry::new(), Instant::now());
        assert_eq!(expiry.from(begun), i64::MIN);
        expiry.looked(i64::MIN, 1_000_000);
        let soon = begun + SWEEP - Duration::from_secs(1);
        assert_eq!(expiry.from(soon), 1_000_000 - LATE);
        // Something older is written while a look is under way.
        expiry.expect([500, 400, 600].map(Timestamp::from_millis).into_iter());
        expiry.looked(1_000_000 - LATE, 2_000_000);
        assert_eq!(expiry.from(soon), 400);
        expiry.looked(400, 2_000_000);
        assert_eq!(expiry.from(soon), 2_000_000 - LATE);
        assert_eq!(expiry.from(begun + SWEEP), i64::MIN);
    }
}
