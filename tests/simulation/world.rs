//! Runs a day.

use std::{fmt, sync::Arc, time::Duration};

use tower_message_feedback::{
    MessageSid,
    simulator::{Answer, Simulator},
    store::{FeedbackStore, LedgerEntry},
};
use turmoil::Sim;

use crate::{
    application::{self, Seat, TICK},
    database::{Database, Defect, Mood},
    day::{Change, Day, Host, OPEN},
    journal::{Event, Journal},
    people, twilio,
};

/// From the end of the last fault to an empty outbox: leases that a crash left run out
/// first, and then there are the longest waits for a retry and for a probe.
const RECOVERY: Duration = Duration::from_secs(400);
/// What waits in the memory of a process is in no outbox yet: a store that does not answer is
/// waited for ten seconds, and asked again within six and a half.
const DEFERRED: Duration = Duration::from_secs(17);
/// A client of the simulation is a host that cannot crash.
const LONGEST: Duration = Duration::from_secs(900);

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Database(Defect),
    SendsTwice,
}

/// What is known at the end of a day.
pub(crate) struct Evening {
    pub(crate) day: Arc<Day>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) simulator: Simulator,
    /// What the store has of each message of Twilio's.
    pub(crate) ledger: Vec<(MessageSid, Option<LedgerEntry>)>,
}

impl fmt::Debug for Evening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evening").field("day", &self.day).finish_non_exhaustive()
    }
}

struct World {
    sim: Sim<'static>,
    day: Arc<Day>,
    journal: Arc<Journal>,
    simulator: Simulator,
    database: Arc<Database>,
    seats: Vec<Arc<Seat>>,
}

pub(crate) fn live(day: Day, wrong: Option<Wrong>) -> Result<Evening, String> {
    // What is random in the crate and in its simulator, on this thread.
    fastrand::seed(day.seed);
    let mut world = World::new(day, wrong);
    world
        .run()
        .map_err(|error| format!("the simulation failed: {error}\n{}", world.journal.text()))?;
    Ok(world.evening())
}

impl World {
    fn new(day: Day, wrong: Option<Wrong>) -> Self {
        let day = Arc::new(day);
        let mut sim = turmoil::Builder::new()
            .rng_seed(day.seed)
            .tick_duration(TICK)
            .simulation_duration(LONGEST)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(day.max_latency)
            .tcp_capacity(4096)
            .enable_random_order()
            .build();
        let journal = Arc::<Journal>::default();
        let simulator = Simulator::new();
        simulator.accept_only(twilio::credentials());
        let defect = match wrong {
            Some(Wrong::Database(defect)) => Some(defect),
            _ => None,
        };
        let sends_twice = wrong == Some(Wrong::SendsTwice);
        let database = Database::new(day.seed, journal.clone(), defect);
        {
            let database = database.clone();
            sim.host(Host::Database.name(), move || {
                let database = database.clone();
                async move { Ok(database.serve().await?) }
            });
        }
        {
            let (simulator, journal) = (simulator.clone(), journal.clone());
            sim.host(Host::Twilio.name(), move || {
                let (simulator, journal) = (simulator.clone(), journal.clone());
                async move { Ok(twilio::run(simulator, journal).await?) }
            });
        }
        let seats: Vec<_> =
            day.skews_millis.iter().enumerate().map(|(n, skew)| Seat::new(n, *skew)).collect();
        for (number, seat) in seats.iter().enumerate() {
            let (day, seat) = (day.clone(), seat.clone());
            let (database, journal) = (database.clone(), journal.clone());
            sim.host(Host::Application(number).name(), move || {
                let (day, seat) = (day.clone(), seat.clone());
                let (database, journal) = (database.clone(), journal.clone());
                async move { Ok(application::run(day, seat, database, journal, sends_twice).await?) }
            });
        }
        {
            let day = day.clone();
            sim.client(Host::People.name(), async move {
                people::run(day).await;
                Ok(())
            });
        }
        Self { sim, day, journal, simulator, database, seats }
    }

    fn note(&self, event: Event) {
        self.journal.note_at(self.sim.elapsed(), event);
    }

    fn run(&mut self) -> turmoil::Result {
        let changes = self.day.changes.clone();
        let mut changes = changes.into_iter().peekable();
        // Faults may begin until the day closes, and some end after it.
        let mut people_are_gone = false;
        while !people_are_gone || changes.peek().is_some() || self.sim.elapsed() < OPEN {
            while let Some((_, change)) = changes.next_if(|(at, _)| *at <= self.sim.elapsed()) {
                self.note(Event::Fault(format!("{change:?}")));
                self.change(change);
            }
            people_are_gone = self.sim.step()?;
            self.start_again(false);
        }
        self.heal();
        self.note(Event::Healed);
        let healed_at = self.sim.elapsed();
        let mut is_quiet = false;
        while self.sim.elapsed() < healed_at + RECOVERY {
            self.sim.step()?;
            self.start_again(false);
            let quiet = self.day.is_shared && self.outbox() == 0;
            if quiet && self.sim.elapsed() > healed_at + DEFERRED {
                is_quiet = true;
                break;
            }
            let calm_for = self.sim.elapsed().saturating_sub(self.last_feedback().max(healed_at));
            if !self.day.is_shared && calm_for > Duration::from_secs(30) {
                break;
            }
        }
        if is_quiet {
            self.note(Event::Drained);
        }
        for seat in &self.seats {
            seat.stop(true);
        }
        let names: Vec<_> = (0..self.seats.len()).map(|n| Host::Application(n).name()).collect();
        let stopping_at = self.sim.elapsed();
        while names.iter().any(|name| self.sim.is_host_running(name.as_str())) {
            self.sim.step()?;
            if self.sim.elapsed() > stopping_at + Duration::from_secs(110) {
                return Err("an application did not shut down".into());
            }
        }
        Ok(())
    }

    /// Starts what has shut down, and at the end of the day what has crashed.
    fn start_again(&mut self, all: bool) {
        for number in 0..self.seats.len() {
            let name = Host::Application(number).name();
            if self.sim.is_host_running(name.as_str()) {
                continue;
            }
            let has_stopped = {
                let events = self.journal.events();
                let ended = events.iter().rev().find(|(_, event)| match event {
                    Event::Crashed(at) => *at == number,
                    Event::Stopped { life, .. } => life.0 == number,
                    _ => false,
                });
                matches!(ended, Some((_, Event::Stopped { .. })))
            };
            if all || has_stopped {
                self.sim.bounce(name.as_str());
            }
        }
    }

    fn heal(&mut self) {
        let applications = (0..self.seats.len()).map(Host::Application);
        let hosts: Vec<_> = applications
            .chain([Host::Database, Host::Twilio, Host::People])
            .map(Host::name)
            .collect();
        for (n, a) in hosts.iter().enumerate() {
            for b in &hosts[..n] {
                self.sim.repair(a.as_str(), b.as_str());
                self.sim.release(a.as_str(), b.as_str());
                self.sim.set_link_max_message_latency(a.as_str(), b.as_str(), self.day.max_latency);
            }
        }
        if !self.sim.is_host_running(Host::Database.name()) {
            self.sim.bounce(Host::Database.name());
        }
        self.start_again(true);
        self.database.set_mood(Mood::default());
        self.simulator.accept_only(twilio::credentials());
        self.simulator.limit_concurrency(None);
        self.simulator.answer_create(Answer::normal().always());
        self.simulator.answer_feedback(Answer::normal().always());
    }

    fn change(&mut self, change: Change) {
        let sim = &mut self.sim;
        match change {
            Change::Crash(host) => {
                // Its last words must not reach anyone.
                if let Host::Application(number) = host {
                    if !sim.is_host_running(host.name()) {
                        return;
                    }
                    self.journal.note_at(sim.elapsed(), Event::Crashed(number));
                }
                sim.crash(host.name());
            }
            Change::Start(host) => {
                if !sim.is_host_running(host.name()) {
                    sim.bounce(host.name());
                }
            }
            Change::Replace(number) => {
                if sim.is_host_running(Host::Application(number).name()) {
                    self.seats[number].stop(false);
                }
            }
            Change::Partition(a, b) => sim.partition(a.name(), b.name()),
            Change::OneWay(from, to) => sim.partition_oneway(from.name(), to.name()),
            Change::Hold(a, b) => sim.hold(a.name(), b.name()),
            Change::Repair(a, b) => sim.repair(a.name(), b.name()),
            Change::RepairOneWay(from, to) => sim.repair_oneway(from.name(), to.name()),
            Change::Release(a, b) => sim.release(a.name(), b.name()),
            Change::Latency(a, b, latency) => {
                sim.set_link_max_message_latency(a.name(), b.name(), latency);
            }
            Change::Database(mood) => self.database.set_mood(mood),
            Change::StepClock(number, millis) => self.seats[number].step_clock(millis),
            Change::StepDatabaseClock(millis) => self.database.skew(millis),
            Change::Credentials { are_taken: true } => {
                self.simulator.accept_only(twilio::credentials());
            }
            Change::Credentials { are_taken: false } => self.simulator.accept_only([]),
            Change::Throttle(limit) => self.simulator.limit_concurrency(limit),
            Change::AnswerCreates(answers) => {
                answers.into_iter().for_each(|answer| self.simulator.answer_create(answer));
            }
            Change::AnswerFeedback(answers) => {
                answers.into_iter().for_each(|answer| self.simulator.answer_feedback(answer));
            }
        }
    }

    /// When Twilio was told something for the last time: what it is to answer next, it
    /// answers to whoever asks.
    fn last_feedback(&self) -> Duration {
        let events = self.journal.events();
        let mut calls = events.iter().rev().filter(|(_, e)| matches!(e, Event::Feedback { .. }));
        calls.next().map_or(Duration::ZERO, |(at, _)| *at)
    }

    fn outbox(&self) -> u64 {
        at_once(self.database.store.counts()).outbox
    }

    fn evening(self) -> Evening {
        let sids: Vec<_> = self.simulator.messages().iter().map(|message| message.sid()).collect();
        let known = at_once(self.database.store.by_sid(&sids));
        let ledger = sids.into_iter().zip(known).collect();
        Evening { day: self.day, journal: self.journal, simulator: self.simulator, ledger }
    }
}

/// The store in memory never waits.
fn at_once<T, E: fmt::Debug>(operation: impl Future<Output = Result<T, E>>) -> T {
    let mut operation = std::pin::pin!(operation);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match operation.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(done) => done.expect("a store in memory"),
        std::task::Poll::Pending => unreachable!("a store in memory waits for nothing"),
    }
}
