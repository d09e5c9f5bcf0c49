use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, SteadyClock, Timestamp};

/// What the simulator's dates and delays go by.
#[derive(Clone, Default)]
pub(super) struct Time {
    /// `None`: dates by the system's clock, delays by Tokio's timer, which a
    /// test may have paused.
    clock: Option<(Clock, SteadyClock)>,
}

#[derive(Clone, Copy)]
pub(super) enum Moment {
    Tokio(Instant),
    Clock(Timestamp),
}

impl Time {
    pub(super) fn of(clock: Clock) -> Self {
        let steady = SteadyClock::new(&clock);
        Self { clock: Some((clock, steady)) }
    }

    /// For dates.
    pub(super) fn date(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(|| Clock::system().now(), |(clock, _)| clock.now())
    }

    /// For delays and durations.
    pub(super) fn now(&self) -> Moment {
        match &self.clock {
            Some((_, steady)) => Moment::Clock(steady.now()),
            None => Moment::Tokio(Instant::now()),
        }
    }

    pub(super) fn after(&self, delay: Duration) -> Moment {
        match self.now() {
            // As far away as Tokio's own `sleep` puts what does not fit.
            Moment::Tokio(now) => Moment::Tokio(
                now.checked_add(delay)
                    .unwrap_or_else(|| now + Duration::from_secs(86_400 * 365 * 30)),
            ),
            Moment::Clock(now) => Moment::Clock(now + delay),
        }
    }

    pub(super) fn since(&self, start: Moment) -> Duration {
        match start {
            Moment::Tokio(start) => start.elapsed(),
            Moment::Clock(start) => match self.now() {
                Moment::Clock(now) => now.since(start),
                Moment::Tokio(_) => Duration::ZERO,
            },
        }
    }

    pub(super) async fn wait(&self, until: Moment) {
        match (until, &self.clock) {
            (Moment::Tokio(until), _) => tokio::time::sleep_until(until).await,
            (Moment::Clock(until), Some((_, steady))) => steady.sleep_until(until).await,
            (Moment::Clock(_), None) => {}
        }
    }
}
