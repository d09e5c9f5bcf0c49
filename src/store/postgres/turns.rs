use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::AccountSid;

/// A look at the whole outbox that takes longer is costly.
const COSTLY: Duration = Duration::from_millis(30);
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
/// place of the first that is not gone is remembered: a lease begins there, and
/// looks from the start only as often as it can afford to.
pub(super) struct Turns(Mutex<State>);

struct State {
    /// The account that was served last: the next lease begins behind it.
    served: Option<AccountSid>,
    /// The accounts with entries, and the time the first one was due.
    known: BTreeMap<i32, i64>,
    cost: Duration,
    /// How many looks in a row were costly: one may be an accident.
    costly: u32,
    looked_at: Option<Instant>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            served: None,
            known: BTreeMap::new(),
            cost: Duration::ZERO,
            costly: 0,
            looked_at: None,
        }))
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
                let since = state.known.entry(account).or_insert(due_at);
                *since = due_at.min(*since);
            }
            // Not seen yet: only a look at everything finds it.
            None => state.looked_at = None,
        }
    }

    /// The known accounts, if a look at the whole outbox is not due.
    pub(super) fn shortcut(&self, now: Instant) -> Option<Vec<(i32, i64)>> {
        let state = self.state();
        let pause = (state.cost * SHARE).min(LONGEST);
        let afforded = state.looked_at.is_none_or(|at| now.duration_since(at) >= pause);
        if state.costly < 3 || afforded {
            return None;
        }
        Some(state.known.iter().map(|(account, since)| (*account, *since)).collect())
    }

    /// A look at the whole outbox found these accounts.
    pub(super) fn looked(&self, begun: Instant, found: impl Iterator<Item = (i32, Option<i64>)>) {
        let mut state = self.state();
        state.cost = begun.elapsed();
        state.costly = if state.cost > COSTLY { state.costly.saturating_add(1) } else { 0 };
        state.looked_at = Some(Instant::now());
        state.known = found.filter_map(|(account, since)| Some((account, since?))).collect();
    }

    /// A look at known accounts found where each begins.
    pub(super) fn advanced(&self, found: impl Iterator<Item = (i32, Option<i64>)>) {
        let mut state = self.state();
        for (account, since) in found {
            match since {
                Some(since) => {
                    state.known.insert(account, since);
                }
                None => {
                    state.known.remove(&account);
                }
            }
        }
    }
}
