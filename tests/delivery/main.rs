//! Delivery, from a confirm to what Twilio receives, over a real socket.

mod answers;
mod batches;
mod circuit;
mod concurrency;
mod failing_store;
mod origins;
mod resilience;
mod retries;
mod sharing;
#[path = "../support/mod.rs"]
mod support;
mod transport;
mod wire;
