//! What is at rest, and what is said.

use tower_message_feedback::{
    AccountSid, Credentials, MessageFeedback, MessageSid,
    store::{FeedbackStore, PostgresStore},
};

use crate::support::{by_id, connect, fresh, message, record, said, server};

/// Every row of every table, as text.
async fn everything(store: &PostgresStore) -> String {
    let client = connect(&server().url()).await;
    let mut text = String::new();
    for table in ["migration", "account", "source", "message", "outbox", "delivered", "dead_letter"]
    {
        let sql = format!(
            "SELECT coalesce(string_agg(t::text, ' '), '') FROM {}.{table} t",
            store.schema()
        );
        let rows: String = client.query_one(&sql, &[]).await.expect("rows").get(0);
        text.push_str(&rows);
    }
    text
}

#[tokio::test]
async fn no_id_is_at_rest() {
    let store = std::sync::Arc::new(fresh().await);
    let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse().expect("a SID");
    let (feedback, _dispatcher) = MessageFeedback::builder()
        .credentials(Credentials::auth_token(&account.to_string(), "secret").expect("credentials"))
        .correlation_key("a key of more than thirty-two bytes, kept elsewhere")
        .store(store.clone())
        .store_timeout(crate::support::PATIENCE)
        .build_pair()
        .expect("a handle");
    let sid: MessageSid = "SM0123456789abcdef0123456789abcdef".parse().expect("a SID");
    let sent = tower_message_feedback::SentMessage::new(account, sid);
    feedback.record("+15005550006", sent).await;
    assert!(feedback.confirm("+15005550006").await.is_confirmed());
    let rows = everything(&store).await;
    assert!(rows.contains("0123456789abcdef0123456789abcdef"), "the SID is there");
    for secret in ["15005550006", "5005550006", "secret", "kept elsewhere"] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!rows.contains(secret) && !rows.contains(&hex), "{secret} is at rest");
    }
}

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
