//! The report's page: over HTTP, and in a real browser.

#[path = "../otp_login/chrome.rs"]
mod chrome;
mod in_a_browser;
mod over_http;
mod support;
