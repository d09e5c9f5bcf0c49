//! The store in a SQLite file: real files, real locks, a real disk that is full.

mod at_rest;
mod concurrency;
mod conformance;
mod disk;
mod handle;
mod joined;
mod locked;
mod migrations;
mod opening;
mod support;
#[path = "../support/mod.rs"]
mod world;
