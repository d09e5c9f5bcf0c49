//! The list of cases, and what runs them.

use std::{io::Write, sync::Arc, time::Duration};

use super::{Report, Subject, Verdict, confirm, record};

/// Expands to one test a case: see [`conformance`](crate::store::conformance).
///
/// The argument is an expression that makes the [`Subject`]; it is evaluated
/// for each case and may await. The tests stand in a module a group of cases
/// (`record`, `confirm`, `lease`, …), so the macro wants a module of its own.
/// They are `#[tokio::test]`s with two worker threads: the crate that calls the
/// macro needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_conformance {
    ($subject:expr $(,)?) => {
        $crate::__store_conformance_cases! { tests $subject }
    };
}

macro_rules! cases {
    ($($group:ident { $($case:ident,)* })*) => {
        cases! { @macro ($) $($group { $($case,)* })* }

        /// The names of all cases, `group::case`.
        pub const CASES: &[&str] =
            &[$($(concat!(stringify!($group), "::", stringify!($case)),)*)*];

        async fn dispatch<S: Subject>(subject: &Arc<S>, name: &str) -> super::verdict::CaseResult {
            $($(
                if name == concat!(stringify!($group), "::", stringify!($case)) {
                    return Box::pin($group::$case(subject)).await;
                }
            )*)*
            panic!("the suite has no case {name}")
        }
    };
    (@macro ($dollar:tt) $($group:ident { $($case:ident,)* })*) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __store_conformance_cases {
            (tests $dollar subject:expr) => {
                $(
                    mod $group {
                        #[allow(unused_imports)]
                        use super::*;

                        $(
                            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                            async fn $case() {
                                $crate::store::conformance::run_case(
                                    $dollar subject,
                                    concat!(stringify!($group), "::", stringify!($case)),
                                )
                                .await;
                            }
                        )*
                    }
                )*
            };
        }
    };
}

cases! {
    record {
        a_message_is_recorded_once_and_its_first_id_stays,
        a_batch_is_answered_item_by_item_in_its_order,
    }
    confirm {
        confirming_twice_queues_once_even_in_one_batch,
    }
}

/// How long a case may take before it fails.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs the case of that name, one of [`CASES`]. A case that does not apply is
/// told on the standard error stream.
///
/// # Panics
///
/// If the store breaks the contract, does not answer for five minutes, or if
/// there is no such case.
pub async fn run_case(subject: impl Subject, name: &str) -> Verdict {
    run_one(&Arc::new(subject), name).await
}

/// Runs all cases one after the other: for a harness that is not `cargo test`.
/// [`store_conformance!`](crate::store_conformance) reports each by its name.
///
/// # Panics
///
/// If the store breaks the contract; the name of the case that ran is told on
/// the standard error stream.
pub async fn run_all(subject: impl Subject) -> Report {
    let subject = Arc::new(subject);
    let mut report = Report::default();
    for name in CASES {
        let named = Named(name);
        report.verdicts.push((name, run_one(&subject, name).await));
        drop(named);
    }
    report
}

/// Tells the name of the case that panics.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tell(&format!("failed: {}", self.0));
        }
    }
}

async fn run_one<S: Subject>(subject: &Arc<S>, name: &str) -> Verdict {
    match tokio::time::timeout(LONGEST, dispatch(subject, name)).await {
        Err(_) => panic!("{name} did not end within {LONGEST:?}"),
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(not_applicable)) => {
            tell(&format!("not applicable: {name}: {}", not_applicable.0));
            Verdict::NotApplicable(not_applicable.0)
        }
    }
}

/// Past the test harness, which hides what a passing test prints.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "store conformance: {text}");
}
