//! Guides: adopting the crate without risk, and the questions of the first hour, and
//! durable stores.

#[doc = include_str!("adopting.md")]
pub mod adopting {}

#[doc = include_str!("first_hour.md")]
pub mod first_hour {}

#[cfg(feature = "sqlite-unbundled")]
#[doc = include_str!("durable_stores.md")]
pub mod durable_stores {}
