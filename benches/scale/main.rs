//! A day of two billion messages, simulated second by second with the costs that
//! `cargo bench --bench budgets` measured: how many machines carry it, and what comes first.
//!
//! ```console
//! cargo bench --bench scale                        # two billion
//! cargo bench --bench scale -- --messages 2300000  # as many as the guide of Twilio's
//! ```

mod costs;
mod day;

use std::process::ExitCode;

use self::{
    costs::{Costs, Store},
    day::{Day, Outcome},
};

/// How much of its time a machine works at the busiest second, at most.
const BUSIEST: f64 = 0.7;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let messages = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(2_000_000_000),
        ["--messages", number] => number.parse().ok(),
        _ => None,
    };
    let Some(messages) = messages else {
        eprintln!("--messages NUMBER, or nothing");
        return ExitCode::FAILURE;
    };
    let costs = Costs::measured();
    println!("costs: {costs}");
    let day = Day::new(messages as f64);
    println!(
        "{:.0} messages a second on average, {:.0} at the busiest\n",
        day.average(),
        day.busiest()
    );
    println!(
        "{:<11} {:>8} {:>8} {:>12} {:>12} {:>9} {:>9} {:>9} {:>9}",
        "store", "servers", "busiest", "deferred", "outbox", "drained", "p50", "p99", "GB each"
    );
    for store in [&costs.postgres, &costs.redis] {
        let servers = enough(&day, store);
        let mut counts = vec![1, servers.div_ceil(4), servers.div_ceil(2), servers];
        counts.dedup();
        for count in counts {
            row(store, count, &day.run(store, count));
        }
    }
    let cores = day.busiest() * costs.process_seconds(day::CONVERSION) / BUSIEST;
    println!("\nprocesses: {cores:.1} cores in all at the busiest second, at {BUSIEST} of each");
    let pending = day.busiest() * day::RETENTION.as_secs_f64();
    println!(
        "in memory: {:.1} million wait at the busiest hour, {:.1} GB",
        pending / 1e6,
        pending * costs.memory_bytes / 1e9
    );
    ExitCode::SUCCESS
}

/// The fewest servers none of which is busier than it should be, while Twilio answers.
fn enough(day: &Day, store: &Store) -> u32 {
    (day.run(store, 1).busiest / BUSIEST).ceil() as u32
}

fn row(store: &Store, servers: u32, outcome: &Outcome) {
    let seconds = |time: Option<u32>| time.map_or("never".to_owned(), |time| format!("{time} s"));
    println!(
        "{:<11} {servers:>8} {:>7.0}% {:>12.0} {:>12.0} {:>9} {:>9} {:>9} {:>9.1}",
        store.name,
        outcome.busiest * 100.0,
        outcome.most_deferred,
        outcome.most_in_outbox,
        seconds(outcome.drained_after),
        seconds(outcome.delays.0),
        seconds(outcome.delays.1),
        outcome.bytes / f64::from(servers) / 1e9,
    );
}
