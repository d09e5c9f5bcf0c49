//! What a durable store promises, against real servers, real processes, and
//! their deaths.

#[path = "../servers/mod.rs"]
mod servers;

mod children;
mod kit;
mod unsynced;
