//! What errors say of rows. (What is at rest is shown in `tests/privacy`.)

use tower_message_feedback::store::FeedbackStore;

use crate::support::{by_id, connect, fresh, message, record, said, server};

#[tokio::test]
async fn an_error_quotes_no_row() {
    let store = fresh().await;
    record(&store, 1..2).await;
    let client = connect(&server().url()).await;
    let schema = store.schema();
    client
        .batch_execute(&format!("ALTER TABLE {schema}.outbox ADD CHECK (confirmed_at < 0)"))
        .await
        .expect("a constraint that nothing meets");
    let error = store.confirm(&[by_id(1)]).await.expect_err("the constraint");
    let text = said(&error);
    assert!(text.contains("23514") && text.contains("check constraint"), "{text}");
    // The server's DETAIL has the row.
    let sid = message(1).sid.to_string();
    assert!(!text.contains("Failing row") && !text.contains(&sid[2..]), "{text}");
}
