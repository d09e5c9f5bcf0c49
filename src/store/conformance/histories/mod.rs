//! Generated histories, in the store and in the model of it.

mod compare;
mod lease;
mod model;
mod op;
mod pair;
mod step;

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use self::{
    op::{Op, history},
    pair::Pair,
    step::Step,
};
use super::{
    Settings,
    effort::{SEED, effort, replayed_seed},
    erased::Tested,
    fixture::{Fixture, seconds},
    verdict::{CaseResult, require},
};

const LENGTH: usize = 70;
/// How long the search for a shorter history may go on.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
struct Plan {
    batch: usize,
    bounded: bool,
}

pub(super) async fn it_does_what_a_list_of_messages_would(subject: &Tested) -> CaseResult {
    let plan = Plan { batch: 4, bounded: false };
    many(subject, plan, "it_does_what_a_list_of_messages_would").await;
    Ok(())
}

pub(super) async fn it_does_at_its_bounds_what_a_list_of_messages_would(
    subject: &Tested,
) -> CaseResult {
    let capabilities = subject.capabilities();
    let bounded =
        capabilities.max_messages || capabilities.max_outbox || capabilities.max_dead_letters;
    require(bounded, "it has no bounds")?;
    let plan = Plan { batch: 1, bounded: true };
    many(subject, plan, "it_does_at_its_bounds_what_a_list_of_messages_would").await;
    Ok(())
}

async fn many(subject: &Tested, plan: Plan, case: &str) {
    let seeds = match replayed_seed() {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..effort(subject),
    };
    let step_back = subject.capabilities().exact_expiry;
    for seed in seeds {
        let ops = history(seed, LENGTH, plan.batch, step_back);
        if let Err(failed) = run(subject, plan, &ops).await {
            let (ops, failed) = shrink(subject, plan, ops, failed).await;
            panic!("{}", told(seed, case, &ops, &failed));
        }
    }
}

fn told(seed: u64, case: &str, ops: &[Op], failed: &str) -> String {
    let mut text = format!(
        "the store and a list of messages part ways: {failed}\nat the end of this history:\n"
    );
    for op in ops {
        let _ = writeln!(text, "  {op:?}");
    }
    let _ = write!(text, "to replay it: {SEED}={seed} cargo test {case}");
    text
}

/// Runs a history on a store of its own. A panic is a failure, too.
async fn run(subject: &Tested, plan: Plan, ops: &[Op]) -> Step {
    let capabilities = subject.capabilities();
    let set = |settings: &mut Settings| {
        settings.ledger_retention = seconds(100);
        settings.dead_letter_retention = seconds(200);
        if plan.bounded {
            settings.max_messages = capabilities.max_messages.then_some(7);
            settings.max_outbox = capabilities.max_outbox.then_some(4);
            settings.max_dead_letters = capabilities.max_dead_letters.then_some(1);
        }
    };
    let fixture = Fixture::with(subject, set).await;
    let ops = ops.to_vec();
    let history = tokio::spawn(async move {
        let mut pair = Pair::new(fixture).await;
        for (n, op) in ops.iter().enumerate() {
            let thorough = n % 3 == 0 || n + 1 == ops.len();
            pair.step(op, thorough).await?;
        }
        Ok(())
    });
    match history.await {
        Ok(step) => step,
        Err(error) => Err(match error.try_into_panic() {
            Ok(panic) => match panic.downcast::<String>() {
                Ok(text) => *text,
                Err(_) => "a panic".into(),
            },
            Err(error) => format!("the history's task: {error}"),
        }),
    }
}

/// Drops operations as long as what is left still fails.
async fn shrink(
    subject: &Tested,
    plan: Plan,
    mut ops: Vec<Op>,
    mut failed: String,
) -> (Vec<Op>, String) {
    let started = Instant::now();
    let mut chunk = ops.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < ops.len() && started.elapsed() < PATIENCE {
            let mut without = ops.clone();
            without.drain(at..ops.len().min(at + chunk));
            match run(subject, plan, &without).await {
                Ok(()) => at += chunk,
                Err(failure) => {
                    (ops, failed, shorter) = (without, failure, true);
                }
            }
        }
        if !shorter || chunk > 1 {
            chunk /= 2;
        }
    }
    // Then the items of what is left.
    for at in 0..ops.len() {
        let mut item = 0;
        while started.elapsed() < PATIENCE {
            let Some(without) = ops[at].without(item) else { break };
            let mut shorter = ops.clone();
            shorter[at] = without;
            match run(subject, plan, &shorter).await {
                Ok(()) => item += 1,
                Err(failure) => (ops, failed) = (shorter, failure),
            }
        }
    }
    (ops, failed)
}
