//! What a durable store promises, against real servers, real processes, and
//! their deaths.

#[path = "../servers/mod.rs"]
mod servers;

mod ahead;
mod application;
mod children;
mod crash;
mod faults;
mod kit;
mod processes;
mod report;
mod server;
mod settings;
mod stores;
#[path = "../report/traffic.rs"]
mod traffic;
mod unsynced;
mod world;
