//! The day.

use std::{f64::consts::TAU, time::Duration};

use crate::costs::Store;

/// How long a message waits for its action: a code is worth nothing after an hour.
pub(crate) const RETENTION: Duration = Duration::from_secs(60 * 60);
/// How long the stores keep what was delivered: their default.
const LEDGER: f64 = 24.0 * 60.0 * 60.0;
/// How many people do what the message asks.
pub(crate) const CONVERSION: f64 = 0.7;
/// Half of them take 25 s at most; two thirds take from a third of that to the threefold.
const MEDIAN: f64 = 25.0;
const SPREAD: f64 = 1.1;
/// How many POSTs Twilio takes at once, of all accounts, and how long each takes.
const IN_FLIGHT: f64 = 20_000.0;
const LATENCY: f64 = 0.1;
/// Twilio is down for an hour before the evening's peak.
const OUTAGE: std::ops::Range<usize> = 18 * 3600..19 * 3600;
/// Everybody buys tickets: three times as many for ten minutes.
const RUSH: std::ops::Range<usize> = 10 * 3600..10 * 3600 + 600;
const SECONDS: usize = 24 * 3600;
/// Longer than the day, to see it drained.
const SIMULATED: usize = 30 * 3600;

pub(crate) struct Day {
    sends: Vec<f64>,
    confirms: Vec<f64>,
}

pub(crate) struct Outcome {
    /// The share of its time that a server works at the busiest second, were nothing to wait.
    pub(crate) busiest: f64,
    /// Records and confirms that wait in the memory of the processes.
    pub(crate) most_deferred: f64,
    pub(crate) most_in_outbox: f64,
    /// How long after Twilio is back nothing waits any more.
    pub(crate) drained_after: Option<u32>,
    /// From a confirm to its POST: half, and 99 of 100, are quicker.
    pub(crate) delays: (Option<u32>, Option<u32>),
    pub(crate) bytes: f64,
}

impl Day {
    pub(crate) fn new(messages: f64) -> Self {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let shape = |second: usize| {
            let hour = second as f64 / 3600.0;
            // Quiet at four in the morning, busy in the evening.
            let wave = 1.0 - 0.6 * ((hour - 4.0) / 24.0 * TAU).cos();
            if RUSH.contains(&second) { 3.0 * wave } else { wave }
        };
        let whole: f64 = (0..SECONDS).map(shape).sum();
        let sends: Vec<f64> = (0..SECONDS)
            .map(|second| {
                let mean = messages * shape(second) / whole;
                (mean + mean.sqrt() * normal(&mut random)).max(0.0)
            })
            .collect();
        let mut confirms = vec![0.0; SIMULATED];
        let delays = delays();
        for (second, sends) in sends.iter().enumerate() {
            for (confirms, share) in confirms[second..].iter_mut().zip(&delays) {
                *confirms += CONVERSION * sends * share;
            }
        }
        Self { sends, confirms }
    }

    pub(crate) fn average(&self) -> f64 {
        self.sends.iter().sum::<f64>() / SECONDS as f64
    }

    pub(crate) fn busiest(&self) -> f64 {
        self.sends.iter().copied().fold(0.0, f64::max)
    }

    /// The day with so many servers, each of which has its share of the people.
    pub(crate) fn run(&self, store: &Store, servers: u32) -> Outcome {
        let capacity = f64::from(servers);
        let (mut busiest, mut deferred, mut outbox) = (0.0_f64, [0.0; 2], 0.0_f64);
        let (mut most_deferred, mut most_in_outbox) = (0.0_f64, 0.0_f64);
        let mut drained_at = None;
        let mut posted = Vec::with_capacity(SIMULATED);
        for second in 0..SIMULATED {
            let sends = self.sends.get(second).copied().unwrap_or(0.0);
            let confirms = self.confirms[second];
            let wanted = sends * store.record + confirms * (store.confirm + store.delivery);
            busiest = busiest.max(wanted / capacity);
            // What people wait for goes before what Twilio is told.
            let mut left = capacity;
            deferred[0] += sends;
            take(&mut deferred[0], store.record, &mut left);
            deferred[1] += confirms;
            outbox += take(&mut deferred[1], store.confirm, &mut left);
            let room = if OUTAGE.contains(&second) { 0.0 } else { IN_FLIGHT / LATENCY };
            let mut open = outbox.min(room);
            let held = outbox - open;
            let posts = take(&mut open, store.delivery, &mut left);
            outbox = held + open;
            posted.push(posts);
            most_deferred = most_deferred.max(deferred[0] + deferred[1]);
            most_in_outbox = most_in_outbox.max(outbox);
            let waits = outbox + deferred[0] + deferred[1];
            if second < OUTAGE.end || waits > confirms.max(1.0) {
                drained_at = None;
            } else if drained_at.is_none() {
                drained_at = Some((second - OUTAGE.end) as u32);
            }
        }
        let unconfirmed = self.average() * RETENTION.as_secs_f64();
        let ledger = CONVERSION * self.average() * LEDGER;
        Outcome {
            busiest,
            most_deferred,
            most_in_outbox,
            drained_after: drained_at,
            delays: (self.delay(&posted, 0.5), self.delay(&posted, 0.99)),
            bytes: (unconfirmed + ledger) * store.bytes,
        }
    }

    /// How long the confirms take until they are posted, first come, first served, of a share
    /// of them.
    fn delay(&self, posted: &[f64], share: f64) -> Option<u32> {
        let mut delays: Vec<(u32, f64)> = Vec::new();
        let (mut confirmed, mut done, mut at) = (0.0, 0.0, 0);
        for (second, confirms) in self.confirms.iter().enumerate() {
            confirmed += confirms;
            // Sums of so many fractions differ in their last digits.
            while done < confirmed * (1.0 - 1e-9) && at < posted.len() {
                done += posted[at];
                at += 1;
            }
            let is_posted = done >= confirmed * (1.0 - 1e-9);
            let delay = at.saturating_sub(second + 1) as u32;
            delays.push((if is_posted { delay } else { u32::MAX }, *confirms));
        }
        delays.sort_by_key(|(delay, _)| *delay);
        let mut seen = 0.0;
        let (delay, _) = delays.into_iter().find(|(_, confirms)| {
            seen += confirms;
            seen >= share * confirmed
        })?;
        (delay != u32::MAX).then_some(delay)
    }
}

/// Does what can be done of `waiting` in the time that is left; answers how many it was.
fn take(waiting: &mut f64, cost: f64, left: &mut f64) -> f64 {
    let done = waiting.min(*left / cost);
    *waiting -= done;
    *left -= done * cost;
    done
}

/// Which share of those who do it does it in each second after the send.
fn delays() -> Vec<f64> {
    let density = |second: usize| {
        let time = second as f64 + 0.5;
        let deviation = (time / MEDIAN).ln() / SPREAD;
        (-deviation * deviation / 2.0).exp() / time
    };
    let densities: Vec<f64> = (0..15 * 60).map(density).collect();
    let whole: f64 = densities.iter().sum();
    densities.into_iter().map(|density| density / whole).collect()
}

/// A number of the normal distribution: twelve of the even one.
fn normal(random: &mut u64) -> f64 {
    let sum: f64 = (0..12)
        .map(|_| {
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            (*random >> 11) as f64 / (1_u64 << 53) as f64
        })
        .sum();
    sum - 6.0
}
