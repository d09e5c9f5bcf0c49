//! Tracked messages in a SQLite file: the durable store of one machine.
//!
//! ```
//! use tower_message_feedback::store::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = std::env::temp_dir().join(format!("tmf-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let path = directory.join("feedback.db");
//! SqliteStore::migrate(&path).await?;
//! let store = SqliteStore::open(&path).await?;
//! # drop(store);
//! # std::fs::remove_dir_all(directory)?;
//! # Ok(())
//! # }
//! ```
//!
//! Cargo features: `sqlite` builds SQLite in; `sqlite-unbundled` links the one
//! that the system, or another crate of the application, brings (3.37 or later).
//!
//! # What its answers survive
//!
//! The file has a write-ahead log (WAL), and by default every commit waits until
//! the disk has it ([`Synchronous::Full`]): [`Durability::Synced`]. With
//! [`Synchronous::Normal`] a commit is only handed to the operating system. That
//! survives the death of any process, but if the machine loses its power, the
//! commits of the last moments are gone, a *queued* among them; the file is
//! sound even so. That is [`Durability::Process`], and several times faster for
//! who writes one message at a time.
//!
//! Every connection asks SQLite for its settings after it has set them, and an
//! [open](SqliteStoreBuilder::open) whose settings did not take is an error that
//! names the setting. [`SqliteStore::settings`] tells them at any time. What
//! nobody can ask is whether the disk keeps its word about a sync.
//!
//! # How it works
//!
//! One thread owns the connection that writes. Whatever is asked while the disk
//! syncs goes into the next transaction, so that many confirms share one sync:
//! each is undone alone if it fails, and is answered after the commit. Another
//! thread and connection read, and wait for no sync. An operation whose future
//! is dropped may be done or not.
//!
//! A file may be used by many store objects and processes of one machine at a
//! time; one writes while the others wait, for no longer than
//! [`busy_timeout`](SqliteStoreBuilder::busy_timeout). Past it, as with a full
//! disk or one that fails, the operation's error has a [`SqliteError`] as its
//! source that says so. Nothing is half done then, and the store works again as
//! soon as the file does.
//!
//! # The file
//!
//! A pending message takes about 150 bytes. The file grows to the most that it
//! ever held and does not shrink; `VACUUM` makes it smaller while nothing uses
//! it. Beside it lie `-wal` and `-shm`, which belong to it: a copy of the file
//! alone may lack what was committed last. Back it up with `VACUUM INTO` or
//! SQLite's backup API. After a restore, what was delivered since the backup is
//! delivered again.
//!
//! Network file systems cannot share the `-shm` file between machines, and their
//! locks and syncs often do not hold what they promise: use a local disk, and
//! PostgreSQL or Redis for many machines.
//!
//! What is removed is overwritten in the file (`PRAGMA secure_delete`, which
//! costs the writing of pages that would be dropped unread), and
//! [`forget`](FeedbackStore::forget) empties the log, too, unless another
//! connection is reading at that moment: then what it holds is overwritten by
//! later commits. Expiry leaves the log to those. Where SQLite has moved rows
//! from page to page, traces of keys and SIDs (of about one message in a hundred,
//! where thousands were removed) can stay in the unused part of a page until it
//! is used again; `VACUUM` leaves none.
//!
//! The tables are named `tmf_…` and may lie in a database of the application's
//! own. [Migrating](SqliteStore::migrate) it turns the write-ahead log on for
//! the whole file. Recording and confirming can then be part of the
//! application's transactions: [`record_in`](SqliteStore::record_in),
//! [`confirm_in`](SqliteStore::confirm_in). What a full store drops in one of
//! them is overwritten if that connection has `secure_delete` on.
//!
//! Labels, accounts and base URLs are kept once and for good, so a label should
//! be one of a few.
//!
//! # Versions
//!
//! [`migrate`](SqliteStore::migrate) is a step of its own, so that an
//! application decides when its file is changed. The tables say the oldest
//! version that can still work on them: processes of the version before go on
//! during a rolling upgrade, and one that is too old is refused with an error.
//!
//! # Why rusqlite
//!
//! It is one thin crate over SQLite (9 crates in all, against 93 for sqlx), its
//! calls are synchronous, as SQLite's are, and a thread of our own is what group
//! commit needs anyway. Cargo allows one crate that links SQLite in a build, so
//! the accepted versions are a range (0.32 to 0.43): it resolves beside whichever
//! sqlx or rusqlite an application has. [`rusqlite`] is the one that was chosen.

mod builder;
mod confirm;
mod connection;
mod error;
mod joined;
mod lease;
mod names;
mod notes;
mod read;
mod record;
mod removal;
mod rollups;
mod schema;
mod session;
mod settle;
mod statements;
mod status;
mod worker;

use std::{fmt, path::Path, sync::Arc};

/// The driver, in the version that [`SqliteStore::record_in`] takes.
pub use rusqlite;

pub use self::{
    builder::SqliteStoreBuilder,
    connection::{ConnectionRole, ConnectionSettings, Synchronous},
    error::SqliteError,
};
use self::{connection::Target, session::Session, worker::Queue};
use super::{
    ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, ForgetTarget, LeaseAnswer,
    LeaseRequest, LedgerEntry, Note, NoteOutcome, RecordOutcome, ResendOutcome, Resolution, Rollup,
    RollupBatch, RollupOutcome, SettleOutcome, Settlement, StatusOutcome, StatusUpdate,
    StoreCounts, StoreError, StoreFuture, TrackedMessage,
};
use crate::{CorrelationKeys, MessageSid, Timestamp};

/// A [`FeedbackStore`] in a SQLite file.
///
/// Dropping it ends its threads once they have done what they were asked.
pub struct SqliteStore {
    target: Arc<Target>,
    writer: Queue,
    reader: Queue,
}

impl SqliteStore {
    /// Starts from the default bounds, for the file at `path`.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.as_ref())
    }

    /// Opens the store with the default bounds.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStoreBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder(path).open().await
    }

    /// Creates the file and its tables, or brings older ones up to date.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStoreBuilder::migrate`].
    pub async fn migrate(path: impl AsRef<Path>) -> Result<(), StoreError> {
        Self::builder(path).migrate().await
    }

    /// The file, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.target.path
    }

    /// The settings that its connections have at this moment, for a log at the
    /// start or a health check.
    ///
    /// # Errors
    ///
    /// If SQLite cannot be asked.
    pub async fn settings(&self) -> Result<Vec<ConnectionSettings>, StoreError> {
        let of = |role| move |session: &mut Session<'_>| session.settings(role);
        Ok(vec![
            self.writer.ask(of(ConnectionRole::Writer)).await?,
            self.reader.ask(of(ConnectionRole::Reader)).await?,
        ])
    }

    async fn start(target: Arc<Target>) -> Result<Self, SqliteError> {
        let writer = worker::start(&target, ConnectionRole::Writer).await?;
        let reader = worker::start(&target, ConnectionRole::Reader).await?;
        Ok(Self { target, writer, reader })
    }
}

/// Asks the thread behind `queue` for something about `items`; about none, the
/// answer is known.
fn ask<'a, I, T>(
    queue: &'a Queue,
    items: &'a [I],
    work: impl FnOnce(&mut Session<'_>, &[I]) -> Result<Vec<T>, SqliteError> + Send + 'static,
) -> StoreFuture<'a, Vec<T>>
where
    I: Clone + Send + Sync + 'static,
    T: Send + 'static,
{
    Box::pin(async move {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let items = items.to_vec();
        Ok(queue.ask(move |session| work(session, &items)).await?)
    })
}

impl FeedbackStore for SqliteStore {
    fn record<'a>(&'a self, messages: &'a [TrackedMessage]) -> StoreFuture<'a, Vec<RecordOutcome>> {
        ask(&self.writer, messages, |session, items| session.record(items))
    }

    fn confirm<'a>(&'a self, targets: &'a [ConfirmTarget]) -> StoreFuture<'a, Vec<ConfirmOutcome>> {
        ask(&self.writer, targets, |session, items| session.confirm(items))
    }

    fn lease<'a>(&'a self, request: &'a LeaseRequest) -> StoreFuture<'a, LeaseAnswer> {
        let request = request.clone();
        Box::pin(async move { Ok(self.writer.ask(move |session| session.lease(&request)).await?) })
    }

    fn settle<'a>(&'a self, settlements: &'a [Settlement]) -> StoreFuture<'a, Vec<SettleOutcome>> {
        ask(&self.writer, settlements, |session, items| session.settle(items))
    }

    fn expire(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(async move { Ok(self.writer.ask(move |session| session.expire(limit)).await?) })
    }

    fn forget<'a>(&'a self, targets: &'a [ForgetTarget]) -> StoreFuture<'a, Vec<usize>> {
        ask(&self.writer, targets, |session, items| session.forget(items))
    }

    fn update_status<'a>(
        &'a self,
        updates: &'a [StatusUpdate],
    ) -> StoreFuture<'a, Vec<StatusOutcome>> {
        ask(&self.writer, updates, |session, items| session.update_status(items))
    }

    fn keep_notes<'a>(&'a self, notes: &'a [Note]) -> StoreFuture<'a, Vec<NoteOutcome>> {
        ask(&self.writer, notes, |session, items| session.keep_notes(items))
    }

    fn notes<'a>(&'a self, keys: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Option<Vec<u8>>>> {
        ask(&self.reader, keys, |session, items| session.notes(items))
    }

    fn lookup<'a>(&'a self, ids: &'a [CorrelationKeys]) -> StoreFuture<'a, Vec<Vec<LedgerEntry>>> {
        ask(&self.reader, ids, |session, items| session.lookup(items))
    }

    fn by_sid<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<Option<LedgerEntry>>> {
        ask(&self.reader, sids, |session, items| session.by_sid(items))
    }

    fn dead_letters(
        &self,
        after: Option<MessageSid>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<LedgerEntry>> {
        Box::pin(async move {
            Ok(self.reader.ask(move |session| session.dead_letters(after, limit)).await?)
        })
    }

    fn resend<'a>(&'a self, sids: &'a [MessageSid]) -> StoreFuture<'a, Vec<ResendOutcome>> {
        ask(&self.writer, sids, |session, items| session.resend(items))
    }

    fn add_rollups<'a>(&'a self, batch: &'a RollupBatch) -> StoreFuture<'a, RollupOutcome> {
        let batch = batch.clone();
        Box::pin(
            async move { Ok(self.writer.ask(move |session| session.add_rollups(&batch)).await?) },
        )
    }

    fn rollups(
        &self,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<Rollup>> {
        let read = move |session: &mut Session<'_>| session.rollups(resolution, from, to);
        Box::pin(async move { Ok(self.reader.ask(read).await?) })
    }

    fn counts(&self) -> StoreFuture<'_, StoreCounts> {
        Box::pin(async move { Ok(self.reader.ask(|session| session.counts()).await?) })
    }

    fn durability(&self) -> Durability {
        match self.target.synchronous {
            Synchronous::Full => Durability::Synced,
            Synchronous::Normal => Durability::Process,
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.target.path)
            .field("synchronous", &self.target.synchronous)
            .finish_non_exhaustive()
    }
}
