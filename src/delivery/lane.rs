//! What the dispatcher knows of one account.

use std::time::Duration;

use super::retry::jitter;
use crate::Timestamp;

/// An account's share of the calls in flight, its pause after a 429, and its
/// circuit.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) in_flight: usize,
    /// No call before this time: Twilio asked for it.
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

const FIRST_PROBE: Duration = Duration::from_secs(10);
const LAST_PROBE: Duration = Duration::from_secs(5 * 60);

impl Lane {
    /// How many calls may begin now.
    pub(super) fn free(&self, max_in_flight: usize, now: Timestamp) -> usize {
        if self.paused_until.is_some_and(|until| until > now) {
            return 0;
        }
        match self.circuit {
            Circuit::Closed => max_in_flight.saturating_sub(self.in_flight),
            Circuit::Open { probe_at, .. } if probe_at > now => 0,
            Circuit::Open { .. } => usize::from(self.in_flight == 0),
        }
    }

    /// When calls may begin that may not begin now.
    pub(super) fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let probe_at = match self.circuit {
            Circuit::Closed => None,
            Circuit::Open { probe_at, .. } => Some(probe_at),
        };
        self.paused_until.max(probe_at).filter(|at| *at > now)
    }

    /// Nothing is known of it that an unknown account would not be given.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.in_flight == 0
            && matches!(self.circuit, Circuit::Closed)
            && self.opens_at(now).is_none()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.circuit, Circuit::Open { .. })
    }

    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Twilio answered as it does to credentials that it accepts; answers
    /// whether the circuit was open.
    pub(super) fn accepted(&mut self) -> bool {
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
        let mut lane = Lane { in_flight: 2, ..Lane::default() };
        assert_eq!(lane.free(8, now), 6);
        assert!(lane.refused(now));
        assert!(!lane.refused(now));
        lane.in_flight = 0;
        assert_eq!(lane.free(8, now), 0);
        assert!(lane.opens_at(now).unwrap() <= now + FIRST_PROBE);
        now = now + FIRST_PROBE;
        assert_eq!(lane.free(8, now), 1);
        lane.in_flight = 1;
        assert_eq!(lane.free(8, now), 0);
        lane.in_flight = 0;
        assert!(!lane.refused(now));
        assert!(lane.opens_at(now).unwrap() > now + FIRST_PROBE);
        assert!(lane.accepted());
        assert!(!lane.accepted());
        assert_eq!(lane.free(8, now), 8);
    }

    #[test]
    fn probes_become_rarer_up_to_a_bound() {
        let mut now = Timestamp::from_millis(0);
        let mut lane = Lane::default();
        for _ in 0..100 {
            lane.refused(now);
            let opens = lane.opens_at(now).unwrap();
            assert!(opens <= now + LAST_PROBE);
            now = opens;
        }
    }
}
