//! Counting while the store fails, and after it has taken what it did not answer for.

use std::time::Duration;

use tower_message_feedback::{
    Confirmation, MessageStatus, Recorded, StatusRecorded, report::Report, store::StatusUpdate,
};

use crate::support::{
    AC, Mode, Op, Site, SwitchStore, World, account, credentials, guarded, seconds, settle_down,
};

/// Longer than the longest pause after a failure.
const PAUSE: Duration = seconds(7);

async fn world() -> (World, SwitchStore) {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    let builder = site
        .builder()
        .credentials(credentials())
        .store(store.clone())
        .store_timeout(Duration::from_millis(10));
    let world = site.world(builder);
    settle_down().await;
    (world, store)
}

async fn report(world: &World) -> Report {
    guarded(world.feedback.report(seconds(7 * 24 * 3600))).await.expect("a report")
}

/// Moves the clock until everything has been tried again.
async fn catch_up(world: &World) {
    guarded(async {
        while world.feedback.health().await.deferred > 0 {
            world.time.advance(PAUSE);
            // What hangs is cut off in real time: the clock must not run days ahead of it.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..10 {
            world.time.advance(PAUSE);
            settle_down().await;
            world.flush().await;
        }
    })
    .await;
}

const BROKEN: [Mode; 3] = [Mode::Fails, Mode::Hangs, Mode::FailsAfterwards];

#[tokio::test]
async fn counts_wait_for_a_store_that_fails_and_are_added_once() {
    for mode in BROKEN {
        let (world, store) = world().await;
        store.set(Op::AddRollups, mode);
        for n in 0..3 {
            let sid = world.act(&format!("id {n}")).await;
            let update = StatusUpdate::new(sid, account(AC), MessageStatus::Delivered);
            assert_eq!(world.feedback.record_status(update).await, StatusRecorded::Recorded);
            assert!(world.flush().await.is_empty(), "delivery does not wait for counts");
            world.time.advance(PAUSE);
            settle_down().await;
        }
        store.set(Op::AddRollups, Mode::Works);
        catch_up(&world).await;
        let total = report(&world).await.total;
        assert_eq!((total.attempted, total.status_ok, total.conversions), (3, 3, 3), "{mode:?}");
        assert_eq!(world.feedback.stats().report.lost, 0);
    }
}

#[tokio::test]
async fn a_message_whose_record_was_not_answered_is_attempted_once() {
    for mode in BROKEN {
        let (world, store) = world().await;
        let sid = world.create(AC).await;
        store.set(Op::Record, mode);
        let recorded = world.feedback.record("id", world.sent(AC, sid)).await;
        assert_eq!(recorded, Recorded::Deferred);
        settle_down().await;
        store.set(Op::Record, Mode::Works);
        catch_up(&world).await;
        assert_eq!(report(&world).await.total.attempted, 1, "{mode:?}");
        let recorded = world.feedback.record("id", world.sent(AC, sid)).await;
        assert_eq!(recorded, Recorded::AlreadyRecorded);
        assert_eq!(report(&world).await.total.attempted, 1, "{mode:?}");
    }
}

#[tokio::test]
async fn a_conversion_whose_settlement_was_not_answered_counts_once() {
    // What hangs is cut off after ten seconds of real time.
    for mode in [Mode::Fails, Mode::FailsAfterwards] {
        let (world, store) = world().await;
        store.set(Op::Settle, mode);
        world.send("id").await;
        assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
        guarded(async {
            while store.calls(Op::Settle) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        settle_down().await;
        store.set(Op::Settle, Mode::Works);
        catch_up(&world).await;
        let total = report(&world).await.total;
        assert_eq!((total.attempted, total.conversions), (1, 1), "{mode:?}");
    }
}

#[tokio::test]
async fn conversions_wait_for_a_ledger_that_cannot_be_read() {
    for mode in [Mode::Fails, Mode::Hangs] {
        let (world, store) = world().await;
        store.set(Op::Lookup, mode);
        world.act("id").await;
        world.flush().await;
        catch_up(&world).await;
        store.set(Op::Lookup, Mode::Works);
        catch_up(&world).await;
        assert_eq!(report(&world).await.total.conversions, 1, "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_gone_before_it_is_counted_is_told() {
    let (world, store) = world().await;
    store.set(Op::Lookup, Mode::Fails);
    let sid = world.act("id").await;
    world.flush().await;
    store.set(Op::Lookup, Mode::Works);
    assert!(world.feedback.forget_sid(sid).await.expect("an answer"));
    catch_up(&world).await;
    assert_eq!(report(&world).await.total.conversions, 0);
    assert_eq!(world.feedback.stats().report.lost, 1);
}

#[tokio::test]
async fn a_report_of_a_store_that_fails_is_an_error() {
    let (world, store) = world().await;
    for op in [Op::Rollups, Op::Counts] {
        store.set(op, Mode::Fails);
        assert!(world.feedback.report(seconds(1)).await.is_err());
        store.set(op, Mode::Works);
    }
    // One that only cannot be written is read.
    world.send("id").await;
    store.set(Op::AddRollups, Mode::Fails);
    assert_eq!(report(&world).await.total.attempted, 0);
}

#[tokio::test]
async fn the_end_brings_the_last_counts_to_the_store() {
    for shut_down in [true, false] {
        let site = Site::new().await;
        let store = SwitchStore::new(&site.time);
        let builder = site.builder().credentials(credentials()).store(store.clone());
        let world = site.world(builder);
        world.act("id").await;
        let World { feedback, twilio, time, server } = world;
        if shut_down {
            guarded(feedback.shutdown(seconds(5))).await;
        }
        drop(feedback);
        settle_down().await;
        let builder = tower_message_feedback::MessageFeedback::builder()
            .credentials(credentials())
            .clock(time.clock())
            .store(store);
        let reader = builder.build().expect("a handle");
        guarded(async {
            loop {
                let report = reader.report(seconds(24 * 3600)).await.expect("a report");
                if report.total.conversions == 1 {
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop((twilio, server));
    }
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_flush_loses_nothing() {
    let (world, store) = world().await;
    world.act("id").await;
    world.flush().await;
    // The next flush, which the background begins, waits for the store.
    world.send("another").await;
    store.set(Op::AddRollups, Mode::AnswersLate);
    guarded(async {
        let before = store.calls(Op::AddRollups);
        while store.calls(Op::AddRollups) == before {
            world.time.advance(seconds(1));
            settle_down().await;
        }
    })
    .await;
    let feedback = world.feedback.clone();
    let end = tokio::spawn(async move { feedback.shutdown(seconds(10)).await });
    settle_down().await;
    store.set(Op::AddRollups, Mode::Works);
    guarded(end).await.expect("no panic in it");
    let total = report(&world).await.total;
    assert_eq!((total.attempted, total.conversions), (2, 1));
    assert_eq!(world.feedback.stats().report.lost, 0);
}
