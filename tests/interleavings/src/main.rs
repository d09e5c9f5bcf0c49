//! What threads share, tried in many orders of what they do: each test is run again and
//! again, and shuttle says at each lock, atomic and await who goes on. A lost wake-up is a
//! deadlock, which it reports; the rest the tests have to see.
#![cfg(message_feedback_shuttle)]

mod at_the_bound;
mod counting;
mod ending;
mod gathering;
mod in_turn;
mod kit;
mod small;
mod waking;
mod world;
