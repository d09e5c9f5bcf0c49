//! Guides: from the first line to many machines, clients, SDKs and languages, every action
//! that a message can ask for, operating it, security, and upgrades.

#[doc = include_str!("many_machines.md")]
#[cfg(feature = "sqlite-unbundled")]
pub mod many_machines {}

#[doc = include_str!("adopting.md")]
pub mod adopting {}

#[doc = include_str!("first_hour.md")]
pub mod first_hour {}

#[cfg(feature = "phone-number")]
#[doc = include_str!("actions.md")]
pub mod actions {}

#[cfg(feature = "reqwest-middleware")]
#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("other_languages.md")]
pub mod other_languages {}

#[doc = include_str!("login_servers.md")]
pub mod login_servers {}

#[cfg(feature = "sqlite-unbundled")]
#[doc = include_str!("durable_stores.md")]
pub mod durable_stores {}

#[cfg(feature = "serde")]
#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("scale.md")]
pub mod scale {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("upgrading.md")]
pub mod upgrading {}
