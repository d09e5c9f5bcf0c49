//! What the dispatcher knows of one account.

use std::{collections::VecDeque, time::Duration};

use super::{
    held::Held,
    retry::{RetryPolicy, jitter},
};
use crate::Timestamp;

/// An account's share of the calls in flight, its pause after a 429, and its
/// circuit.
///
/// The share grows by one call for as many calls as it has, and is halved when
/// Twilio says that there are too many: its limit is on the account, and the
/// application's own sends count in it, too.
pub(super) struct Lane {
    pub(super) in_flight: usize,
    /// Leased, and without a call so far: the next call begins when one ends, and the
    /// store is asked for many at once.
    pub(super) queue: VecDeque<Held>,
    /// The last lease may have left some of the account's behind.
    pub(super) has_more: bool,
    /// How long its last calls took, about.
    call_takes: Option<Duration>,
    /// When the last one ended, or the first one began.
    went_on_at: Timestamp,
    /// How many calls at once, a fraction for the growth.
    window: f64,
    max_window: f64,
    /// Throttled answers since the last good one.
    throttles: u32,
    /// The share is not halved again before this time.
    slowed_until: Option<Timestamp>,
    /// The share does not grow before this time.
    grows_at: Option<Timestamp>,
    /// No call before this time.
    paused_until: Option<Timestamp>,
    circuit: Circuit,
}

/// Opens when Twilio refuses the credentials: then one probe at a time, until
/// one of them is accepted.
#[derive(Debug, Default)]
enum Circuit {
    #[default]
    Closed,
    Open {
        probe_at: Timestamp,
        refusals: u32,
    },
}

/// How many first waits of the policy the share stays small after a throttled
/// feedback call, and after a throttled send.
pub(super) const HOLD: u32 = 4;
const LONG_HOLD: u32 = 30;
const FIRST_PROBE: Duration = Duration::from_secs(10);
const LAST_PROBE: Duration = Duration::from_secs(5 * 60);

impl Lane {
    pub(super) fn new(max_in_flight: usize) -> Self {
        let max_window = max_in_flight as f64;
        Self {
            in_flight: 0,
            queue: VecDeque::new(),
            has_more: false,
            call_takes: None,
            went_on_at: Timestamp::from_millis(0),
            window: max_window,
            max_window,
            throttles: 0,
            slowed_until: None,
            grows_at: None,
            paused_until: None,
            circuit: Circuit::Closed,
        }
    }

    /// How many calls may begin now.
    pub(super) fn free(&self, now: Timestamp) -> usize {
        if self.is_paused(now) {
            return 0;
        }
        match self.circuit {
            Circuit::Closed => (self.window as usize).saturating_sub(self.in_flight),
            Circuit::Open { probe_at, .. } if probe_at > now => 0,
            Circuit::Open { .. } => usize::from(self.in_flight == 0),
        }
    }

    /// How many entries may be leased now: for the calls that may begin, and for the queue.
    pub(super) fn room(&self, now: Timestamp) -> usize {
        if self.is_stopped(now) {
            return self.free(now);
        }
        let most = (self.window as usize).saturating_add(self.ahead(now));
        most.saturating_sub(self.in_flight + self.queue.len())
    }

    /// How many entries wait in the queue at most: as many as its calls carry in a moment,
    /// because other processes might carry them meanwhile.
    fn ahead(&self, now: Timestamp) -> usize {
        const MOMENT: Duration = Duration::from_millis(100);
        const MOST: f64 = 64.0;
        match self.call_takes {
            Some(took) if self.window >= self.max_window => {
                // Calls that hang have not ended, and count.
                let hangs = if self.in_flight > 0 { now.since(self.went_on_at) } else { took };
                let rounds = MOMENT.as_secs_f64() / took.max(hangs).as_secs_f64();
                (rounds * self.window).min(MOST) as usize
            }
            _ => 0,
        }
    }

    pub(super) fn runs_low(&self, now: Timestamp) -> bool {
        self.has_more && self.queue.len() <= self.ahead(now) / 2
    }

    /// Until when the entry waits that was queued first.
    pub(super) fn queued_until(&self) -> Option<Timestamp> {
        self.queue.front().map(|held| held.begins_by)
    }

    pub(super) fn call_began(&mut self, now: Timestamp) {
        if self.in_flight == 0 {
            self.went_on_at = now;
        }
        self.in_flight += 1;
    }

    pub(super) fn call_ended(&mut self, duration: Duration, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.went_on_at = now;
        let before = self.call_takes.unwrap_or(duration);
        self.call_takes = Some((before * 7 + duration) / 8);
    }

    /// Its queue is for others: no call begins before it opens, and then a few.
    pub(super) fn is_stopped(&self, now: Timestamp) -> bool {
        self.is_open() || self.is_paused(now)
    }

    pub(super) fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// When calls may begin that may not begin now.
    pub(super) fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let probe_at = match self.circuit {
            Circuit::Closed => None,
            Circuit::Open { probe_at, .. } => Some(probe_at),
        };
        self.paused_until.max(probe_at).filter(|at| *at > now)
    }

    /// Nothing is under way, and nothing is known of it that an unknown account would not
    /// be given.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.in_flight == 0
            && self.queue.is_empty()
            && !self.has_more
            && self.window >= self.max_window
            && matches!(self.circuit, Circuit::Closed)
            && self.opens_at(now).is_none()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.circuit, Circuit::Open { .. })
    }

    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// A feedback call was one too many on the account.
    pub(super) fn throttled(
        &mut self,
        now: Timestamp,
        asked: Option<Duration>,
        policy: &RetryPolicy,
    ) {
        if self.slow_down(now, policy, HOLD) {
            self.throttles = self.throttles.saturating_add(1);
            self.pause(now + policy.wait(self.throttles, asked));
        } else if asked.is_some() {
            self.pause(now + policy.wait(1, asked));
        }
    }

    /// A send was one too many on the account: its calls matter more than ours.
    pub(super) fn give_way(&mut self, now: Timestamp, policy: &RetryPolicy) {
        self.slow_down(now, policy, LONG_HOLD);
        self.throttles = self.throttles.saturating_add(1);
        self.pause(now + policy.wait(self.throttles, None));
    }

    /// Lessens the share, and lets it not grow for `hold` first waits of the
    /// policy; answers whether this is a new occasion. The calls that were in
    /// flight together are one: it halves the share, and each of them takes one
    /// more, so that few calls are left of many that the account has no room for.
    pub(super) fn slow_down(&mut self, now: Timestamp, policy: &RetryPolicy, hold: u32) -> bool {
        let new = self.slowed_until.is_none_or(|until| until <= now);
        let less = if new { self.window / 2.0 } else { self.window - 1.0 };
        self.window = less.max(1.0);
        if new {
            self.slowed_until = Some(now + policy.base);
        }
        self.grows_at = self.grows_at.max(Some(now + policy.base.saturating_mul(hold)));
        new
    }

    /// Twilio answered as it does to credentials that it accepts; answers
    /// whether the circuit was open.
    pub(super) fn accepted(&mut self, now: Timestamp) -> bool {
        if self.grows_at.is_none_or(|at| at <= now) {
            self.throttles = 0;
            self.window = (self.window + 1.0 / self.window).min(self.max_window);
        }
        matches!(std::mem::take(&mut self.circuit), Circuit::Open { .. })
    }

    /// Twilio refused the credentials; answers whether the circuit was closed.
    pub(super) fn refused(&mut self, now: Timestamp) -> bool {
        let (first, refusals) = match self.circuit {
            Circuit::Closed => (true, 1),
            // Calls that were in flight when it opened do not count again.
            Circuit::Open { probe_at, refusals } if probe_at > now => (false, refusals),
            Circuit::Open { refusals, .. } => (false, refusals.saturating_add(1)),
        };
        let wait = FIRST_PROBE.saturating_mul(1 << (refusals - 1).min(16)).min(LAST_PROBE);
        self.circuit = Circuit::Open { probe_at: now + wait - jitter(wait / 4), refusals };
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_circuit_lets_one_probe_through_at_a_time() {
        let mut now = Timestamp::from_millis(0);
        let mut lane = Lane::new(8);
        lane.in_flight = 2;
        assert_eq!(lane.free(now), 6);
        assert!(lane.refused(now));
        assert!(!lane.refused(now));
        lane.in_flight = 0;
        assert_eq!(lane.free(now), 0);
        assert!(lane.opens_at(now).unwrap() <= now + FIRST_PROBE);
        now = now + FIRST_PROBE;
        assert_eq!(lane.free(now), 1);
        lane.in_flight = 1;
        assert_eq!(lane.free(now), 0);
        lane.in_flight = 0;
        assert!(!lane.refused(now));
        assert!(lane.opens_at(now).unwrap() > now + FIRST_PROBE);
        assert!(lane.accepted(now));
        assert!(!lane.accepted(now));
        assert_eq!(lane.free(now), 8);
    }

    #[test]
    fn probes_become_rarer_up_to_a_bound() {
        let mut now = Timestamp::from_millis(0);
        let mut lane = Lane::new(8);
        for _ in 0..100 {
            lane.refused(now);
            let opens = lane.opens_at(now).unwrap();
            assert!(opens <= now + LAST_PROBE);
            now = opens;
        }
    }

    #[test]
    fn the_share_is_halved_once_an_occasion_and_grows_by_one_a_round() {
        let policy = RetryPolicy::default();
        let mut now = Timestamp::from_millis(0);
        let mut lane = Lane::new(8);
        for _ in 0..3 {
            lane.throttled(now, Some(Duration::from_secs(5)), &policy);
        }
        assert_eq!(lane.free(now), 0);
        now = now + Duration::from_secs(5);
        assert_eq!(lane.free(now), 2, "half of eight, less the two others");
        lane.throttled(now, None, &policy);
        lane.accepted(now);
        now = now + Duration::from_secs(3);
        assert_eq!(lane.free(now), 1, "it does not grow at once");
        for _ in 0..100 {
            lane.throttled(now, Some(Duration::from_secs(5)), &policy);
            now = now + Duration::from_secs(600);
        }
        assert_eq!(lane.free(now), 1);
        for (calls, share) in [(1, 2), (2, 2), (1, 3), (100, 8)] {
            for _ in 0..calls {
                lane.accepted(now);
            }
            assert_eq!(lane.free(now), share);
        }
        assert!(lane.is_idle(now));
    }

    #[test]
    fn an_account_that_stays_throttled_is_left_alone_for_longer_and_longer() {
        let policy = RetryPolicy::default();
        let now = Timestamp::from_millis(0);
        let longest = (0..50).map(|_| {
            let mut lane = Lane::new(8);
            let mut now = now;
            for _ in 0..12 {
                lane.throttled(now, None, &policy);
                now = lane.opens_at(now).unwrap_or(now) + policy.base;
            }
            lane.throttled(now, None, &policy);
            lane.opens_at(now).map_or(Duration::ZERO, |opens| opens.since(now))
        });
        assert!(longest.max() > Some(Duration::from_secs(60)));
    }
}
