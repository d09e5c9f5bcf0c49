use std::{
    env,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{DfsScheduler, PctScheduler, RandomScheduler, ReplayScheduler, Scheduler},
};
use tower_message_feedback::{
    AccountSid, BaseUrl, CorrelationKey, MessageSid, Timestamp, store::TrackedMessage,
};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";

/// Runs `test` in as many orders as the variable `ITERATIONS` says; `REPLAY` is a schedule
/// that a failure has printed, to be run alone.
pub(crate) fn explore(test: impl Fn() + Clone + Send + Sync + 'static) {
    let iterations = env::var("ITERATIONS").map_or(100, |n| n.parse().expect("a number"));
    if let Ok(schedule) = env::var("REPLAY") {
        return run(ReplayScheduler::new_from_encoded(&schedule), test);
    }
    run(RandomScheduler::new(iterations / 2), test.clone());
    // Few changes of who goes first, each anywhere: deep bugs need no more.
    run(PctScheduler::new(3, iterations / 2), test);
}

/// Runs `test` in every order there is.
pub(crate) fn exhaust(test: impl Fn() + Send + Sync + 'static) {
    match env::var("REPLAY") {
        Ok(schedule) => run(ReplayScheduler::new_from_encoded(&schedule), test),
        Err(_) => run(DfsScheduler::new(None, false), test),
    }
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    config.max_steps = MaxSteps::FailAfter(400_000);
    config.silence_warnings = true;
    // Timers are Tokio's; its time stands still, so that none is ever over.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    let _entered = runtime.enter();
    Runner::new(scheduler, config).run(test);
}

/// What a store in memory answers: it never waits.
pub(crate) fn at_once<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.expect("it takes everything"),
        Poll::Pending => panic!("it waits"),
    }
}

pub(crate) fn account() -> AccountSid {
    AC.parse().expect("a SID")
}

pub(crate) fn sid(n: u8) -> MessageSid {
    format!("SM{n:032x}").parse().expect("a SID")
}

pub(crate) fn key(n: u8) -> CorrelationKey {
    CorrelationKey::from_bytes([n; 16])
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The message `n` under the key `under`, which lasts until `until`.
pub(crate) fn message(n: u8, under: u8, until: i64) -> TrackedMessage {
    TrackedMessage::new(key(under), sid(n), account(), BaseUrl::default(), at(0), at(until))
}
