//! The handle that an application keeps.

mod bounds;
mod building;
mod config;
mod confirming;
mod dead_letters;
mod deferred;
mod ending;
mod extremes;
mod importing;
#[path = "../support/log.rs"]
mod log;
mod logs;
mod mistakes;
mod modes;
mod operating;
mod overtaken;
mod statuses;
#[path = "../support/mod.rs"]
mod support;
mod texts;
