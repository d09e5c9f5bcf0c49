//! What an error says: what was wrong, and what was expected, for whoever reads it.

use tower_message_feedback::{
    AccountSid, BaseUrl, Country, Credentials, MessageSid, MessageStatus, MessagingServiceSid,
    store::StoreUrl, webhook::SignatureVerifier,
};

use crate::support::AC;

#[test]
fn a_text_that_is_something_else_is_answered_with_what_was_expected() {
    for (error, text) in [
        ("AC1".parse::<AccountSid>().map(drop).map_err(|e| e.to_string()), "AC"),
        ("SM1".parse::<MessageSid>().map(drop).map_err(|e| e.to_string()), "SM or MM"),
        ("MG1".parse::<MessagingServiceSid>().map(drop).map_err(|e| e.to_string()), "MG"),
        ("here".parse::<BaseUrl>().map(drop).map_err(|e| e.to_string()), "not a base URL: "),
        ("Europe".parse::<Country>().map(drop).map_err(|e| e.to_string()), "two letters"),
        ("gone".parse::<MessageStatus>().map(drop).map_err(|e| e.to_string()), "status"),
        ("mysql:".parse::<StoreUrl>().map(drop).map_err(|e| e.to_string()), "memory:, sqlite:"),
    ] {
        let error = error.expect_err("a mistake");
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn credentials_that_cannot_be_sent_name_the_setting_and_what_is_wrong_with_it() {
    for (error, setting, problem) in [
        (Credentials::auth_token("AC1", "token"), "account SID", "expected AC"),
        (Credentials::auth_token(AC, "to\nken"), "auth token", "empty, or with control"),
        (Credentials::api_key(AC, "SK1", "secret"), "API key SID", "expected SK"),
        (Credentials::bearer(AC, "a b"), "OAuth token", "expected visible ASCII"),
    ] {
        let error = error.expect_err("a mistake");
        assert_eq!(error.setting(), setting);
        assert!(error.to_string().starts_with(&format!("{setting}: {problem}")), "{error}");
    }
    let error = SignatureVerifier::new("AC1", "token").expect_err("a mistake");
    assert!(error.to_string().starts_with(error.setting()), "{error}");
}
