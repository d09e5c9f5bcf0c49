//! No secret and nothing personal in `Debug`.

use std::fmt::Debug;

use base64::{Engine, prelude::BASE64_STANDARD};
use tower_message_feedback::{
    Confirmation, CorrelationId, CorrelationKey, CorrelationKeys, Credentials, MessageFeedback,
    MessageSid, Recorded,
    store::{ConfirmTarget, MemoryStore, Resends, TrackedMessage},
};

use crate::support::{AC, SK, START, Site, account};

const TOKEN: &str = "MARKED-token";
const KEY: &str = "MARKED-correlation-key";
const OLD_KEY: &str = "MARKED-previous-key";
const ID: &str = "MARKED-id";
const PHONE: &str = "+15550MARKED";

#[track_caller]
fn shows_no_secret(value: &dyn Debug) {
    let text = format!("{value:?}\n{value:#?}");
    let basic = BASE64_STANDARD.encode(format!("{AC}:{TOKEN}"));
    let bytes = |text: &str| format!("{:?}", text.as_bytes());
    for secret in [
        "MARKED",
        &basic,
        &BASE64_STANDARD.encode(format!("{SK}:{TOKEN}")),
        &bytes(TOKEN),
        &bytes(KEY),
        &bytes(OLD_KEY),
        &bytes(ID),
        "0xad",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // The bytes of a correlation key, in any usual form: times, ports and SIDs have
    // the same digits by chance.
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        assert_ne!(word, "173", "{text}");
        assert!(word.parse::<MessageSid>().is_ok() || !word.contains("adad"), "{text}");
    }
    for line in text.lines() {
        // `{:#?}` of bytes: a number on each line.
        assert!(line.trim().trim_end_matches(',').parse::<u8>().is_err(), "{text}");
    }
}

#[test]
fn credentials_show_their_account_alone() {
    for credentials in [
        Credentials::auth_token(AC, TOKEN),
        Credentials::api_key(AC, SK, TOKEN),
        Credentials::bearer(AC, TOKEN),
    ] {
        let credentials = credentials.expect("credentials");
        shows_no_secret(&credentials);
        assert!(format!("{credentials:?}").contains(AC));
    }
    for error in [
        Credentials::auth_token(TOKEN, TOKEN),
        Credentials::auth_token(AC, "MARKED\n"),
        Credentials::api_key(AC, TOKEN, TOKEN),
        Credentials::bearer(AC, "MARKED token"),
    ] {
        let error = error.expect_err("bad credentials");
        shows_no_secret(&error);
        assert!(!error.to_string().contains("MARKED"));
    }
}

#[test]
fn ids_and_keys_show_nothing() {
    shows_no_secret(&CorrelationId::new(ID));
    shows_no_secret(&CorrelationId::recipient(PHONE));
    let key = CorrelationKey::from_bytes([0xad; 16]);
    let mut keys = CorrelationKeys::from(key);
    keys.previous = Some(key);
    shows_no_secret(&key);
    shows_no_secret(&keys);
    shows_no_secret(&ConfirmTarget::Id { keys, resends: Resends::All });
    let sid = "SM00000000000000000000000000000000".parse().expect("a SID");
    let base_url = tower_message_feedback::BaseUrl::default();
    shows_no_secret(&TrackedMessage::new(key, sid, account(AC), base_url, START, START));
}

#[tokio::test]
async fn the_builder_the_handle_its_parts_and_the_store_show_nothing() {
    let site = Site::new().await;
    let credentials = Credentials::auth_token(AC, TOKEN).expect("credentials");
    let store = std::sync::Arc::new(MemoryStore::new());
    let builder = site
        .builder()
        .credentials(credentials.clone())
        .credentials_provider(move |_| Some(credentials.clone()))
        .correlation_key(KEY)
        .previous_correlation_key(OLD_KEY)
        .store(store.clone());
    shows_no_secret(&builder);
    let (feedback, dispatcher) = builder.build_pair().expect("a handle");
    assert_eq!(feedback.record(ID, site.sent().await).await, Recorded::Recorded);
    let recipient = CorrelationId::recipient(PHONE);
    assert_eq!(feedback.record(recipient, site.sent().await).await, Recorded::Recorded);
    assert_eq!(feedback.confirm(ID).await, Confirmation::Queued);
    assert_eq!(feedback.confirm("MARKED unknown").await, Confirmation::Unknown);
    shows_no_secret(&feedback);
    shows_no_secret(&dispatcher);
    shows_no_secret(&store);
    shows_no_secret(&feedback.provide_layer());
    shows_no_secret(&feedback.stats());
    assert!(!format!("{:?}", feedback.health().await).contains("MARKED"));
    shows_no_secret(&feedback.lookup(ID).await.expect("an answer"));
}

#[test]
fn errors_of_the_builder_show_nothing() {
    for error in [
        MessageFeedback::builder().correlation_key("MARKED").build_pair(),
        MessageFeedback::builder().allow_origin("http://MARKED@a.example").build_pair(),
        MessageFeedback::builder().allow_origin("MARKED").build_pair(),
    ] {
        let Err(error) = error else { panic!("a mistake was accepted") };
        shows_no_secret(&error);
        assert!(!error.to_string().contains("MARKED"), "{error}");
    }
}
