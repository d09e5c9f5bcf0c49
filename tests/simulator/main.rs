//! The simulator, through its public API: in process and over sockets.

mod basics;
mod clock;
mod expectations;
mod faults;
mod support;
mod webhooks;
