//! Each budget of the crate beside its figure, measured in one run.
//!
//! ```console
//! cargo bench --bench budgets                # all of it, some 25 minutes
//! cargo bench --bench budgets -- routes      # one part, of those that PARTS names
//! cargo bench --bench budgets -- --quick     # with fewer messages
//! ```
//!
//! Times are of turns with their floor or peer, so that both meet the same moods of the
//! machine; instructions are counted by valgrind, if it is there.

mod callgrind;
mod drain;
mod heap;
mod in_process;
mod job_queue;
mod loopback;
mod numbered;
mod pending;
mod requests;
mod routes;
mod stores;
mod table;
mod turns;

#[path = "../../tests/servers/mod.rs"]
mod servers;

use std::{process::ExitCode, time::Duration};

use self::{
    in_process::Path,
    loopback::Pace,
    pending::Operation,
    routes::Way,
    table::{Budget, Table},
};

const PARTS: [&str; 8] =
    ["in-process", "routes", "drain", "queue", "sqlite", "postgres", "redis", "memory"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--part", "in-process", path, side] => in_process::part(path, side),
        ["--part", "pending", ref rest @ ..] => pending::part(rest),
        _ => {
            let is_known = |argument: &&&str| **argument == "--quick" || PARTS.contains(*argument);
            if let Some(unknown) = arguments.iter().find(|argument| !is_known(argument)) {
                eprintln!("unknown: {unknown}. Parts: {}; --quick", PARTS.join(", "));
                return ExitCode::FAILURE;
            }
            run(&arguments);
        }
    }
    ExitCode::SUCCESS
}

fn run(arguments: &[&str]) {
    let parts: Vec<_> = PARTS.into_iter().filter(|part| arguments.contains(part)).collect();
    let is_asked = |part| parts.is_empty() || parts.contains(&part);
    let mut table = Table::default();
    Table::head();
    if is_asked("in-process") {
        in_process_rows(&mut table);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if is_asked("routes") {
        runtime.block_on(route_rows(&mut table));
    }
    if is_asked("drain") {
        runtime.block_on(drain_rows(&mut table));
    }
    if is_asked("queue") {
        runtime.block_on(queue_rows(&mut table));
    }
    let is_quick = arguments.contains(&"--quick");
    let pending = if is_quick { &[10_000][..] } else { &[10_000, 1_000_000] };
    if is_asked("sqlite") {
        runtime.block_on(stores::sqlite(pending, &mut table));
    }
    if is_asked("postgres") {
        runtime.block_on(stores::postgres(pending, &mut table));
    }
    if is_asked("redis") {
        runtime.block_on(stores::redis(pending, &mut table));
    }
    if is_asked("memory") {
        memory_rows(&mut table, is_quick);
    }
    table.write();
}

fn in_process_rows(table: &mut Table) {
    let of = |path, instructions, allocations, nanoseconds: Budget, table: &mut Table| {
        let what = match path {
            Path::NotACreate => "a request that is not a create",
            Path::WithoutId => "a create without an id",
            Path::TrackedSend => "a tracked send, 100 thousand pending",
            Path::Confirm => "a confirm, in process",
        };
        let cost = in_process::measure(path);
        if let Some(counted) = cost.instructions {
            table.exact(&format!("{what}: instructions"), "", counted, instructions);
        }
        table.exact(&format!("{what}: allocations"), "", cost.allocations, allocations);
        table.varying(&format!("{what}: time"), "ns", cost.nanoseconds, nanoseconds);
    };
    use Budget::{AtMost, None};
    // One send in a hundred makes a table grow.
    of(Path::NotACreate, AtMost(150.0), AtMost(0.0), None, table);
    of(Path::WithoutId, None, AtMost(1.0), None, table);
    of(Path::TrackedSend, None, AtMost(8.0), AtMost(2_500.0), table);
    of(Path::Confirm, None, None, None, table);
}

async fn route_rows(table: &mut Table) {
    const CLICKS: usize = 2_000;
    {
        let (twilio, routes) = routes::twilio(Pace::After(Duration::ZERO)).await;
        routes.pause();
        let share = routes.share_of_throughput(Way::Layer, 20_000, &twilio).await;
        let what = "a confirm route's throughput, delivery paused, for the bare one's";
        table.varying(what, "", share, Budget::AtLeast(0.95));
        let share = routes.share_of_throughput(Way::Identity, 20_000, &twilio).await;
        table.varying("   with a layer that does nothing", "", share, Budget::None);
    }
    for (name, pace) in [
        ("in 1 ms", Pace::After(Duration::from_millis(1))),
        ("in 200 ms", Pace::After(Duration::from_millis(200))),
        ("never", Pace::Never),
    ] {
        let (twilio, routes) = routes::twilio(pace).await;
        // A fifth of what the bare route takes, or less.
        let each = Duration::from_micros(1_000);
        let (share, p99) = routes.share_of_p99(Way::Layer, CLICKS, each, &twilio).await;
        let what = format!("p99 at 1,000 clicks/s, for the bare route's; Twilio answers {name}");
        table.varying(&what, "", share, Budget::AtMost(1.1));
        table.varying("   the p99 itself", "ms", p99, Budget::None);
        if matches!(pace, Pace::Never) {
            continue;
        }
        let clicks = if name == "in 1 ms" { CLICKS } else { 100 };
        let share = routes.share_of_throughput(Way::Inline, clicks, &twilio).await;
        let what = format!("   throughput of the guide's inline POST; Twilio answers {name}");
        table.varying(&what, "", share, Budget::None);
        let share = routes.share_of_throughput(Way::Spawned, CLICKS, &twilio).await;
        let what = format!("   throughput with a spawned POST; Twilio answers {name}");
        table.varying(&what, "", share, Budget::None);
        let share = routes.share_of_throughput(Way::Layer, CLICKS, &twilio).await;
        let what = format!("   throughput with this crate, delivering; Twilio answers {name}");
        table.varying(&what, "", share, Budget::None);
    }
}

async fn drain_rows(table: &mut Table) {
    for concurrency in [8, 64] {
        let drained = drain::measure(concurrency).await;
        let what = format!("draining, {concurrency} at once, for a bare loop of the client");
        table.varying(&what, "", drained.share, Budget::AtLeast(0.9));
        let what = format!("   POSTs a second, {concurrency} at once");
        table.varying(&what, "", drained.posts_per_second, Budget::None);
        table.exact("   connections a POST", "", drained.connections, Budget::None);
    }
}

async fn queue_rows(table: &mut Table) {
    let Some(share) = job_queue::share().await else { return eprintln!("no job queue to compare") };
    let what = "PostgreSQL, confirms one by one, 16 at once, for apalis' pushes";
    table.varying(what, "", share.taken, Budget::None);
    let what = "PostgreSQL, draining, 64 at once, for apalis";
    table.varying(what, "", share.done, Budget::None);
}

fn memory_rows(table: &mut Table, is_quick: bool) {
    let all = [10_000, 100_000, 1_000_000, 2_300_000, 4_000_000, 10_000_000];
    let sizes = all.into_iter().filter(|size| !is_quick || *size <= 1_000_000);
    for pending in sizes.clone() {
        let weight = pending::weight(pending);
        let what = format!("bytes of the heap a pending message, of {pending}");
        table.exact(&what, "", weight.heap, Budget::AtMost(120.0));
        table.exact("   of the process", "", weight.resident, Budget::None);
        table.exact("   the slowest insert", "ms", weight.slowest, Budget::AtMost(5.0));
    }
    let largest = sizes.max().unwrap_or(1_000_000);
    for operation in Operation::ALL {
        let few = pending::instructions(operation, 10_000);
        let many = pending::instructions(operation, largest);
        let (Some(few), Some(many)) = (few, many) else { continue };
        let what = format!("{}: instructions beside 10 thousand", operation.name());
        table.exact(&what, "", few, Budget::None);
        let what = format!("   beside {largest}, for those");
        table.exact(&what, "", many / few, Budget::AtMost(1.2));
    }
}
