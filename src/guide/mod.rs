//! Guides: adopting the crate without risk, every action that a message can ask for, the
//! questions of the first hour, and durable stores.

#[doc = include_str!("adopting.md")]
pub mod adopting {}

#[cfg(feature = "phone-number")]
#[doc = include_str!("actions.md")]
pub mod actions {}

#[doc = include_str!("first_hour.md")]
pub mod first_hour {}

#[cfg(feature = "sqlite-unbundled")]
#[doc = include_str!("durable_stores.md")]
pub mod durable_stores {}
