//! Whoever waits for the dispatcher is told when it ends, whatever else happens then.

use std::time::Duration;

use shuttle::{
    future::{block_on, spawn},
    thread,
};
use tower_message_feedback::{BaseUrl, Confirmation, DispatcherState, Refusal};

use super::{
    kit::explore,
    world::{World, confirm},
};

#[test]
fn nobody_waits_for_a_dispatcher_that_was_dropped() {
    explore(|| {
        let World { feedback, dispatcher, .. } = World::new().recorded(1);
        confirm(&feedback, 1);
        let flushing = feedback.clone();
        let flushing = spawn(async move { flushing.flush().await.outbox });
        let shutting = feedback.clone();
        let shutting = spawn(async move { shutting.shutdown(Duration::MAX).await.outbox });
        dispatcher.abort();
        let _ = block_on(dispatcher);
        assert!(block_on(flushing).expect("no panic").is_some());
        assert!(block_on(shutting).expect("no panic").is_some());
        assert_eq!(block_on(feedback.health()).dispatcher, DispatcherState::Ended);
    });
}

#[test]
fn a_dispatcher_that_nobody_ran_answers_nobody() {
    explore(|| {
        let (feedback, dispatcher, _) = World::pair();
        let threads = [true, false].map(|is_preflight| {
            let feedback = feedback.clone();
            thread::spawn(move || match is_preflight {
                true => {
                    let preflight = block_on(feedback.preflight(BaseUrl::default()));
                    assert!(preflight.store && preflight.accounts.is_empty());
                }
                false => assert_eq!(block_on(feedback.flush()).outbox, Some(0)),
            })
        });
        drop(dispatcher);
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}

#[test]
fn a_shutdown_leaves_nothing_that_was_confirmed_before_it() {
    explore(|| {
        let world = World::new().recorded(3);
        assert_eq!(confirm(&world.feedback, 1), Confirmation::Queued);
        let (late, flushing) = (world.feedback.clone(), world.feedback.clone());
        let late = thread::spawn(move || confirm(&late, 2));
        let flushing = thread::spawn(move || block_on(flushing.flush()));
        let remaining = block_on(world.feedback.shutdown(Duration::MAX));
        block_on(world.dispatcher).expect("it ends");
        flushing.join().expect("no panic");
        assert!(world.twilio.has(1));
        assert_eq!(remaining.deferred, 0);
        match late.join().expect("no panic") {
            // It overtook the end, or stays in the outbox.
            Confirmation::Queued => {
                let left = block_on(world.feedback.health()).outbox;
                assert_eq!(left, Some(u64::from(!world.twilio.has(2))));
            }
            Confirmation::Refused(Refusal::ShutDown) => assert!(!world.twilio.has(2)),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_dispatcher_without_handles_ends_once_everything_is_reported() {
    explore(|| {
        let World { feedback, dispatcher, twilio, .. } = World::new().recorded(2);
        let threads: Vec<_> = (1..=2)
            .map(|n| {
                let feedback = feedback.clone();
                thread::spawn(move || {
                    assert_eq!(confirm(&feedback, n), Confirmation::Queued);
                })
            })
            .collect();
        drop(feedback);
        block_on(dispatcher).expect("it ends");
        assert!(twilio.has(1) && twilio.has(2));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}

#[test]
fn a_shutdown_that_has_no_time_ends_the_dispatcher_all_the_same() {
    explore(|| {
        let world = World::new().recorded(1);
        let feedback = world.feedback.clone();
        let confirming = thread::spawn(move || confirm(&feedback, 1));
        // No timer is ever over here: only the halt ends it.
        block_on(world.feedback.shutdown(Duration::ZERO));
        block_on(world.dispatcher).expect("it ends");
        let is_queued = confirming.join().expect("no panic") == Confirmation::Queued;
        let left = block_on(world.feedback.health()).outbox;
        assert_eq!(left, Some(u64::from(is_queued && !world.twilio.has(1))));
    });
}
