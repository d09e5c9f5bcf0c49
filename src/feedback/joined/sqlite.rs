use std::sync::Arc;

use rusqlite::Connection;

use super::{Asked, Joined};
use crate::{
    Confirmation, CorrelationId, MessageFeedback, Recorded, SentMessage,
    feedback::shared::single,
    store::{SqliteStore, StoreError},
};

/// Confirms and records in transactions of the application's on the SQLite file
/// that the store uses, so that what they say and the feedback are one commit.
///
/// Made by [`MessageFeedback::join_sqlite`]. Its calls block, as rusqlite's do.
/// Nothing here is ever deferred: an error is returned, and the transaction stays
/// usable, because a savepoint surrounds each call.
///
/// ```
/// # use tower_message_feedback::{Credentials, MessageFeedback, store::SqliteStore};
/// # use std::sync::Arc;
/// # use tower_message_feedback::store::sqlite::rusqlite::{Connection, TransactionBehavior::Immediate};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?;
/// # let directory = std::env::temp_dir().join(format!("join-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("app.db");
/// SqliteStore::migrate(&path).await?;
/// let store = Arc::new(SqliteStore::open(&path).await?);
/// let feedback = MessageFeedback::builder()
///     .credentials(credentials)
///     .correlation_key("the same secret after every start")
///     .store(store.clone())
///     .build()?;
/// let join = feedback.join_sqlite(store);
///
/// let mut connection = Connection::open(&path)?;
/// # connection.execute_batch("CREATE TABLE login (id INTEGER, succeeded INTEGER)")?;
/// let transaction = connection.transaction_with_behavior(Immediate)?;
/// transaction.execute("UPDATE login SET succeeded = 1 WHERE id = ?1", [7])?;
/// let confirmed = join.confirm(&transaction, "an id")?;
/// transaction.commit()?;
/// confirmed.committed(); // wakes the dispatcher
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JoinSqlite {
    feedback: MessageFeedback,
    store: Arc<SqliteStore>,
}

impl MessageFeedback {
    /// Joins transactions of the application's. `store` is the one that the
    /// builder was given: what another store holds, this handle does not deliver.
    #[must_use]
    pub fn join_sqlite(&self, store: Arc<SqliteStore>) -> JoinSqlite {
        JoinSqlite { feedback: self.clone(), store }
    }
}

impl JoinSqlite {
    /// Does what [`MessageFeedback::confirm`] does, in `transaction`.
    ///
    /// An id under which nothing is recorded is [`Confirmation::Unknown`], and is
    /// not looked up again later.
    ///
    /// # Errors
    ///
    /// If the statement failed, if `transaction` is not in a transaction, or if it
    /// is one on another file. The transaction can go on.
    pub fn confirm(
        &self,
        transaction: &Connection,
        id: impl Into<CorrelationId>,
    ) -> Result<Joined<Confirmation>, StoreError> {
        match self.feedback.to_confirm(&id.into()) {
            Asked::Answered(answer) => Ok(answer),
            Asked::Store(target) => {
                let targets = [target];
                let said = single(self.store.confirm_in(transaction, &targets)?)?;
                Ok(self.feedback.confirmed_in(&targets[0], said))
            }
        }
    }

    /// Does what [`MessageFeedback::record`] does, in `transaction`.
    ///
    /// # Errors
    ///
    /// If the statement failed, if `transaction` is not in a transaction, or if it
    /// is one on another file. The transaction can go on.
    pub fn record(
        &self,
        transaction: &Connection,
        id: impl Into<CorrelationId>,
        sent: SentMessage,
    ) -> Result<Joined<Recorded>, StoreError> {
        match self.feedback.to_record(&id.into(), sent) {
            Asked::Answered(answer) => Ok(answer),
            Asked::Store(message) => {
                let batch = std::slice::from_ref(&message);
                let said = single(self.store.record_in(transaction, batch)?)?;
                Ok(self.feedback.recorded_in(message, said))
            }
        }
    }
}
