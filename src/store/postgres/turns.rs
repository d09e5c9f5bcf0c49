use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::AccountSid;

/// A look at the whole outbox that takes longer may be more than it need be.
const COSTLY: Duration = Duration::from_millis(30);
/// How many times as long as a look at known accounts it takes then.
const RATIO: u32 = 4;
/// How many such looks in a row it takes: one may be an accident.
const PROOF: u32 = 3;
/// What share of the time costly looks may take: one in so many.
const SHARE: u32 = 20;
/// However costly: what other processes queue for accounts that are not known,
/// and what was committed late, must be seen.
const LONGEST: Duration = Duration::from_secs(10);

/// Whose turn it is, and from where on an account's entries are looked for.
///
/// The entries of an account stand in an index in the order in which they
/// become due, those that are gone at its front until a vacuum takes them away.
/// A vacuum cannot while any session of the server sits in a transaction, and
/// then a look from the start becomes slower with every entry delivered. So the
/// place of the first that is not gone is remembered. If looks from the start
/// are proved costly, a lease begins there, and looks from the start only as
/// often as it can afford to.
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    /// The account that was served last: the next lease begins behind it.
    served: Option<AccountSid>,
    /// The accounts with entries, and the time the first one was due.
    known: BTreeMap<i32, i64>,
    /// What was queued since the last look began: it may not have been seen.
    queued: BTreeMap<i32, i64>,
    /// What the last look at everything took, and when it was over.
    cost: Duration,
    looked_at: Option<Instant>,
    /// How many looks in a row were out of proportion.
    costly: u32,
}

/// How to look for entries that are due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// From the start.
    All,
    /// From the start, after a look at these accounts that only takes its time.
    Probe(Vec<(i32, i64)>),
    /// At these accounts, from these times on.
    Known(Vec<(i32, i64)>),
}

impl Turns {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn served(&self) -> Option<AccountSid> {
        self.state().served
    }

    pub(super) fn serve(&self, account: AccountSid) {
        self.state().served = Some(account);
    }

    /// An entry of `account` is in the outbox, due at `due_at`, or will be once
    /// its transaction is committed.
    pub(super) fn queued(&self, account: Option<i32>, due_at: i64) {
        let mut state = self.state();
        match account {
            Some(account) => {
                let State { known, queued, .. } = &mut *state;
                for known in [known, queued] {
                    let since = known.entry(account).or_insert(due_at);
                    *since = due_at.min(*since);
                }
            }
            // Not seen yet: only a look at everything finds it.
            None => state.looked_at = None,
        }
    }

    pub(super) fn look(&self, now: Instant) -> Look {
        let mut state = self.state();
        state.queued.clear();
        let known = || state.known.iter().map(|(account, since)| (*account, *since)).collect();
        if state.cost <= COSTLY {
            return Look::All;
        }
        if state.costly < PROOF {
            return Look::Probe(known());
        }
        let pause = (state.cost * SHARE).min(LONGEST);
        match state.looked_at {
            Some(at) if now.saturating_duration_since(at) < pause => Look::Known(known()),
            _ => Look::All,
        }
    }

    /// A look at everything, that was over at `now` and took `cost`, found these
    /// accounts; a probe before it took `probe`.
    pub(super) fn looked(
        &self,
        now: Instant,
        cost: Duration,
        probe: Option<Duration>,
        found: impl Iterator<Item = (i32, Option<i64>)>,
    ) {
        let mut state = self.state();
        state.cost = cost;
        state.looked_at = Some(now);
        match probe {
            _ if cost <= COSTLY => state.costly = 0,
            Some(probe) if cost < probe * RATIO => state.costly = 0,
            Some(_) => state.costly += 1,
            None => {}
        }
        state.known.clear();
        state.learn(found);
    }

    /// A look at known accounts found where each begins.
    pub(super) fn advanced(&self, found: impl Iterator<Item = (i32, Option<i64>)>) {
        self.state().learn(found);
    }
}

impl State {
    fn learn(&mut self, found: impl Iterator<Item = (i32, Option<i64>)>) {
        for (account, since) in found {
            match since {
                Some(since) => drop(self.known.insert(account, since)),
                None => drop(self.known.remove(&account)),
            }
        }
        for (account, due_at) in &self.queued {
            let since = self.known.entry(*account).or_insert(*due_at);
            *since = (*due_at).min(*since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(100);
    const QUICK: Duration = Duration::from_millis(1);

    fn found() -> impl Iterator<Item = (i32, Option<i64>)> {
        [(1, Some(10)), (2, None)].into_iter()
    }

    #[test]
    fn only_looks_that_are_proved_costly_are_spared_and_only_for_a_while() {
        let turns = Turns::new();
        let now = Instant::now();
        assert_eq!(turns.look(now), Look::All);
        turns.looked(now, QUICK, None, found());
        assert_eq!(turns.look(now), Look::All);
        turns.looked(now, SLOW, None, found());
        // A machine that is slow at everything proves nothing.
        for _ in 0..9 {
            assert_eq!(turns.look(now), Look::Probe(vec![(1, 10)]));
            turns.looked(now, SLOW, Some(SLOW / 2), found());
        }
        for _ in 0..PROOF {
            assert_eq!(turns.look(now), Look::Probe(vec![(1, 10)]));
            turns.looked(now, SLOW, Some(QUICK), found());
        }
        turns.queued(Some(1), 7);
        turns.queued(Some(3), 8);
        assert_eq!(turns.look(now), Look::Known(vec![(1, 7), (3, 8)]));
        turns.advanced([(1, Some(12)), (3, None)].into_iter());
        // Queued while the look was under way.
        turns.queued(Some(4), 13);
        turns.advanced([(4, None)].into_iter());
        assert_eq!(turns.look(now), Look::Known(vec![(1, 12), (4, 13)]));
        turns.advanced([(4, None)].into_iter());
        assert_eq!(turns.look(now + SLOW * (SHARE - 1)), Look::Known(vec![(1, 12)]));
        assert_eq!(turns.look(now + SLOW * SHARE), Look::All);
        turns.looked(now + SLOW * SHARE, QUICK, None, found());
        assert_eq!(turns.look(now + SLOW * SHARE), Look::All);
        // What was proved is over with that.
        turns.looked(now + SLOW * SHARE, SLOW, None, found());
        assert_eq!(turns.look(now + SLOW * SHARE), Look::Probe(vec![(1, 10)]));
    }

    #[test]
    fn an_entry_of_an_unknown_account_asks_for_a_look_at_everything() {
        let turns = Turns::new();
        let now = Instant::now();
        for _ in 0..=PROOF {
            turns.looked(now, SLOW, Some(QUICK), found());
        }
        assert_eq!(turns.look(now), Look::Known(vec![(1, 10)]));
        turns.queued(None, 0);
        assert_eq!(turns.look(now), Look::All);
    }
}
