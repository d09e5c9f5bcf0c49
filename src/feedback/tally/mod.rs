//! Counting for the report: in memory at first, in the store within seconds.

mod flush;

use std::{mem, time::Duration};

use hashbrown::{HashMap, HashSet};

use self::flush::Outstanding;
use crate::{
    AccountSid, MessageSid, MessageStatus, Timestamp,
    counters::{Striped, counters},
    store::{Counts, Metric, Resolution, Segment},
    sync::{Mutex, MutexGuard, PoisonError},
};

counters! {
    /// What the report has lost.
    pub struct ReportStats;
    struct ReportCounters;
    /// Counts that went to the store.
    flushed,
    /// Messages whose conversion, status or dead letter was not counted: the message was
    /// gone from the store, or too many waited for a store that fails.
    lost,
}

/// The label that messages are counted under once there are too many labels.
const OTHER: &str = "(other)";

/// What waits to be counted at most, of each sort.
const MAX_WAITING: usize = 100_000;
/// Segments of hours that wait for the store at most.
const MAX_CELLS: usize = 100_000;

/// What the builder says of the report.
#[derive(Debug, Clone)]
pub(crate) struct ReportSettings {
    pub(crate) enabled: bool,
    pub(crate) hours: Duration,
    pub(crate) days: Duration,
    pub(crate) max_labels: usize,
}

impl Default for ReportSettings {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            enabled: true,
            hours: Duration::from_secs(14 * DAY),
            days: Duration::from_secs(400 * DAY),
            max_labels: 100,
        }
    }
}

/// What has been counted and is not in the store yet.
#[derive(Debug)]
pub(super) struct Tally {
    state: Mutex<State>,
    outstanding: tokio::sync::Mutex<Outstanding>,
    counters: Striped<ReportCounters>,
    settings: ReportSettings,
}

/// The hour of the send, whose message it is, and what it has in common with others.
type Cell = (Timestamp, AccountSid, Segment);

#[derive(Debug, Default)]
struct State {
    cells: HashMap<Cell, Counts>,
    /// What is known of a message only by its SID.
    events: Vec<Event>,
    labels: HashSet<Box<str>>,
    /// Under which segment each is counted.
    counted_as: HashMap<Segment, Segment>,
}

impl State {
    fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.events.is_empty()
    }
}

/// Something that happened to a message.
#[derive(Debug, Clone, Copy)]
struct Event {
    sid: MessageSid,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Converted,
    Died,
    SentAgain,
    StatusOk,
    StatusNoLongerOk,
}

impl Tally {
    pub(super) fn new(settings: ReportSettings, writer: i64) -> Self {
        Self {
            state: Mutex::default(),
            outstanding: tokio::sync::Mutex::new(Outstanding::new(writer)),
            counters: Striped::default(),
            settings,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stats(&self) -> ReportStats {
        self.counters.snapshot()
    }

    /// How many conclusions may wait to be counted.
    pub(super) const fn max_conclusions(&self) -> usize {
        if self.settings.enabled { MAX_WAITING } else { 0 }
    }

    /// Whether anything is to be brought to the store.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Counts a message that was sent; answers whether it is the first to be counted since
    /// the last flush.
    pub(super) fn attempted(
        &self,
        sent_at: Timestamp,
        account: AccountSid,
        segment: &Segment,
    ) -> bool {
        if !self.settings.enabled {
            return false;
        }
        let mut state = self.lock();
        let first = state.is_empty();
        self.count(&mut state, sent_at, account, segment, |counts| {
            counts.add(Metric::Attempted, 1);
        });
        first
    }

    /// Counts that a status moved.
    pub(super) fn status_moved(
        &self,
        sid: MessageSid,
        previous: Option<MessageStatus>,
        status: MessageStatus,
    ) -> bool {
        let was_ok = previous.is_some_and(MessageStatus::is_ok);
        match (was_ok, status.is_ok()) {
            (false, true) => self.happened(sid, Change::StatusOk),
            (true, false) => self.happened(sid, Change::StatusNoLongerOk),
            _ => false,
        }
    }

    /// Counts that a dead letter is none any more.
    pub(super) fn sent_again(&self, sid: MessageSid) -> bool {
        self.happened(sid, Change::SentAgain)
    }

    fn happened(&self, sid: MessageSid, change: Change) -> bool {
        if !self.settings.enabled {
            return false;
        }
        let mut state = self.lock();
        let first = state.is_empty();
        self.wait(&mut state, Event { sid, change });
        first
    }

    /// Keeps what is known by its SID only.
    fn wait(&self, state: &mut State, event: Event) {
        if state.events.len() < MAX_WAITING {
            state.events.push(event);
        } else {
            self.counters.lost.increment();
        }
    }

    /// Counts for a message; answers the segment that it was counted under.
    fn count(
        &self,
        state: &mut State,
        sent_at: Timestamp,
        account: AccountSid,
        segment: &Segment,
        count: impl FnOnce(&mut Counts),
    ) -> Segment {
        let segment = match state.counted_as.get(segment) {
            Some(counted_as) => counted_as.clone(),
            None => self.counted_as(state, segment),
        };
        let cell = (Resolution::Hour.start(sent_at), account, segment.clone());
        if state.cells.len() >= MAX_CELLS && !state.cells.contains_key(&cell) {
            self.counters.lost.increment();
        } else {
            count(state.cells.entry(cell).or_default());
        }
        segment
    }

    /// Labels are bounded: an application that puts an id into them gets one row.
    fn counted_as(&self, state: &mut State, segment: &Segment) -> Segment {
        let (unmarked, _) = segment.without_mark();
        let counted_as = match unmarked.label() {
            Some(label) if label != OTHER && !state.labels.contains(label) => {
                if state.labels.len() < self.settings.max_labels {
                    state.labels.insert(label.into());
                    unmarked
                } else {
                    unmarked.relabelled(OTHER)
                }
            }
            _ => unmarked,
        };
        if state.counted_as.len() >= MAX_WAITING {
            state.counted_as.clear();
        }
        state.counted_as.insert(segment.clone(), counted_as.clone());
        counted_as
    }

    fn take_events(&self) -> Vec<Event> {
        mem::take(&mut self.lock().events)
    }

    fn take_cells(&self) -> HashMap<Cell, Counts> {
        mem::take(&mut self.lock().cells)
    }
}
