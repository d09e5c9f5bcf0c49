//! The store in PostgreSQL, against servers that the tests start themselves.

#[path = "../servers/mod.rs"]
mod servers;

mod concurrency;
mod conformance;
mod durability;
mod handle;
mod hot;
mod joined;
#[path = "../support/log.rs"]
mod log;
mod migrations;
mod secrets;
mod support;
#[path = "../support/mod.rs"]
mod world;
