//! The memory store with few and with many messages that wait: what one weighs, and
//! whether an operation costs more beside many.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tower_message_feedback::{
    AccountSid, BaseUrl, ManualClock, Timestamp,
    store::{
        Attempts, Dimensions, FeedbackStore, LeaseRequest, MemoryStore, Segment, SettledAs,
        Settlement, TrackedMessage,
    },
};

use crate::{
    callgrind::{self, counted_by_callgrind},
    heap,
    numbered::{key, sid, target},
    requests::AC,
};

/// What a store is asked for, each as often as this.
const CALLS: u64 = 1_000;
const DAYS: u64 = 3;
const RETENTION: Duration = Duration::from_secs(DAYS * 24 * 60 * 60);
/// The applications' texts, and the countries they go to.
const SEGMENTS: usize = 60;

/// An operation of a store, with one item a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    Record,
    Confirm,
    LeaseAndSettle,
    BySid,
    Expire,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] =
        [Self::Record, Self::Confirm, Self::LeaseAndSettle, Self::BySid, Self::Expire];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Confirm => "confirm",
            Self::LeaseAndSettle => "lease + settle",
            Self::BySid => "by_sid",
            Self::Expire => "expire",
        }
    }
}

/// A store in which `pending` messages wait, sent evenly over the days that they may.
struct Filled {
    store: MemoryStore,
    clock: ManualClock,
    messages: Messages,
    pending: u64,
    slowest: Duration,
}

/// Messages by number, as they are sent to many countries.
struct Messages {
    account: AccountSid,
    base_url: BaseUrl,
    segments: Vec<Segment>,
    apart: f64,
}

impl Messages {
    fn new(pending: u64) -> Self {
        let to = |n: usize| Dimensions::of_recipient(&format!("+{}5551234", 20 + n));
        let segments = (0..SEGMENTS).map(|n| Segment::new(Some("login"), to(n))).collect();
        let apart = RETENTION.as_millis() as f64 / pending as f64;
        Self { account: AC.parse().expect("a SID"), base_url: BaseUrl::default(), segments, apart }
    }

    fn sent_at(&self, number: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + (number as f64 * self.apart) as i64)
    }

    fn get(&self, number: u64) -> TrackedMessage {
        let sent_at = self.sent_at(number);
        let (sid, base_url) = (sid(number), self.base_url.clone());
        let expires_at = sent_at + RETENTION;
        let mut message =
            TrackedMessage::new(key(number), sid, self.account, base_url, sent_at, expires_at);
        message.segment = self.segments[number as usize % SEGMENTS].clone();
        message
    }
}

impl Filled {
    fn new(pending: u64) -> Self {
        let messages = Messages::new(pending);
        let clock = ManualClock::new(messages.sent_at(0));
        // As it comes, or with room for as many again.
        let max = (2 * pending).max(1_000_000) as usize;
        let store = MemoryStore::builder().max_messages(max).clock(clock.clock()).build();
        let mut slowest = Duration::ZERO;
        for number in 0..pending {
            let message = messages.get(number);
            clock.advance(message.sent_at.since(clock.now()));
            let began = Instant::now();
            black_box(store.try_record(&message));
            slowest = slowest.max(began.elapsed());
        }
        Self { store, clock, messages, pending, slowest }
    }

    /// Does an operation `CALLS` times, with what it needs prepared before.
    fn measure<T>(&self, operation: Operation, measure: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
        let store = &self.store;
        let new: Vec<_> =
            (self.pending..self.pending + CALLS).map(|number| self.messages.get(number)).collect();
        // Messages from all over the store.
        let known = (0..CALLS).map(|n| n * self.pending / CALLS);
        let targets: Vec<_> = known.clone().map(target).collect();
        let sids: Vec<_> = known.map(sid).collect();
        match operation {
            Operation::Record => measure(&mut || {
                for message in &new {
                    black_box(store.try_record(message));
                }
            }),
            Operation::Confirm => measure(&mut || {
                for target in &targets {
                    black_box(store.try_confirm(target));
                }
            }),
            Operation::LeaseAndSettle => {
                for target in &targets {
                    black_box(store.try_confirm(target));
                }
                measure(&mut || {
                    for _ in 0..CALLS {
                        self.lease_and_settle();
                    }
                })
            }
            Operation::BySid => measure(&mut || {
                for sid in &sids {
                    black_box(store.by_sid(std::slice::from_ref(sid)).now_or_never().is_some());
                }
            }),
            Operation::Expire => {
                let over = self.messages.sent_at(CALLS) + RETENTION;
                self.clock.advance(over.since(self.clock.now()));
                measure(&mut || {
                    black_box(store.expire(CALLS as usize).now_or_never().is_some());
                })
            }
        }
    }

    fn lease_and_settle(&self) {
        let request = LeaseRequest::new(1, Duration::from_secs(60));
        let leased = self.store.lease(&request).now_or_never().expect("it answers at once");
        let entries = leased.expect("it never fails").entries;
        let settle = |entry| Settlement::new(entry, Attempts::new(1, 0), SettledAs::Delivered);
        let settlements: Vec<_> = entries.iter().map(settle).collect();
        black_box(self.store.settle(&settlements).now_or_never().is_some());
    }
}

/// The part of this program that runs under valgrind, or in a process of its own.
pub(crate) fn part(arguments: &[&str]) {
    let [what, pending] = arguments else { panic!("what, and how many messages wait") };
    let pending = pending.parse().expect("a number");
    if *what == "weight" {
        let before = [heap::held(), resident()];
        let filled = Filled::new(pending);
        let each = |before: usize, after: usize| (after - before) as f64 / pending as f64;
        let slowest = filled.slowest.as_secs_f64() * 1e3;
        println!("{} {} {slowest}", each(before[0], heap::held()), each(before[1], resident()));
        return;
    }
    let operation = Operation::ALL.into_iter().find(|known| known.name() == *what);
    let filled = Filled::new(pending);
    callgrind::ready();
    filled.measure(operation.expect("an operation"), |calls| counted_by_callgrind(calls));
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}

/// What a message weighs that waits.
pub(crate) struct Weight {
    /// Bytes of the heap.
    pub(crate) heap: f64,
    /// Bytes of the process.
    pub(crate) resident: f64,
    /// Milliseconds of the slowest insert.
    pub(crate) slowest: f64,
}

pub(crate) fn weight(pending: u64) -> Weight {
    let program = std::env::current_exe().expect("this program");
    let pending = pending.to_string();
    let output = std::process::Command::new(program)
        .args(["--part", "pending", "weight", &pending])
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let mut figures = said.split_whitespace().map(|figure| figure.parse().expect("a figure"));
    let mut next = || figures.next().expect("three figures");
    Weight { heap: next(), resident: next(), slowest: next() }
}

/// Instructions of an operation beside `pending` messages that wait.
pub(crate) fn instructions(operation: Operation, pending: u64) -> Option<f64> {
    let pending = pending.to_string();
    let counted = callgrind::instructions(&["pending", operation.name(), &pending])?;
    Some(counted as f64 / CALLS as f64)
}
