//! The contract of a [`FeedbackStore`](super::FeedbackStore) as a suite of tests.
//!
//! ```
//! use tower_message_feedback::store::{MemoryStore, conformance::{Settings, Subject, run_case}};
//!
//! struct Memory;
//! impl Subject for Memory {
//!     type Store = MemoryStore;
//!     async fn open(&self, settings: Settings) -> MemoryStore {
//!         MemoryStore::builder().clock(settings.clock).build() // and the other settings
//!     }
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! run_case(Memory, "confirm::confirming_twice_queues_once_even_in_one_batch").await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! In a test crate, [`store_conformance!`] makes a test of every case, and each
//! is reported by its name:
//!
//! ```
//! # use tower_message_feedback::store::{MemoryStore, conformance::{Settings, Subject}};
//! # pub struct Memory;
//! # impl Subject for Memory {
//! #     type Store = MemoryStore;
//! #     async fn open(&self, settings: Settings) -> MemoryStore {
//! #         MemoryStore::builder().clock(settings.clock).build()
//! #     }
//! # }
//! mod conformance {
//!     tower_message_feedback::store_conformance!(super::Memory);
//! }
//! # fn main() {}
//! ```
//!
//! # What it asks for
//!
//! The suite owns the clock: a store reads [`Settings::clock`] wherever it would
//! read the time, and never waits by it. Cases are about each operation alone,
//! twice in a row, in the orders that matter, in batches of none and of a
//! thousand; about several messages under an id and a key rotation; about the
//! bounds; about time that steps back a little; about several store objects on
//! the same data ([`Subject::open_again`]); about a confirm that is held open in
//! a transaction ([`Subject::hold_confirm`]); about many tasks at once. Generated
//! histories are compared with a list of messages that is scanned from end to
//! end.
//!
//! What the contract leaves open, and a store keeps all the same, it says in
//! [`Subject::capabilities`]. What a case is about and a store does not have makes
//! the case [not applicable](Verdict::NotApplicable), which is told on the
//! standard error stream past the test harness.
//!
//! # Writing a store
//!
//! Begin with [`open`](Subject::open) and the cases of `record`; the groups come
//! in the order in which a store grows. A failing case says what the store
//! answered. A failing history is shortened and printed together with its seed:
//! with `STORE_CONFORMANCE_SEED` set to it, the cases of `histories` run that one
//! alone. `STORE_CONFORMANCE_HISTORIES` says how many are generated, and how long
//! many tasks go on, instead of [`Subject::histories`].

mod ask;
mod batched_tasks;
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
mod notes;
mod record;
mod repeat;
mod resends;
mod rollups;
mod settle;
mod shared;
mod statuses;
mod subject;
mod tasks;
mod turns;
mod verdict;

pub use self::{
    cases::{CASES, run_all, run_case},
    subject::{Capabilities, HeldConfirm, HeldEnd, Settings, Subject},
    verdict::{Report, Verdict},
};
#[doc(inline)]
pub use crate::store_conformance;
