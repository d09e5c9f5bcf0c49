//! Mistakes in a configuration: an error names the setting, and no secret.

use serde_json::json;
use tower_message_feedback::{
    AccountSid, BaseUrl, Country, Credentials, MessageFeedback, MessageFeedbackConfig, MessageSid,
    MessageStatus, MessagingServiceSid, PreviewGuard, RetryPolicy,
    store::{PostgresStore, RedisStore, SqliteStore, StoreUrl},
    webhook::SignatureVerifier,
};

use crate::{
    markers::{
        API_SECRET, AUTH_TOKEN, BEARER, CODE, CORRELATION_KEY, MESSAGE, PREVIOUS_KEY,
        STORE_PASSWORD, USER, WEBHOOK_TOKEN,
    },
    said::{listen, nobody_told, noted, noted_error},
    support::{AC, OTHER_AC, SK},
};

#[tokio::test]
async fn mistakes_in_secrets_do_not_repeat_them() {
    listen();
    secrets().await;
    nobody_told();
}

pub(crate) async fn secrets() {
    for error in [
        Credentials::auth_token(AUTH_TOKEN, AUTH_TOKEN),
        Credentials::auth_token(AC, &format!("{AUTH_TOKEN}\n")),
        Credentials::api_key(AC, API_SECRET, API_SECRET),
        Credentials::api_key(AC, SK, &format!("\0{API_SECRET}")),
        Credentials::bearer(AC, &format!("{BEARER} x")),
        Credentials::bearer(USER, BEARER),
    ] {
        noted_error(error.expect_err("a mistake"));
    }
    noted_error(SignatureVerifier::new(WEBHOOK_TOKEN, WEBHOOK_TOKEN).expect_err("no account"));
    let verifier = SignatureVerifier::new(AC, WEBHOOK_TOKEN).expect("a token");
    let with_password = format!("https://app:{STORE_PASSWORD}@app.example/");
    noted_error(verifier.clone().public_url(MESSAGE).expect_err("no URL"));
    // Twilio signs a password in a URL.
    let _ = noted(verifier.public_url(&with_password).expect("a URL"));
    for result in [
        MessageFeedback::builder().correlation_key(&CORRELATION_KEY[..4]).build_pair(),
        MessageFeedback::builder()
            .correlation_key(CORRELATION_KEY)
            .previous_correlation_key(&PREVIOUS_KEY[..4])
            .build_pair(),
        MessageFeedback::builder().allow_origin(&with_password).build_pair(),
        MessageFeedback::builder().status_callback(&with_password).build_pair(),
        MessageFeedback::builder().status_callback(MESSAGE).build_pair(),
    ] {
        let Err(error) = result else { panic!("a mistake was accepted") };
        noted_error(error);
    }
}

#[tokio::test]
async fn texts_that_are_not_what_they_should_be_are_not_repeated() {
    listen();
    texts().await;
    nobody_told();
}

pub(crate) async fn texts() {
    for text in [USER, CODE, MESSAGE, STORE_PASSWORD, AUTH_TOKEN] {
        noted_error(text.parse::<AccountSid>().expect_err("no SID"));
        noted_error(text.parse::<MessageSid>().expect_err("no SID"));
        noted_error(text.parse::<MessagingServiceSid>().expect_err("no SID"));
        noted_error(text.parse::<BaseUrl>().expect_err("no URL"));
        noted_error(text.parse::<Country>().expect_err("no country"));
        noted_error(text.parse::<MessageStatus>().expect_err("no status"));
        noted_error(text.parse::<StoreUrl>().expect_err("no store"));
    }
}

#[tokio::test]
async fn a_configuration_shows_no_secret_and_neither_do_its_mistakes() {
    listen();
    configurations().await;
    nobody_told();
}

pub(crate) async fn configurations() {
    let good = || {
        json!({
            "accounts": [
                { "account_sid": AC, "auth_token": AUTH_TOKEN },
                { "account_sid": OTHER_AC, "api_key": SK, "api_secret": API_SECRET },
            ],
            "correlation_key": CORRELATION_KEY,
            "previous_correlation_key": PREVIOUS_KEY,
            "store": format!("postgres://feedback:{STORE_PASSWORD}@127.0.0.1:1/feedback"),
        })
    };
    let config = |value: serde_json::Value| serde_json::from_value::<MessageFeedbackConfig>(value);
    // There is no such server.
    let refused = noted(config(good()).expect("settings")).into_builder().await;
    noted_error(refused.expect_err("no store"));
    let with = |name: &str, value: serde_json::Value| {
        let mut all = good();
        all[name] = value;
        all
    };
    for mistaken in [
        with("correlation_key", json!([CORRELATION_KEY])),
        with("correlation_key", json!({ CORRELATION_KEY: 1 })),
        with("store", json!(format!("mysql://feedback:{STORE_PASSWORD}@127.0.0.1"))),
        with("store", json!([STORE_PASSWORD])),
        with("accounts", json!(AUTH_TOKEN)),
        with("accounts", json!([{ "account_sid": AC, "auth_token": [AUTH_TOKEN] }])),
        with("accounts", json!([{ "account_sid": AC, "auth_token": AUTH_TOKEN, "api_key": SK }])),
        with("accounts", json!([{ "account_sid": AUTH_TOKEN, "auth_token": AUTH_TOKEN }])),
        with("accounts", json!([{ "account_sid": AC, "api_secret": API_SECRET }])),
        with("accounts", json!([{ "account_sid": AC, "bearer_token": format!("{BEARER} x") }])),
        with("status_callback", json!(format!("https://x:{STORE_PASSWORD}@app.example"))),
        with("retention", json!(CODE)),
    ] {
        let mut mistaken = mistaken;
        if mistaken["store"].as_str().is_some_and(|url| url.starts_with("postgres")) {
            mistaken["store"] = json!("memory:");
        }
        match config(mistaken.clone()) {
            // What a format says quotes what it read, and is told apart on the guide's page.
            Err(error) => drop(error),
            Ok(config) => match noted(config).into_builder().await {
                Err(error) => drop(noted_error(error)),
                Ok(builder) => {
                    let built = noted(builder).build_pair();
                    noted_error(built.err().unwrap_or_else(|| panic!("it works: {mistaken}")));
                }
            },
        }
    }
}

#[tokio::test]
async fn stores_that_cannot_be_opened_do_not_repeat_their_passwords() {
    listen();
    stores().await;
    nobody_told();
}

pub(crate) async fn stores() {
    for url in [
        format!("postgres://feedback:{STORE_PASSWORD}@127.0.0.1:1/feedback"),
        format!("postgres://feedback:{STORE_PASSWORD}@127.0.0.1:x/feedback"),
        format!("postgres://feedback:{STORE_PASSWORD}@127.0.0.1/f?{STORE_PASSWORD}=1"),
        format!("redis://:{STORE_PASSWORD}@127.0.0.1:1/0"),
        format!("redis://:{STORE_PASSWORD}@127.0.0.1:x/0"),
        format!("sqlite:/nowhere/{STORE_PASSWORD}/feedback.db"),
    ] {
        let url: StoreUrl = noted(url.parse().expect("a URL"));
        noted_error(url.open().await.err().expect("no store"));
        noted_error(url.migrate().await.expect_err("no store"));
    }
    let url = format!("postgres://feedback:{STORE_PASSWORD}@127.0.0.1:1/feedback");
    let builder = noted(PostgresStore::builder().url(url));
    let store = noted(builder.build().expect("a store"));
    noted_error(store.check().await.expect_err("no server"));
    noted_error(store.migrate().await.expect_err("no server"));
    let builder = noted(RedisStore::builder().prefix("p"));
    let url = format!("redis://:{STORE_PASSWORD}@127.0.0.1:1/0");
    noted_error(builder.connect(url).await.expect_err("no server"));
    noted_error(noted(SqliteStore::builder("/nowhere/feedback.db")).open().await.expect_err("no"));
    noted(PreviewGuard::default());
    let _ = noted(RetryPolicy::default());
}
