//! The store in PostgreSQL, against servers that the tests start themselves.

#[path = "../servers/mod.rs"]
mod servers;

mod conformance;
mod support;
