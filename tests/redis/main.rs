//! The store in Redis, against servers that the tests start themselves.

#[path = "../servers/mod.rs"]
mod servers;

mod conformance;
mod expiry;
mod layout;
mod memory;
mod migrations;
mod reconnecting;
mod safety;
mod scripts;
mod support;
mod together;
