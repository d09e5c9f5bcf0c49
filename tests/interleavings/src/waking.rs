//! The dispatcher sleeps when nothing is due, and nothing that is due is slept through. No
//! test here moves the clock or asks for a flush unless it says so: a lost wake-up is for ever.

use shuttle::{future::block_on, thread};
use tower_message_feedback::{BaseUrl, Confirmation, Mode, Recorded};

use super::{
    kit::explore,
    world::{World, confirm, record},
};

#[test]
fn a_confirm_is_never_slept_through() {
    explore(|| {
        let world = World::new().recorded(3);
        let threads: Vec<_> = (1..=3)
            .map(|n| {
                let feedback = world.feedback.clone();
                thread::spawn(move || assert_eq!(confirm(&feedback, n), Confirmation::Queued))
            })
            .collect();
        (1..=3).for_each(|n| block_on(world.twilio.reported(n)));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        world.shut_down();
    });
}

#[test]
fn resuming_delivers_what_was_held_back() {
    explore(|| {
        let world = World::new().recorded(1);
        let feedback = world.feedback.clone();
        let holding = thread::spawn(move || {
            feedback.pause_delivery();
            feedback.set_mode(Mode::Observe);
            feedback.resume_delivery();
            feedback.set_origin_mode(&BaseUrl::default(), Some(Mode::Off));
            feedback.set_origin_mode(&BaseUrl::default(), None);
            feedback.set_mode(Mode::On);
        });
        assert_eq!(confirm(&world.feedback, 1), Confirmation::Queued);
        holding.join().expect("no panic");
        // What was leased while its origin was off waits for some seconds.
        world.while_time_passes(world.twilio.reported(1));
        world.shut_down();
    });
}

#[test]
fn a_confirm_that_overtakes_its_record_is_found() {
    explore(|| {
        let world = World::new();
        let feedback = world.feedback.clone();
        let recording = thread::spawn(move || assert_eq!(record(&feedback, 1), Recorded::Recorded));
        let confirmation = confirm(&world.feedback, 1);
        assert!(matches!(confirmation, Confirmation::Queued | Confirmation::Unknown));
        world.while_time_passes(world.twilio.reported(1));
        recording.join().expect("no panic");
        world.shut_down();
    });
}
