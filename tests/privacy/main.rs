//! Privacy at rest and in flight: marked numbers, ids, codes, texts and secrets go through
//! all that the crate has, and are looked for, in every usual form, in all that is left
//! behind: files, logs, metrics, pages, errors and `Debug`.

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod app;
mod direct;
mod encodings;
mod files;
mod forgotten;
mod incoming;
mod markers;
mod memory;
mod mistakes;
mod noting;
mod outgoing;
mod postgres;
mod redis;
mod run;
mod said;
mod search;
mod sqlite;
mod the_search;
mod threats;
