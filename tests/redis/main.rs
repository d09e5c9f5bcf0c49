//! The store in Redis, against servers that the tests start themselves.

#[path = "../servers/mod.rs"]
mod servers;

mod conformance;
mod support;
