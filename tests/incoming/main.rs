//! The incoming half, through its public API: an application and a Twilio on
//! real sockets, with a real client between them.

mod agents;
mod axum_stacks;
mod confirm_layer;
mod confirmed;
mod guard;
mod stacks;
mod store_trouble;
mod support;
mod tracked;
mod twilio_trouble;
mod webhooks;
mod whole_loop;
