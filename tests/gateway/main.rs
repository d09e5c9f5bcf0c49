//! The example `gateway`: what passes, what it answers itself, and the SDKs of other
//! languages through it.

#![allow(unreachable_pub)]

mod confirming;
mod login_servers;
mod operating;
mod passing;
mod sdks;
mod stopping;
mod support;
mod trouble;

#[path = "../../examples/gateway/app/mod.rs"]
mod app;
#[path = "../servers/tls.rs"]
mod tls;
