//! What happens on a day, and how the system is set up for it: all of it follows from the seed.

use std::time::Duration;

use fastrand::Rng;
use tower_message_feedback::{Timestamp, simulator::Answer, store::Resends};

use crate::database::Mood;

/// When every day begins.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How long people come and faults begin.
pub(crate) const OPEN: Duration = Duration::from_secs(60);

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a person does with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Opens the link in it.
    Link,
    /// Types its code.
    Code,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) comes_at: Duration,
    /// Messages that are sent under the id, and when, from the first.
    pub(crate) sends: Vec<(u64, Duration)>,
    pub(crate) way: Way,
    /// How long after the first send it acts; or never.
    pub(crate) acts_after: Option<Duration>,
    /// Something that is no person opens the link before.
    pub(crate) is_previewed: bool,
    /// Types a wrong code before.
    pub(crate) is_wrong_first: bool,
    pub(crate) acts_twice: bool,
    /// Asks to be forgotten, so long after the first send.
    pub(crate) forgotten_after: Option<Duration>,
    /// The application sends without feedback.
    pub(crate) opts_out: bool,
}

/// Hosts by their names; an application's by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Application(usize),
    Database,
    Twilio,
    People,
}

impl Host {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Application(number) => format!("application-{number}"),
            Self::Database => crate::database::HOST.into(),
            Self::Twilio => crate::twilio::HOST.into(),
            Self::People => "people".into(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Crash(Host),
    Start(Host),
    /// Asks an application to shut down; it starts again when it has.
    Replace(usize),
    Partition(Host, Host),
    OneWay(Host, Host),
    Hold(Host, Host),
    Repair(Host, Host),
    RepairOneWay(Host, Host),
    Release(Host, Host),
    Latency(Host, Host, Duration),
    Database(Mood),
    StepClock(usize, i64),
    StepDatabaseClock(i64),
    /// Twilio takes nobody's credentials, or everybody's again.
    Credentials {
        are_taken: bool,
    },
    /// So many requests at once.
    Throttle(Option<usize>),
    AnswerCreates(Vec<Answer>),
    AnswerFeedback(Vec<Answer>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) max_in_flight: usize,
    pub(crate) call_timeout: Duration,
    pub(crate) store_timeout: Duration,
    pub(crate) retry_base: Duration,
    pub(crate) retry_max: Duration,
    pub(crate) max_deferred: usize,
    pub(crate) resends: Resends,
}

#[derive(Debug, Clone)]
pub(crate) struct Day {
    pub(crate) seed: u64,
    pub(crate) applications: usize,
    /// The applications share a database; or there is one, with a store in its memory.
    pub(crate) is_shared: bool,
    /// Nothing goes wrong.
    pub(crate) is_calm: bool,
    pub(crate) skews_millis: Vec<i64>,
    pub(crate) max_latency: Duration,
    pub(crate) setup: Setup,
    pub(crate) people: Vec<Person>,
    /// In the order of their times.
    pub(crate) changes: Vec<(Duration, Change)>,
}

fn between(random: &mut Rng, from: u64, to: u64) -> Duration {
    millis(random.u64(from..to))
}

impl Day {
    /// Every tenth day is calm, and on one of seven there is no database.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let is_shared = seed % 7 != 3;
        let is_calm = seed % 10 == 9;
        let applications = if is_shared { random.usize(1..=3) } else { 1 };
        let skew = if is_calm { 1 } else { *random.choice(&[1, 50, 5_000, 600_000]).expect("one") };
        let resends = if random.u8(0..4) == 0 { Resends::All } else { Resends::Newest };
        let mut day = Self {
            seed,
            applications,
            is_shared,
            is_calm,
            skews_millis: (0..applications).map(|_| random.i64(-skew..=skew)).collect(),
            max_latency: *random.choice(&[millis(1), millis(20), millis(100)]).expect("one"),
            setup: Setup {
                max_in_flight: random.usize(1..=8),
                call_timeout: between(&mut random, 2_000, 10_000),
                store_timeout: between(&mut random, 200, 1_000),
                retry_base: between(&mut random, 100, 1_000),
                retry_max: between(&mut random, 2_000, 20_000),
                max_deferred: if random.u8(0..5) == 0 { 4 } else { 10_000 },
                resends,
            },
            people: Vec::new(),
            changes: Vec::new(),
        };
        if is_calm {
            // Three ways of ten steps within the bound, or a wait for the store is no calm.
            day.max_latency = day.max_latency.min(millis(20));
            day.setup.store_timeout = millis(1_000);
        }
        let people = random.u64(8..40);
        for id in 0..people {
            let person = Self::person(id, &mut random);
            day.people.push(person);
        }
        if !is_calm {
            for _ in 0..random.usize(2..14) {
                day.fault(&mut random);
            }
        }
        day.changes.sort_by_key(|(at, _)| *at);
        day
    }

    /// The processes' clocks show about the same time all day.
    pub(crate) fn clocks_agree(&self) -> bool {
        self.skews_millis.iter().all(|skew| skew.abs() <= 50)
            && !self.changes.iter().any(|(_, change)| matches!(change, Change::StepClock(..)))
    }

    fn person(id: u64, random: &mut Rng) -> Person {
        let rarely = |random: &mut Rng| random.u8(0..8) == 0;
        let resends = if rarely(random) { random.u64(1..3) } else { 0 };
        let sends = (0..=resends).map(|n| (id * 10 + n, millis(n * random.u64(500..20_000))));
        let sends: Vec<_> = sends.collect();
        let is_eager = rarely(random);
        Person {
            id,
            comes_at: between(random, 0, 50_000),
            sends,
            way: if random.bool() { Way::Link } else { Way::Code },
            acts_after: (random.u8(0..4) != 0).then(|| match is_eager {
                // Before the application knows that the message was sent.
                true => between(random, 0, 300),
                false => between(random, 500, 15_000),
            }),
            is_previewed: rarely(random),
            is_wrong_first: rarely(random),
            acts_twice: rarely(random),
            forgotten_after: rarely(random).then(|| between(random, 1_000, 20_000)),
            opts_out: rarely(random),
        }
    }

    /// Something goes wrong, and is well again before the day closes or when it does.
    fn fault(&mut self, random: &mut Rng) {
        let begins = between(random, 0, 50_000);
        let ends = begins + between(random, 200, 25_000);
        let number = random.usize(0..self.applications);
        let application = Host::Application(number);
        let link = match random.u8(0..if self.is_shared { 3 } else { 2 }) {
            0 => (application, Host::Twilio),
            1 => (Host::People, application),
            _ => (application, Host::Database),
        };
        let (begin, end) = match random.u8(0..if self.is_shared { 16 } else { 11 }) {
            0 | 1 => (Change::Crash(application), Some(Change::Start(application))),
            2 => (Change::Replace(number), None),
            3 => (Change::Partition(link.0, link.1), Some(Change::Repair(link.0, link.1))),
            4 => {
                let (from, to) = if random.bool() { link } else { (link.1, link.0) };
                (Change::OneWay(from, to), Some(Change::RepairOneWay(from, to)))
            }
            5 => (Change::Hold(link.0, link.1), Some(Change::Release(link.0, link.1))),
            6 => {
                let slow = between(random, 50, 1_500);
                (
                    Change::Latency(link.0, link.1, slow),
                    Some(Change::Latency(link.0, link.1, self.max_latency)),
                )
            }
            7 => {
                // A store in memory has the process's own clock: what waits in it waits longer.
                let steps: &[i64] = match self.is_shared {
                    true => &[100, 3_000, 90_000, 3_600_000],
                    false => &[100, 3_000],
                };
                let step = *random.choice(steps).expect("one");
                (Change::StepClock(number, random.i64(-step..=step)), None)
            }
            8 => match random.bool() {
                true => (
                    Change::Credentials { are_taken: false },
                    Some(Change::Credentials { are_taken: true }),
                ),
                false => (Change::Throttle(Some(random.usize(0..3))), Some(Change::Throttle(None))),
            },
            9 => (Change::AnswerCreates(answers(random, false)), None),
            10 | 11 => (Change::AnswerFeedback(answers(random, true)), None),
            12 => (Change::Crash(Host::Database), Some(Change::Start(Host::Database))),
            13 => (Change::StepDatabaseClock(random.i64(-5_000..=5_000)), None),
            _ => (Change::Database(mood(random)), Some(Change::Database(Mood::default()))),
        };
        self.changes.push((begins, begin));
        self.changes.extend(end.map(|end| (ends, end)));
    }
}

fn mood(random: &mut Rng) -> Mood {
    let share = |random: &mut Rng| if random.bool() { random.f64() * 0.3 } else { 0.0 };
    let mood = Mood {
        fails: share(random),
        fails_afterwards: share(random),
        hangs: share(random),
        twice: share(random),
        takes: Duration::ZERO,
    };
    match random.u8(0..4) {
        0 => Mood { fails: 1.0, ..mood },
        1 => Mood { takes: between(random, 10, 2_000), ..mood },
        2 => Mood { hangs: 1.0, fails: 0.0, ..mood },
        _ => mood,
    }
}

/// What Twilio says next, whoever asks.
fn answers(random: &mut Rng, is_feedback: bool) -> Vec<Answer> {
    (0..random.usize(1..12))
        .map(|_| {
            let answer = match random.u8(0..if is_feedback { 13 } else { 10 }) {
                0 => Answer::status(500),
                1 => Answer::status(503),
                2 => Answer::status(429),
                3 => Answer::status(429).retry_after(between(random, 500, 5_000)),
                4 => Answer::hang(),
                5 => Answer::reset(),
                6 => Answer::truncated(),
                7 => Answer::processed_then(500),
                8 => Answer::normal().after(between(random, 100, 12_000)),
                9 => Answer::normal().with_body("not what Twilio says"),
                10 => Answer::status(404),
                11 => Answer::processed_twice(),
                _ => Answer::status(if random.u8(0..4) == 0 { 400 } else { 502 }),
            };
            answer.times(random.u32(1..4))
        })
        .collect()
}
