//! Guides: adopting the crate without risk, and the questions of the first hour.

#[doc = include_str!("adopting.md")]
pub mod adopting {}

#[doc = include_str!("first_hour.md")]
pub mod first_hour {}
