use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use hashbrown::HashMap;

use super::{Cell, Change, Event};
use crate::{
    AccountSid, CorrelationKey, CorrelationKeys, MessageSid, Timestamp,
    feedback::shared::{Shared, all},
    store::{
        Counts, LatencyHistogram, LedgerEntry, LedgerStatus, Metric, Resolution, Rollup,
        RollupBatch, Segment, StoreCounts, StoreError,
    },
};

/// Messages that the store is asked for at once.
const LOOK_UP: usize = 256;
/// Rollups of a batch at most.
const BATCH: usize = 512;
/// A report reads much: it gets as much time as what failed that often.
const LONG: u32 = 16;
/// How long a batch may be repeated after the store failed.
const REPEATED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Batches on their way to the store. Of one that failed it is not known whether it was
/// added: it is repeated before any other.
#[derive(Debug)]
pub(super) struct Outstanding {
    writer: i64,
    sequence: i64,
    batches: VecDeque<RollupBatch>,
}

impl Outstanding {
    pub(super) const fn new(writer: i64) -> Self {
        Self { writer, sequence: 0, batches: VecDeque::new() }
    }

    fn extend(&mut self, rollups: &[Rollup], keep_until: Timestamp) {
        for some in rollups.chunks(BATCH) {
            self.sequence += 1;
            let batch = RollupBatch::new(self.writer, self.sequence, some.to_vec(), keep_until);
            self.batches.push_back(batch);
        }
    }
}

impl Shared {
    /// Whether nothing waits to be counted or to be brought to the store.
    pub(in crate::feedback) fn everything_is_counted(&self) -> bool {
        self.tally.is_empty() && self.control.conclusions.is_empty()
    }

    /// Brings what was counted to the store. What it does not take is kept.
    pub(crate) async fn flush_report(&self) -> Result<(), StoreError> {
        if !self.tally.settings.enabled {
            return Ok(());
        }
        let mut outstanding = self.tally.outstanding.lock().await;
        self.count_events().await?;
        // What failed before goes first, and what was counted meanwhile behind it.
        self.send(&mut outstanding).await?;
        let cells = self.tally.take_cells();
        #[cfg(feature = "metrics")]
        for ((_, _, segment), counts) in &cells {
            crate::feedback::metrics::counted(segment, counts);
        }
        if !cells.is_empty() {
            outstanding.extend(&self.rolled_up(cells), self.clock.now() + REPEATED);
            self.send(&mut outstanding).await?;
        }
        Ok(())
    }

    /// The counters of some time, for the report.
    pub(crate) async fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Rollup>, StoreError> {
        self.more_patiently(LONG, self.store.rollups(resolution, from, to)).await
    }

    /// How much the store holds, for the report.
    pub(crate) async fn report_counts(&self) -> Result<StoreCounts, StoreError> {
        self.more_patiently(LONG, self.store.counts()).await
    }

    async fn send(&self, outstanding: &mut Outstanding) -> Result<(), StoreError> {
        while let Some(batch) = outstanding.batches.front() {
            self.patiently(self.store.add_rollups(batch)).await?;
            let rollups = u64::try_from(batch.rollups.len()).unwrap_or(u64::MAX);
            self.tally.counters.flushed.add(rollups);
            outstanding.batches.pop_front();
        }
        Ok(())
    }

    /// The rollups of hours, and those of their days.
    fn rolled_up(&self, cells: HashMap<Cell, Counts>) -> Vec<Rollup> {
        let mut rolled_up: BTreeMap<(Resolution, Timestamp, AccountSid, Segment), Counts> =
            BTreeMap::new();
        for ((hour, account, segment), counts) in cells {
            let day = (Resolution::Day, Resolution::Day.start(hour), account, segment.clone());
            rolled_up.entry(day).or_default().merge(&counts);
            rolled_up.insert((Resolution::Hour, hour, account, segment), counts);
        }
        let settings = &self.tally.settings;
        let rollups = rolled_up.into_iter().filter(|(_, counts)| !counts.is_empty());
        let rollups = rollups.map(|((resolution, start, account, segment), counts)| {
            let kept = match resolution {
                Resolution::Hour => settings.hours,
                Resolution::Day => settings.days,
            };
            let keep_until = start + resolution.period() + kept;
            Rollup::new(resolution, start, account, segment, counts, keep_until)
        });
        rollups.collect()
    }

    /// Counts what is known by its SID: the ledger says whose it is and when it was sent.
    async fn count_events(&self) -> Result<(), StoreError> {
        let (concluded, lost) = self.control.conclusions.take();
        self.tally.counters.lost.add(lost);
        let mut events = self.tally.take_events();
        events.extend(concluded.into_iter().map(|concluded| Event {
            sid: concluded.sid,
            change: if concluded.is_delivered { Change::Converted } else { Change::Died },
        }));
        let mut rest = Waiting { shared: self, events };
        while !rest.events.is_empty() {
            let some = &rest.events[..rest.events.len().min(LOOK_UP)];
            let entries = self.entries_of(some).await?;
            let resends = self.resends_of(some, &entries).await?;
            let done = some.len();
            for ((event, entry), resends) in some.iter().zip(&entries).zip(resends) {
                match entry {
                    Some(entry) => self.count_event(event.change, entry, resends),
                    None => self.tally.counters.lost.increment(),
                }
            }
            rest.events.drain(..done);
        }
        Ok(())
    }

    async fn entries_of(&self, events: &[Event]) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        let sids: Vec<MessageSid> = events.iter().map(|event| event.sid).collect();
        all(&sids, self.patiently(self.store.by_sid(&sids)).await?)
    }

    /// How many messages were sent in vain before each that converted: under the same id,
    /// since the last that was confirmed before.
    async fn resends_of(
        &self,
        events: &[Event],
        entries: &[Option<LedgerEntry>],
    ) -> Result<Vec<i64>, StoreError> {
        let converted = events
            .iter()
            .zip(entries)
            .map(|(event, entry)| entry.as_ref().filter(|_| event.change == Change::Converted));
        let converted: Vec<Option<&LedgerEntry>> = converted.collect();
        let keys: Vec<CorrelationKey> = converted.iter().flatten().map(|entry| entry.key).collect();
        if keys.is_empty() {
            return Ok(vec![0; events.len()]);
        }
        let ids: Vec<CorrelationKeys> = keys.into_iter().map(CorrelationKeys::from).collect();
        let mut ledgers = self.patiently(self.store.lookup(&ids)).await?.into_iter();
        let resends = converted.into_iter().map(|entry| {
            let (Some(entry), Some(ledger)) = (entry, entry.and_then(|_| ledgers.next())) else {
                return 0;
            };
            // The newest is first.
            let older = ledger.iter().skip_while(|other| other.sid != entry.sid).skip(1);
            let in_vain = older.take_while(|other| other.status == LedgerStatus::Pending);
            i64::try_from(in_vain.count()).unwrap_or(i64::MAX)
        });
        Ok(resends.collect())
    }

    fn count_event(&self, change: Change, entry: &LedgerEntry, resends: i64) {
        let confirmed_at = confirmed_at(entry.status).filter(|_| change == Change::Converted);
        let latency = confirmed_at.map(|confirmed_at| confirmed_at.since(entry.sent_at));
        // Nobody has counted the send of what its confirm had to record.
        let (_, by_confirm) = entry.segment.without_mark();
        let count = |counts: &mut Counts| match change {
            Change::StatusOk => counts.add(Metric::StatusOk, 1),
            Change::StatusNoLongerOk => counts.add(Metric::StatusOk, -1),
            Change::Died => counts.add(Metric::DeadLetters, 1),
            Change::SentAgain => counts.add(Metric::DeadLetters, -1),
            Change::Converted => {
                counts.add(Metric::Conversions, 1);
                counts.add(Metric::Resends, resends);
                counts.add(Metric::Attempted, i64::from(by_confirm));
                if let Some(latency) = latency {
                    counts.add_latency(&LatencyHistogram::of(latency));
                }
            }
        };
        let mut state = self.tally.lock();
        let counted_as =
            self.tally.count(&mut state, entry.sent_at, entry.account, &entry.segment, count);
        drop(state);
        #[cfg(feature = "metrics")]
        if let Some(latency) = latency {
            crate::feedback::metrics::converted(&counted_as, latency);
        }
        #[cfg(not(feature = "metrics"))]
        drop(counted_as);
    }
}

fn confirmed_at(status: LedgerStatus) -> Option<Timestamp> {
    match status {
        LedgerStatus::Pending => None,
        LedgerStatus::Queued { confirmed_at, .. }
        | LedgerStatus::Delivered { confirmed_at, .. }
        | LedgerStatus::Dead { confirmed_at, .. } => Some(confirmed_at),
    }
}

/// Events that left the queue: dropped before they are counted, they go back.
struct Waiting<'a> {
    shared: &'a Shared,
    events: Vec<Event>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let tally = &self.shared.tally;
        let mut state = tally.lock();
        for event in self.events.drain(..) {
            tally.wait(&mut state, event);
        }
    }
}
