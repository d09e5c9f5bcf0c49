//! Recording and confirming in a transaction that the application has open.

use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::{Client, error::SqlState};

use super::{PostgresStore, access::Link, error::PostgresError};
use crate::store::{ConfirmOutcome, ConfirmTarget, RecordOutcome, StoreError, TrackedMessage};

mod sealed {
    pub trait Sealed {
        fn client(&self) -> &tokio_postgres::Client;
    }
}

/// What may have a transaction open: a transaction of `tokio_postgres` or
/// `deadpool_postgres`, or a client in which the application said `BEGIN`.
///
/// It cannot be implemented elsewhere. A transaction wrapped by another pool
/// lends its client: `transaction.client()`.
pub trait JoinTransaction: sealed::Sealed {}

impl sealed::Sealed for Client {
    fn client(&self) -> &Client {
        self
    }
}

impl sealed::Sealed for tokio_postgres::Transaction<'_> {
    fn client(&self) -> &Client {
        self.client()
    }
}

impl sealed::Sealed for deadpool_postgres::Transaction<'_> {
    fn client(&self) -> &Client {
        tokio_postgres::Transaction::client(self)
    }
}

impl sealed::Sealed for ClientWrapper {
    fn client(&self) -> &Client {
        self
    }
}

impl sealed::Sealed for Object {
    fn client(&self) -> &Client {
        self
    }
}

impl<T: sealed::Sealed> JoinTransaction for T {}

const SAVEPOINT: &str = "SAVEPOINT tower_message_feedback";
const RELEASE: &str = "RELEASE SAVEPOINT tower_message_feedback";
const ROLL_BACK: &str =
    "ROLLBACK TO SAVEPOINT tower_message_feedback; RELEASE SAVEPOINT tower_message_feedback";

impl PostgresStore {
    /// Does what [`record`](crate::store::FeedbackStore::record) does, as a part
    /// of the transaction that is open in `transaction`: the messages are
    /// remembered if and when it commits.
    ///
    /// Others that record the same messages wait for its end.
    ///
    /// # Errors
    ///
    /// The server refused it, is not there, or no transaction is open. What the
    /// transaction did before stands, and it can go on. A deadlock is not tried
    /// again, because the transaction holds on to its locks: its own retry is.
    ///
    /// # Cancel safety
    ///
    /// Whoever drops the future does not know whether it took place, and should
    /// roll back.
    pub fn record_in<'a>(
        &'a self,
        transaction: &'a impl JoinTransaction,
        messages: &'a [TrackedMessage],
    ) -> impl Future<Output = Result<Vec<RecordOutcome>, StoreError>> + Send + 'a {
        let client = transaction.client();
        async move {
            savepoint(client).await?;
            let link = Link::Joined(client);
            let result = match self.ready(link).await {
                Ok(()) => self.record_via(link, messages).await,
                Err(error) => Err(error),
            };
            Ok(finish(client, result).await?)
        }
    }

    /// Does what [`confirm`](crate::store::FeedbackStore::confirm) does, as a
    /// part of the transaction that is open in `transaction`: the messages are
    /// in the outbox if and when it commits, and its commit is then a
    /// synchronous one.
    ///
    /// Others that confirm the same messages wait for its end. The dispatcher is
    /// to be woken after the commit; if it is not, it sees the entries at its
    /// next poll.
    ///
    /// # Errors
    ///
    /// The server refused it, is not there, or no transaction is open. What the
    /// transaction did before stands, and it can go on. A deadlock is not tried
    /// again, because the transaction holds on to its locks: its own retry is.
    ///
    /// # Cancel safety
    ///
    /// Whoever drops the future does not know whether it took place, and should
    /// roll back.
    pub fn confirm_in<'a>(
        &'a self,
        transaction: &'a impl JoinTransaction,
        targets: &'a [ConfirmTarget],
    ) -> impl Future<Output = Result<Vec<ConfirmOutcome>, StoreError>> + Send + 'a {
        let client = transaction.client();
        async move {
            savepoint(client).await?;
            let link = Link::Joined(client);
            let result = match self.ready(link).await {
                Ok(()) => self.confirm_via(link, targets).await,
                Err(error) => Err(error),
            };
            Ok(finish(client, result).await?)
        }
    }
}

/// The server knows best whether a transaction is open: outside of one it takes
/// no savepoint.
async fn savepoint(client: &Client) -> Result<(), PostgresError> {
    client.batch_execute(SAVEPOINT).await.map_err(|error| {
        let error = PostgresError::from(error);
        if error.is(&SqlState::NO_ACTIVE_SQL_TRANSACTION) {
            return PostgresError::new("no transaction is open");
        }
        error
    })
}

async fn finish<T>(client: &Client, result: Result<T, PostgresError>) -> Result<T, PostgresError> {
    match result {
        Ok(done) => {
            client.batch_execute(RELEASE).await?;
            Ok(done)
        }
        Err(error) => {
            // If this fails, too, the connection is gone, and the transaction.
            let _ = client.batch_execute(ROLL_BACK).await;
            Err(error)
        }
    }
}
