//! Recording and confirming in a transaction that the application has open.

use rusqlite::Connection;

use super::{SqliteStore, error::SqliteError, session::Session};
use crate::store::{ConfirmOutcome, ConfirmTarget, RecordOutcome, StoreError, TrackedMessage};

impl SqliteStore {
    /// Remembers messages in a transaction that the application has open on its
    /// own connection to the store's file: they are remembered if it commits,
    /// and only then.
    ///
    /// `transaction` is a [`rusqlite::Transaction`] or the connection under one.
    /// Begin it with [`TransactionBehavior::Immediate`]: one that has read before
    /// it writes fails at once if another connection has written in between. Do
    /// not keep it open for long, since all that write to the file wait for it.
    ///
    /// # Errors
    ///
    /// If no transaction is open, if the connection's main database is not the
    /// store's file or is not of a version that this build knows, if its
    /// `synchronous` is weaker than what [the store promises], or if SQLite fails.
    /// The transaction is left as it was before the call and can go on, unless
    /// the error says that SQLite has rolled it back.
    ///
    /// [the store promises]: crate::store::FeedbackStore::durability
    /// [`rusqlite::Transaction`]: super::rusqlite::Transaction
    /// [`TransactionBehavior::Immediate`]: super::rusqlite::TransactionBehavior::Immediate
    pub fn record_in(
        &self,
        transaction: &Connection,
        messages: &[TrackedMessage],
    ) -> Result<Vec<RecordOutcome>, StoreError> {
        Ok(self.join(transaction, |session| session.record(messages))?)
    }

    /// Puts confirmed messages into the outbox in a transaction that the
    /// application has open, under the terms of [`record_in`](Self::record_in):
    /// "the user is logged in" and "the feedback is queued" are one commit.
    ///
    /// ```
    /// # use tower_message_feedback::{Timestamp, store::*, store::sqlite::rusqlite};
    /// use rusqlite::TransactionBehavior::Immediate;
    ///
    /// # fn login(
    /// #     store: &SqliteStore,
    /// #     connection: &mut rusqlite::Connection,
    /// #     target: ConfirmTarget,
    /// #     user: i64,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let transaction = connection.transaction_with_behavior(Immediate)?;
    /// transaction.execute("UPDATE user SET verified = 1 WHERE id = ?1", [user])?;
    /// store.confirm_in(&transaction, &[target])?;
    /// transaction.commit()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`record_in`](Self::record_in).
    pub fn confirm_in(
        &self,
        transaction: &Connection,
        targets: &[ConfirmTarget],
    ) -> Result<Vec<ConfirmOutcome>, StoreError> {
        Ok(self.join(transaction, |session| session.confirm(targets))?)
    }

    fn join<T>(
        &self,
        connection: &Connection,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, SqliteError>,
    ) -> Result<T, SqliteError> {
        self.target.verify_joined(connection)?;
        let mut session = Session::new(connection, &self.target);
        let answer = session.whole(|session| {
            session.start()?;
            let answer = work(session)?;
            session.save()?;
            Ok(answer)
        });
        match answer {
            // Whether the application commits is not known here: what was
            // dropped at a bound is counted as if it did.
            Ok(answer) => {
                session.committed();
                Ok(answer)
            }
            Err(error) if session.is_in_transaction() => Err(error),
            Err(error) => Err(error.rolled_back()),
        }
    }
}
