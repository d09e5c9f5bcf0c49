//! Bad days: several processes of an application, a database and Twilio on a simulated
//! network and a simulated clock. Crashes, partitions, delays, clocks that differ and step,
//! failing and hanging stores and every answer of Twilio's follow from a seed. In the
//! evening the promises are held against what was seen.
//!
//! `SIMULATION_SEED=7` replays a day and prints all of it; `SIMULATION_SEEDS=10000` runs so
//! many, from `SIMULATION_FROM` on.

mod application;
mod database;
mod day;
mod journal;
mod net;
mod people;
mod promises;
mod twilio;
mod world;

use std::{
    env,
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    database::Defect,
    day::Day,
    journal::Event,
    world::{Evening, Wrong, live},
};

/// Days that went wrong: more are not looked for.
const ENOUGH: usize = 20;

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What went wrong on a day, with how to see it again.
fn trouble(seed: u64, wrong: Option<Wrong>) -> Result<Evening, String> {
    let again =
        format!("again with: SIMULATION_SEED={seed} cargo test --test simulation -- --nocapture");
    let day = Day::new(seed);
    let lived = std::panic::catch_unwind(|| live(day, wrong));
    let evening = match lived {
        Ok(Ok(evening)) => evening,
        Ok(Err(error)) => return Err(format!("seed {seed}: {error}\n{again}")),
        Err(_) => return Err(format!("seed {seed}: a panic\n{again}")),
    };
    let broken = promises::broken(&evening);
    if broken.is_empty() {
        return Ok(evening);
    }
    let mut text = format!("seed {seed}: {} promises were broken\n", broken.len());
    for line in broken {
        let _ = writeln!(text, "  {line}");
    }
    Err(text + &again)
}

/// What the days together had of everything.
#[derive(Default)]
struct Tally {
    sends: AtomicU64,
    acts: AtomicU64,
    reports: AtomicU64,
    faults: AtomicU64,
    crashes: AtomicU64,
    seconds: AtomicU64,
}

impl Tally {
    fn add(&self, evening: &Evening) {
        for (at, event) in evening.journal.events().iter() {
            let counter = match event {
                Event::SendBegan { .. } => &self.sends,
                Event::Acted { .. } => &self.acts,
                Event::Feedback { .. } => &self.reports,
                Event::Fault(_) => &self.faults,
                Event::Crashed(_) => &self.crashes,
                Event::Healed => {
                    self.seconds.fetch_add(at.as_secs(), Relaxed);
                    continue;
                }
                _ => continue,
            };
            counter.fetch_add(1, Relaxed);
        }
    }
}

#[test]
fn the_promises_hold_on_bad_days() {
    if let Some(seed) = setting("SIMULATION_SEED") {
        let evening = live(Day::new(seed), None).expect("a day");
        println!("{:#?}\n{}", evening.day, evening.journal.text());
        let broken = promises::broken(&evening);
        assert!(broken.is_empty(), "{broken:#?}");
        return;
    }
    let from = setting("SIMULATION_FROM").unwrap_or(0);
    let seeds = setting("SIMULATION_SEEDS").unwrap_or(50);
    let next = AtomicU64::new(from);
    let troubles = Mutex::new(Vec::new());
    let tally = Tally::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= from + seeds || troubles.lock().expect("no panic").len() >= ENOUGH {
                        break;
                    }
                    match trouble(seed, None) {
                        Ok(evening) => tally.add(&evening),
                        Err(trouble) => {
                            eprintln!("{trouble}");
                            troubles.lock().expect("no panic").push(trouble);
                        }
                    }
                }
            });
        }
    });
    let of = |counter: &AtomicU64| counter.load(Relaxed);
    println!(
        "{seeds} days from seed {from} ({} hours): {} sends, {} acts, {} feedback calls, {} changes for the worse or the better, {} crashes",
        of(&tally.seconds) / 3600,
        of(&tally.sends),
        of(&tally.acts),
        of(&tally.reports),
        of(&tally.faults),
        of(&tally.crashes)
    );
    let troubles = troubles.into_inner().expect("no panic");
    assert!(troubles.is_empty(), "{}", troubles.join("\n\n"));
}

#[test]
fn a_day_is_the_same_again() {
    for seed in [1, 4] {
        let text = || live(Day::new(seed), None).expect("a day").journal.text();
        let (first, second) = (text(), text());
        if let Some((one, other)) = first.lines().zip(second.lines()).find(|(a, b)| a != b) {
            panic!("seed {seed}: once\n{one}\nand then\n{other}");
        }
        assert_eq!(first, second);
    }
}

/// The promises are broken on some of so many days.
#[track_caller]
fn is_noticed(wrong: Wrong, how: &str) {
    let seen = (0..12).filter(|seed| seed % 7 != 3).find_map(|seed| {
        let trouble = trouble(seed, Some(wrong)).err()?;
        trouble.contains(how).then_some(trouble)
    });
    assert!(seen.is_some(), "{wrong:?} went unnoticed");
}

#[test]
fn a_confirm_that_is_lost_is_noticed() {
    is_noticed(Wrong::Database(Defect::LosesConfirms), "and not reported");
}

#[test]
fn a_report_of_nothing_is_noticed() {
    is_noticed(Wrong::Database(Defect::ConfirmsTooMuch), "nobody acted");
}

#[test]
fn leases_that_are_nothing_are_noticed() {
    is_noticed(Wrong::Database(Defect::LeasesAreNothing), "");
}

#[test]
fn what_is_not_forgotten_is_noticed() {
    is_noticed(Wrong::Database(Defect::ForgetsNothing), "after it was forgotten");
}

#[test]
fn a_send_that_is_repeated_is_noticed() {
    is_noticed(Wrong::SendsTwice, "was repeated");
}
