//! What is counted while others count, and while it is brought to the store, is counted once.

use shuttle::{future::block_on, thread};
use tower_message_feedback::{
    Confirmation, MessageStatus, SentMessage, StatusRecorded, report::ReportQuery,
    store::StatusUpdate,
};

use super::{
    kit::{account, explore, sid},
    world::{World, confirm, id, record},
};

#[test]
fn no_increment_is_lost() {
    explore(|| {
        let world = World::new();
        let threads: Vec<_> = (1..=3)
            .map(|n| {
                let feedback = world.feedback.clone();
                thread::spawn(move || {
                    assert_eq!(confirm(&feedback, n), Confirmation::Unknown);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(world.feedback.stats().confirms.unknown, 3);
        world.shut_down();
    });
}

#[test]
fn a_message_is_reported_once_however_often_it_is_flushed() {
    explore(|| {
        let world = World::new();
        let feedback = world.feedback.clone();
        let sending = thread::spawn(move || {
            for n in 1..=2 {
                let sent = SentMessage::new(account(), sid(n)).label(format!("label {n}"));
                block_on(feedback.record(id(n), sent));
                assert_eq!(confirm(&feedback, n), Confirmation::Queued);
            }
        });
        let feedback = world.feedback.clone();
        let reading = thread::spawn(move || {
            let report = block_on(feedback.report(ReportQuery::last(HOUR))).expect("a report");
            assert!(report.total.conversions <= 2);
        });
        block_on(world.feedback.flush());
        sending.join().expect("no panic");
        reading.join().expect("no panic");
        block_on(world.feedback.flush());
        let report = block_on(world.feedback.report(ReportQuery::last(HOUR))).expect("a report");
        assert_eq!((report.total.attempted, report.total.conversions), (2, 2));
        world.shut_down();
    });
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

#[test]
fn a_status_that_overtakes_its_record_is_kept() {
    explore(|| {
        let world = World::new();
        let threads = [MessageStatus::Sent, MessageStatus::Delivered].map(|status| {
            let feedback = world.feedback.clone();
            let update = StatusUpdate::new(sid(1), account(), status);
            thread::spawn(move || block_on(feedback.record_status(update)))
        });
        record(&world.feedback, 1);
        let recorded = threads.map(|thread| thread.join().expect("no panic"));
        assert!(!recorded.contains(&StatusRecorded::Refused));
        let is_there = async {
            loop {
                let entry = world.feedback.lookup_sid(sid(1)).await.expect("it answers");
                if entry.expect("it was recorded").message_status == Some(MessageStatus::Delivered)
                {
                    return;
                }
                shuttle::future::yield_now().await;
            }
        };
        world.while_time_passes(is_there);
        world.shut_down();
    });
}
