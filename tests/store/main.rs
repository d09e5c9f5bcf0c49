//! The store in memory keeps the contract, and the suite that says so notices
//! stores that do not.

mod broken;
mod conformance;
mod delegate;
mod loose;
mod memory;
mod shared;
