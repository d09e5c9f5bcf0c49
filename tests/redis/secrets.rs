//! What is at rest names nobody.

use std::{fs, path::Path, sync::Arc};

use tower_message_feedback::{
    Confirmation, CorrelationId, Credentials, MessageFeedback, Recorded, SentMessage,
};

use crate::{
    servers::Redis,
    support::{account, open, seconds, sid},
};

/// Every file below a directory, one behind the other.
fn contents(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        all.extend(if path.is_dir() { contents(&path) } else { fs::read(path).expect("a file") });
    }
    all
}

#[tokio::test]
async fn neither_the_log_nor_a_snapshot_holds_an_id_a_number_or_a_credential() {
    const SECRETS: [&str; 5] =
        ["+15550123456", "5550123456", "MARKED-login-id", "MARKED-token", "MARKED-correlation-key"];
    let server = Redis::options().append_only("always").set("rdbcompression", "no").start();
    let (feedback, _dispatcher) = MessageFeedback::builder()
        .credentials(Credentials::auth_token(&account().to_string(), SECRETS[3]).expect("valid"))
        .correlation_key(SECRETS[4])
        .store(Arc::new(open(&server).await))
        .store_timeout(seconds(60))
        .build_pair()
        .expect("a handle");
    let sent = |n| SentMessage::new(account(), sid(n)).label("a-label");
    assert_eq!(feedback.record(SECRETS[2], sent(1)).await, Recorded::Recorded);
    let recipient = CorrelationId::recipient(SECRETS[0]);
    assert_eq!(feedback.record(recipient, sent(2)).await, Recorded::Recorded);
    assert_eq!(feedback.confirm(SECRETS[2]).await, Confirmation::Queued);
    server.cli(&["save"]);
    let at_rest = contents(&server.data());
    let holds = |text: &str| at_rest.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("a-label") && holds("HSET"), "the log was read");
    for secret in SECRETS {
        assert!(!holds(secret), "{secret} is at rest");
    }
}
