//! The contract as a suite that any [`FeedbackStore`](super::FeedbackStore) runs.
//!
//! ```
//! use tower_message_feedback::store::{MemoryStore, conformance::{self, Settings, Subject}};
//!
//! struct Memory;
//!
//! impl Subject for Memory {
//!     type Store = MemoryStore;
//!
//!     async fn open(&self, settings: Settings) -> MemoryStore {
//!         MemoryStore::builder().clock(settings.clock).build() // and its other settings
//!     }
//! }
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! conformance::run_case(Memory, "record::a_batch_is_answered_item_by_item_in_its_order").await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`store_conformance!`] makes a test of each case, in a module of its own:
//!
//! ```ignore
//! mod conformance {
//!     tower_message_feedback::store_conformance!(super::Memory);
//! }
//! ```

mod batches;
mod bounds;
mod cases;
mod chaos;
mod clock;
mod confirm;
mod effort;
mod erased;
mod expiry;
mod fixture;
mod held;
mod histories;
mod lease;
mod ledger;
mod messages;
mod record;
mod repeat;
mod resends;
mod settle;
mod shared;
mod subject;
mod tasks;
mod verdict;

pub use self::{
    cases::{CASES, run_all, run_case},
    subject::{Capabilities, HeldConfirm, HeldEnd, Settings, Subject},
    verdict::{Report, Verdict},
};
pub use crate::store_conformance;
