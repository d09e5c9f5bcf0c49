use std::collections::HashMap;

use crate::twilio::AccountSid;

/// How many requests each account has in flight, and how many it may have.
#[derive(Default)]
pub(super) struct Load {
    limit: Option<usize>,
    accounts: HashMap<Option<AccountSid>, Account>,
    peak: usize,
}

#[derive(Default)]
struct Account {
    present: usize,
    /// Of those, the ones within the limit: who is turned away holds no place.
    admitted: usize,
}

/// What a request met when it arrived.
#[derive(Clone, Copy)]
pub(super) struct Place {
    account: Option<AccountSid>,
    /// How many there were, itself included.
    pub(super) concurrent: usize,
    pub(super) admitted: bool,
}

impl Load {
    pub(super) fn set_limit(&mut self, limit: Option<usize>) {
        self.limit = limit;
    }

    /// The most that any one account ever had.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    pub(super) fn enter(&mut self, account: Option<AccountSid>) -> Place {
        let limit = self.limit.filter(|_| account.is_some());
        let now = self.accounts.entry(account).or_default();
        let admitted = limit.is_none_or(|limit| now.admitted < limit);
        now.present += 1;
        now.admitted += usize::from(admitted);
        if account.is_some() {
            self.peak = self.peak.max(now.present);
        }
        Place { account, concurrent: now.present, admitted }
    }

    pub(super) fn leave(&mut self, place: Place) {
        if let Some(now) = self.accounts.get_mut(&place.account) {
            now.present = now.present.saturating_sub(1);
            now.admitted = now.admitted.saturating_sub(usize::from(place.admitted));
        }
    }
}
