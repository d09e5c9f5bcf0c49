//! The example `otp_login`, as a person, a preview bot and a browser see it.

#![allow(unreachable_pub)]

mod chrome;
mod in_a_browser;
mod over_http;
mod support;

#[path = "../../examples/otp_login/app/mod.rs"]
mod app;
