//! Stores that break the contract, each in one way: the suite must notice every
//! one of them.

mod confirm;
mod fault;
mod lease;
mod questions;
mod statuses;
mod store;

use tower_message_feedback::store::{
    Durability,
    conformance::{CASES, Subject, run_case},
};

use self::{fault::Fault, store::Broken};
use crate::shared::{Shared, SharedFault};

/// The first case that notices, of those that `takes`.
async fn noticed<S: Subject>(
    subject: impl Fn() -> S,
    takes: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    for name in CASES.iter().filter(|name| takes(name)) {
        // Its panic is the point of it.
        if tokio::spawn(run_case(subject(), name)).await.is_err() {
            return Some(name);
        }
    }
    None
}

fn is_history(name: &str) -> bool {
    name.starts_with("histories::")
}

/// Only many tasks at once make these go wrong.
fn is_race(fault: Fault) -> bool {
    format!("{fault:?}").ends_with("LooksBeforeItLeaps")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_noticed_by_a_case_that_was_written_for_it() {
    let mut unnoticed = Vec::new();
    for fault in Fault::ALL {
        let takes = |name: &str| !is_history(name);
        match noticed(|| Broken(*fault), takes).await {
            Some(name) => println!("{fault:?} is noticed by {name}"),
            None => unnoticed.push(fault),
        }
    }
    assert!(unnoticed.is_empty(), "{} of {}: {unnoticed:?}", unnoticed.len(), Fault::ALL.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_one_task_alone_is_noticed_by_generated_histories() {
    let mut unnoticed = Vec::new();
    // Their batches are short, and about messages.
    let out_of_reach = |fault: Fault| {
        let name = format!("{fault:?}");
        is_race(fault)
            || name.contains("Notes")
            || name.contains("Rollups")
            || fault == Fault::RecordSkipsTheLastOfMany
    };
    for fault in Fault::ALL.iter().filter(|fault| !out_of_reach(**fault)) {
        if noticed(|| Broken(*fault), is_history).await.is_none() {
            unnoticed.push(fault);
        }
    }
    assert!(unnoticed.is_empty(), "{} of {}: {unnoticed:?}", unnoticed.len(), Fault::ALL.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_between_processes_and_transactions_are_noticed() {
    use SharedFault::*;
    let faults = [
        NothingIsShared,
        CannotBeOpenedAgain,
        LocksNothing,
        RollbackCommits,
        CommitRollsBack,
        HeldAnswersUnknown,
        AnswersFromBeforeTheWait,
    ];
    for fault in faults {
        let subject = || {
            let mut shared = Shared::new(Durability::Process);
            shared.fault = fault;
            shared
        };
        let between = |name: &str| name.starts_with("shared::") || name.starts_with("held::");
        let name = noticed(subject, between).await;
        println!("{fault:?} is noticed by {name:?}");
        assert!(name.is_some(), "{fault:?} goes unnoticed");
    }
}
