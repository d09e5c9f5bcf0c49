//! The store in memory, through the trait that every store keeps, by a clock
//! that the tests own.

mod bounds;
mod confirm;
mod conformance;
mod expiry;
mod histories;
mod lease;
mod ledger;
mod model;
mod record;
mod settle;
mod support;
mod threads;
