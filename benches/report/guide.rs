//! The figures of the picture in Twilio's guide, sent through the layers.

use std::time::{Duration, Instant, SystemTime};

use tower_message_feedback::{
    ManualClock, Timestamp,
    report::ReportQuery,
    simulator::Simulator,
    store::{MemoryStore, Resolution},
};

use crate::traffic::{Expected, Plan, Town};

const PLAN: Plan = Plan::of_the_guide(1);
/// An hour each, and no more of them in memory than one.
const ROUNDS: u64 = 46;

pub(crate) async fn run() {
    let time = ManualClock::new(Resolution::Day.start(Timestamp::from(SystemTime::now())));
    let store = MemoryStore::builder().clock(time.clock()).max_messages(10_000_000).build();
    let twilio = Simulator::with_clock(time.clock());
    let set = |builder: tower_message_feedback::MessageFeedbackBuilder| {
        builder.store(store).clock(time.clock()).store_timeout(Duration::from_secs(60))
    };
    let town = Town::with_callbacks(&twilio, PLAN, set).await;
    let began = Instant::now();
    let mut at_twilio = 0;
    for round in 0..ROUNDS {
        let some = PLAN.attempted * round / ROUNDS..PLAN.attempted * (round + 1) / ROUNDS;
        town.send(some.clone()).await;
        time.advance(Duration::from_secs(20));
        town.confirm(some).await;
        assert_eq!(town.feedback.flush().await.outbox, Some(0));
        at_twilio += twilio.confirmed().len();
        twilio.clear();
        time.advance(Duration::from_secs(3580));
    }
    let took = began.elapsed();
    let query = ReportQuery::last(Duration::from_secs(3 * 24 * 3600));
    let report = town.feedback.report(query).await.expect("a report");
    let shown = Expected::in_report(&report);
    assert_eq!(shown, town.expected());
    let (attempted, ok, conversions) = shown.total;
    assert_eq!(at_twilio as u64, conversions);
    println!(
        "{attempted} attempted, {ok} status OK, {conversions} conversions, {} countries: as sent, \
         in {:.0} s, {:.0} us a message, {} of memory at most",
        shown.countries.len(),
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / attempted as f64,
        peak_memory(),
    );
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("an unknown amount", str::trim).to_owned()
}
