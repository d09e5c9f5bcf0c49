//! The outgoing layer, through the public API and against real parts.

mod answer_body;
mod body_failures;
mod ids;
mod moody_store;
mod readiness;
mod receipts;
mod reqwest_client;
mod reqwest_middleware;
mod script;
mod stacks;
mod store_failures;
mod support;
mod tagging;
mod transparency;
