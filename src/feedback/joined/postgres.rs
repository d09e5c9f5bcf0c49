use std::sync::Arc;

use super::{Asked, Joined};
use crate::{
    Confirmation, CorrelationId, MessageFeedback, Recorded, SentMessage,
    feedback::shared::single,
    store::{PostgresStore, StoreError, postgres::JoinTransaction},
};

/// Confirms and records in transactions of the application's on PostgreSQL, so
/// that what they say and the feedback are one commit.
///
/// Made by [`MessageFeedback::join_postgres`]. Nothing here is ever deferred: an
/// error is returned, and the transaction stays usable, because a savepoint
/// surrounds each call.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use tower_message_feedback::{Credentials, MessageFeedback, store::PostgresStore};
/// # use tower_message_feedback::store::postgres::deadpool_postgres::Pool;
/// # async fn login(pool: Pool) -> Result<(), Box<dyn std::error::Error>> {
/// # let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "x")?;
/// let store = Arc::new(PostgresStore::builder().pool(pool.clone()).build()?);
/// let feedback = MessageFeedback::builder()
///     .credentials(credentials)
///     .correlation_key("the same secret in every process")
///     .store(store.clone())
///     .build()?;
/// let join = feedback.join_postgres(store);
///
/// let mut client = pool.get().await?;
/// let transaction = client.transaction().await?;
/// transaction.execute("UPDATE login SET succeeded = true WHERE id = $1", &[&7_i64]).await?;
/// let confirmed = join.confirm(&transaction, "an id").await?;
/// transaction.commit().await?;
/// confirmed.committed(); // wakes the dispatcher
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JoinPostgres {
    feedback: MessageFeedback,
    store: Arc<PostgresStore>,
}

impl MessageFeedback {
    /// Joins transactions of the application's. `store` is the one that the
    /// builder was given: what another store holds, this handle does not deliver.
    #[must_use]
    pub fn join_postgres(&self, store: Arc<PostgresStore>) -> JoinPostgres {
        JoinPostgres { feedback: self.clone(), store }
    }
}

impl JoinPostgres {
    /// Does what [`MessageFeedback::confirm`] does, in `transaction`.
    ///
    /// An id under which nothing is recorded is [`Confirmation::Unknown`], and is
    /// not looked up again later.
    ///
    /// # Errors
    ///
    /// If the statement failed, or if `transaction` is not in a transaction. The
    /// transaction can go on. Dropped before it has answered, it leaves the statement done
    /// or not: roll back.
    pub async fn confirm(
        &self,
        transaction: &(impl JoinTransaction + Sync),
        id: impl Into<CorrelationId>,
    ) -> Result<Joined<Confirmation>, StoreError> {
        match self.feedback.to_confirm(&id.into()) {
            Asked::Answered(answer) => Ok(answer),
            Asked::Store(target) => {
                let targets = [target];
                let said = single(self.store.confirm_in(transaction, &targets).await?)?;
                Ok(self.feedback.confirmed_in(&targets[0], said))
            }
        }
    }

    /// Does what [`MessageFeedback::record`] does, in `transaction`.
    ///
    /// # Errors
    ///
    /// If the statement failed, or if `transaction` is not in a transaction. The
    /// transaction can go on. Dropped before it has answered, it leaves the statement done
    /// or not: roll back.
    pub async fn record(
        &self,
        transaction: &(impl JoinTransaction + Sync),
        id: impl Into<CorrelationId>,
        sent: SentMessage,
    ) -> Result<Joined<Recorded>, StoreError> {
        match self.feedback.to_record(&id.into(), sent) {
            Asked::Answered(answer) => Ok(answer),
            Asked::Store(message) => {
                let batch = std::slice::from_ref(&message);
                let said = single(self.store.record_in(transaction, batch).await?)?;
                Ok(self.feedback.recorded_in(message, said))
            }
        }
    }
}
