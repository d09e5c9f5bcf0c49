//! Many ask a store at once, some stop waiting, and the store fails now and then.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use shuttle::{
    future::{block_on, spawn, yield_now},
    rand::Rng,
};
use tower_message_feedback::{
    Confirmation, CorrelationKeys, MessageSid, Recorded, SentMessage, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
        LeaseRequest, LedgerEntry, MemoryStore, Note, NoteOutcome, RecordOutcome, ResendOutcome,
        Resolution, Rollup, RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome,
        StatusUpdate, StoreCounts, StoreError, StoreFuture, TrackedMessage,
    },
};

use super::{
    kit::{account, explore, sid},
    world::{World, id},
};

/// A store that others go before while it works, and that fails as often as it is told.
struct Slow {
    memory: MemoryStore,
    failures: Arc<AtomicUsize>,
}

impl Slow {
    fn pass<'a, T: Send + 'a>(&'a self, operation: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            yield_now().await;
            let answer = operation.await;
            yield_now().await;
            let fails = |left: usize| left.checked_sub(1);
            match self.failures.fetch_update(SeqCst, SeqCst, fails) {
                Ok(_) => Err(StoreError::new("it is told to")),
                Err(_) => answer,
            }
        })
    }
}

impl FeedbackStore for Slow {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        self.pass(self.memory.record(messages))
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        self.pass(self.memory.confirm(targets))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        self.memory.lease(request)
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        self.memory.settle(settlements)
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.memory.expire(limit)
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        self.memory.forget(targets)
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        self.memory.update_status(updates)
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        self.memory.keep_notes(notes)
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        self.memory.notes(keys)
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        self.memory.lookup(ids)
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        self.memory.by_sid(sids)
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        self.memory.dead_letters(after, limit)
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        self.memory.resend(sids)
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        self.memory.add_rollups(batch)
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        self.memory.rollups(resolution, from, to)
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        self.memory.counts()
    }

    fn durability(&self) -> Durability {
        Durability::Volatile
    }
}

/// A store that has failed `failures` times before it works.
fn world(failures: usize) -> World {
    let failures = Arc::new(AtomicUsize::new(failures));
    World::with(|memory| Slow { memory, failures })
}

/// Drives a future for so many polls at most.
async fn impatient<T>(future: impl Future<Output = T>, polls: Option<usize>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        left = match left {
            Some(0) => return Poll::Ready(None),
            left => left.map(|left| left - 1),
        };
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// How often each of four is polled: some for as long as it takes.
fn patience() -> [Option<usize>; 4] {
    let mut random = shuttle::rand::thread_rng();
    [0; 4].map(|_| random.gen_bool(0.5).then(|| random.gen_range(1..4)))
}

#[test]
fn who_stops_waiting_takes_nobody_along() {
    explore(|| {
        let world = world(0);
        let recording = (1..=4).zip(patience()).map(|(n, polls)| {
            let feedback = world.feedback.clone();
            let sent = SentMessage::new(account(), sid(n));
            let recorded = async move { impatient(feedback.record(id(n), sent), polls).await };
            (polls.is_none(), spawn(recorded))
        });
        for (is_patient, recorded) in recording.collect::<Vec<_>>() {
            let recorded = block_on(recorded).expect("no panic");
            assert!(recorded == Some(Recorded::Recorded) || recorded.is_none() && !is_patient);
        }
        let confirming = (1..=4).zip(patience()).map(|(n, polls)| {
            let feedback = world.feedback.clone();
            (polls.is_none(), spawn(async move { impatient(feedback.confirm(id(n)), polls).await }))
        });
        for (is_patient, confirmed) in confirming.collect::<Vec<_>>() {
            match block_on(confirmed).expect("no panic") {
                // Its record was given up, and is not back yet.
                Some(Confirmation::Queued | Confirmation::Unknown) => {}
                None if !is_patient => {}
                other => panic!("{other:?}"),
            }
        }
        // Begun is done in the end, whoever waited for it.
        world.while_time_passes(async {
            for n in 1..=4 {
                world.twilio.reported(n).await;
            }
        });
        world.shut_down();
    });
}

#[test]
fn what_the_store_did_not_take_is_brought_to_it_in_the_end() {
    explore(|| {
        let world = world(3);
        let tasks = (1..=2).map(|n| {
            let feedback = world.feedback.clone();
            spawn(async move {
                let sent = SentMessage::new(account(), sid(n));
                let recorded = feedback.record(id(n), sent).await;
                assert!(matches!(recorded, Recorded::Recorded | Recorded::Deferred));
                let confirmed = feedback.confirm(id(n)).await;
                assert!(!matches!(confirmed, Confirmation::Refused(_)), "{confirmed:?}");
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            block_on(task).expect("no panic");
        }
        world.while_time_passes(async {
            world.twilio.reported(1).await;
            world.twilio.reported(2).await;
            // Whoever waits for the retry queue is told that it is empty.
            assert_eq!(world.feedback.flush().await.deferred, 0);
        });
        world.shut_down();
    });
}

#[test]
fn what_is_deferred_is_tried_again_without_a_clock() {
    explore(|| {
        let world = world(1);
        let recorded = block_on(world.feedback.record(id(1), SentMessage::new(account(), sid(1))));
        assert_eq!(recorded, Recorded::Deferred);
        block_on(async {
            while world.feedback.lookup_sid(sid(1)).await.expect("it answers").is_none() {
                yield_now().await;
            }
        });
        world.shut_down();
    });
}

#[test]
fn who_waits_for_the_retry_queue_is_told_that_it_is_empty() {
    explore(|| {
        let world = world(1);
        let recorded = block_on(world.feedback.record(id(1), SentMessage::new(account(), sid(1))));
        assert_eq!(recorded, Recorded::Deferred);
        assert_eq!(block_on(world.feedback.flush()).deferred, 0);
        world.shut_down();
    });
}
