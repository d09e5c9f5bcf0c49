//! The outgoing layer, through the public API and against real parts.

mod body_failures;
mod ids;
mod receipts;
mod script;
mod support;
mod tagging;
