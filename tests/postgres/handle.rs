//! The store under a handle: the application's own transactions.

use std::sync::Arc;

use tower_message_feedback::{
    Confirmation, JoinPostgres, Recorded, store::postgres::tokio_postgres::Client,
};

use crate::{
    support::{builder, connect, fresh_schema, migrated, server},
    world::{AC, CORRELATION_KEY, Site, World, credentials, guarded, settle_down},
};

struct Joined {
    world: World,
    join: JoinPostgres,
    client: Client,
    logins: String,
}

async fn joined() -> Joined {
    let schema = fresh_schema();
    let site = Site::new().await;
    let store = Arc::new(migrated(builder(&schema).clock(site.time.clock())).await);
    let builder = site
        .builder()
        .credentials(credentials())
        .correlation_key(CORRELATION_KEY)
        .store_timeout(crate::support::PATIENCE);
    let world = site.world(builder.store(store.clone()));
    let join = world.feedback.join_postgres(store);
    let client = connect(&server().url()).await;
    let logins = format!("\"{schema}\".login");
    client.batch_execute(&format!("CREATE TABLE {logins} (id text)")).await.expect("a table");
    Joined { world, join, client, logins }
}

impl Joined {
    async fn logins(&self) -> i64 {
        let sql = format!("SELECT count(*) FROM {}", self.logins);
        self.client.query_one(&sql, &[]).await.expect("a number").get(0)
    }
}

#[tokio::test]
async fn a_login_and_its_confirm_are_one_commit_and_the_dispatcher_is_woken_behind_it() {
    let mut joined = joined().await;
    let sid = joined.world.send("id").await;
    assert!(joined.world.flush().await.is_empty());
    let transaction = joined.client.transaction().await.expect("begun");
    let insert = format!("INSERT INTO {} VALUES ('user')", joined.logins);
    transaction.execute(&insert, &[]).await.expect("a row");
    let confirmed = joined.join.confirm(&transaction, "id").await.expect("confirmed");
    assert_eq!(*confirmed, Confirmation::Queued);
    assert!(joined.world.flush().await.is_empty());
    assert!(joined.world.calls().is_empty(), "before the commit");
    transaction.commit().await.expect("committed");
    // Nobody has told the dispatcher, and the clock of its polls stands still.
    settle_down().await;
    assert!(joined.world.calls().is_empty(), "before it was told");
    assert_eq!(joined.world.feedback.stats().confirms.queued, 0);
    assert_eq!(confirmed.committed(), Confirmation::Queued);
    guarded(joined.world.twilio.wait_until(|twilio| twilio.confirmed() == [sid])).await;
    assert_eq!(joined.world.feedback.stats().confirms.queued, 1);
    assert_eq!(joined.logins().await, 1);
}

#[tokio::test]
async fn a_rollback_undoes_what_was_recorded_and_confirmed_with_the_login() {
    let mut joined = joined().await;
    let sid = joined.world.send("id").await;
    let other = joined.world.create(AC).await;
    let sent = joined.world.sent(AC, other);
    let transaction = joined.client.transaction().await.expect("begun");
    let insert = format!("INSERT INTO {} VALUES ('user')", joined.logins);
    transaction.execute(&insert, &[]).await.expect("a row");
    let confirmed = joined.join.confirm(&transaction, "id").await.expect("confirmed");
    assert_eq!(*confirmed, Confirmation::Queued);
    let recorded = joined.join.record(&transaction, "other", sent).await.expect("recorded");
    assert_eq!(*recorded, Recorded::Recorded);
    transaction.rollback().await.expect("rolled back");
    assert!(joined.world.flush().await.is_empty());
    assert_eq!((joined.world.reports(sid), joined.logins().await), (0, 0));
    assert_eq!(joined.world.feedback.lookup("other").await.expect("an answer"), []);
    assert_eq!(joined.world.feedback.confirm("id").await, Confirmation::Queued);
    assert!(joined.world.flush().await.is_empty());
    assert_eq!(joined.world.reports(sid), 1);
}

#[tokio::test]
async fn outside_of_a_transaction_it_is_an_error_and_nothing_is_deferred() {
    let joined = joined().await;
    joined.world.send("id").await;
    let error = joined.join.confirm(&joined.client, "id").await.expect_err("no transaction");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(joined.world.feedback.health().await.deferred, 0);
    let invalid = joined.join.confirm(&joined.client, "").await.expect("an answer");
    assert_eq!(invalid.committed(), Confirmation::NoId);
}
