//! The website.

mod browser;
mod html;
mod logins;
mod pages;
mod phone;
mod secrets;
mod site;
mod texts;

pub use self::{site::Site, texts::Account};
