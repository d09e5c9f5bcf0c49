//! Nothing is lost or counted twice where messages give way, expire and are forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use shuttle::{rand::Rng, thread};
use tower_message_feedback::{
    ManualClock,
    store::{
        ConfirmOutcome, ConfirmTarget, FeedbackStore, ForgetTarget, LeaseRequest, MemoryStore,
        RecordOutcome, Resends,
    },
};

use super::kit::{at, at_once, explore, key, message, sid};

const MAX: usize = 3;
const SIDS: std::ops::RangeInclusive<u8> = 1..=5;

#[derive(Default)]
struct Sums {
    inserted: AtomicUsize,
    forgotten: AtomicUsize,
    expired: AtomicUsize,
    queued: AtomicUsize,
}

impl Sums {
    fn act(&self, store: &MemoryStore) {
        let mut random = shuttle::rand::thread_rng();
        let n = random.gen_range(SIDS);
        // Some are over at once; each key has more than one message.
        let until = if random.gen_bool(0.3) { 900 } else { 2_000 + i64::from(n) };
        let add = |to: &AtomicUsize, is_one: bool| to.fetch_add(usize::from(is_one), Relaxed);
        match random.gen_range(0..8) {
            0..4 => {
                let outcome = at_once(store.record(&[message(n, n % 2, until)]))[0];
                add(&self.inserted, outcome == RecordOutcome::Inserted);
            }
            4 => {
                let keys = key(n % 2).into();
                let target = ConfirmTarget::Id { keys, resends: Resends::All };
                let outcome = at_once(store.confirm(&[target]))[0];
                add(&self.queued, outcome == ConfirmOutcome::Queued);
            }
            5 => {
                let forgotten = at_once(store.forget(&[ForgetTarget::Id(key(n % 2).into())]))[0];
                self.forgotten.fetch_add(forgotten, Relaxed);
            }
            6 => {
                let forgotten = at_once(store.forget(&[ForgetTarget::Message(sid(n))]))[0];
                self.forgotten.fetch_add(forgotten, Relaxed);
            }
            _ => {
                self.expired.fetch_add(at_once(store.expire(2)), Relaxed);
            }
        }
    }
}

fn check(store: &MemoryStore, sums: &Sums) -> usize {
    let sids: Vec<_> = SIDS.map(sid).collect();
    let by_sid: Vec<_> = at_once(store.by_sid(&sids)).into_iter().flatten().collect();
    let by_key = at_once(store.lookup(&[key(0).into(), key(1).into()]));
    for entry in by_key.iter().flatten() {
        assert!(by_sid.contains(entry), "it is found by its id alone: {entry:?}");
    }
    let counts = at_once(store.counts());
    let held = by_sid.len();
    assert_eq!((by_key.iter().flatten().count(), counts.messages), (held, held as u64));
    assert!(held <= MAX, "there are {held}");
    let gone = sums.forgotten.load(Relaxed) + sums.expired.load(Relaxed) + counts.evicted as usize;
    assert_eq!(sums.inserted.load(Relaxed), held + gone, "{counts:?}");
    counts.outbox as usize
}

#[test]
fn each_message_is_there_or_counted_as_gone() {
    explore(|| {
        let time = ManualClock::new(at(1_000));
        let builder = MemoryStore::builder().max_messages(MAX).clock(time.clock());
        let store = Arc::new(builder.build());
        let sums = Arc::new(Sums::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (store, sums) = (store.clone(), sums.clone());
                thread::spawn(move || (0..4).for_each(|_| sums.act(&store)))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        // A look at a shard sets right what it says of itself: here there may be none.
        if shuttle::rand::thread_rng().gen_bool(0.5) {
            check(&store, &sums);
        }

        // Nothing hides from its end, and what is in the outbox has none.
        let queued = at_once(store.counts()).outbox as usize;
        time.advance(Duration::from_secs(3));
        sums.expired.fetch_add(at_once(store.expire(100)), Relaxed);
        assert_eq!(check(&store, &sums), queued);
        assert_eq!(at_once(store.counts()).messages, queued as u64);
        let leased = at_once(store.lease(&LeaseRequest::new(100, Duration::from_secs(1)))).entries;
        let mut sids: Vec<_> = leased.iter().map(|leased| leased.sid).collect();
        sids.sort();
        sids.dedup();
        assert_eq!((leased.len(), sids.len()), (queued, queued));
    });
}
