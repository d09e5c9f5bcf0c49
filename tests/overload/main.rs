//! More than usual of everything, for longer: what memory and sockets it costs, and what it
//! does to those who did nothing.
//!
//! `SOAK=1000000 cargo test --release --test overload soak -- --nocapture` is the long mode.

mod floods;
mod heap;
mod outage;
mod soak;
mod stuck_store;
#[path = "../support/mod.rs"]
mod support;
mod time;
