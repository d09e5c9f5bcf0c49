//! The store in Redis, against servers that the tests start themselves.

#[path = "../servers/mod.rs"]
mod servers;

mod batches;
mod conformance;
mod expiry;
mod layout;
#[path = "../support/log.rs"]
mod log;
mod memory;
mod migrations;
mod names;
mod reconnecting;
mod safety;
mod scripts;
mod support;
mod together;
mod upkeep;
