//! What a dropped future leaves behind. Every public one is driven by hand and dropped at
//! each of its awaits in turn; then nothing may be lost, half done, leaked or stuck.

mod covered;
mod cut;
mod dispatcher;
mod handle;
mod incoming;
mod joined;
mod outgoing;
#[path = "../servers/mod.rs"]
mod servers;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod watching;
mod webhooks;
mod world;
