//! The OTP Conversion report: what is counted, when, and how often.

mod counting;
mod countries;
mod failures;
mod outlets;
mod stores;
mod traffic;
mod watching;

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;
