//! The handle that an application keeps.

mod bounds;
mod building;
mod confirming;
mod deferred;
mod ending;
mod logs;
mod modes;
mod operating;
mod overtaken;
mod secrets;
mod statuses;
#[path = "../support/mod.rs"]
mod support;
