//! Settings from a file.

use std::{error::Error, time::Duration};

use serde_json::json;
use tower_message_feedback::{
    BuildError, MessageFeedbackConfig, Mode,
    store::{InvalidStoreUrl, Resends, StoreUrl},
};

use crate::support::{AC, OTHER_AC, SK};

/// Of everything that is secret in these tests.
const SECRET: &str = "s3cr3t-s3cr3t-s3cr3t";

fn toml(text: &str) -> MessageFeedbackConfig {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

async fn refused(config: MessageFeedbackConfig) -> BuildError {
    match config.into_builder().await.and_then(|builder| builder.build()) {
        Ok(_) => panic!("it works"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn every_setting_is_read() {
    let config = toml(&format!(
        r#"
        allow_origins = ["http://127.0.0.1:1"]
        mode = "observe"
        store = "memory:"
        correlation_key = "{SECRET}"
        previous_correlation_key = "{SECRET}"
        retention = "48h"
        resends = "all"
        max_in_flight = 4
        call_timeout = "5s"
        store_timeout = "100ms"
        max_deferred = 10
        max_waiting = "11"
        wait_for_record = "1m 30s"
        status_callback = "https://www.example.com/status"
        webhooks_public_url = "https://www.example.com"
        report = "false"
        report_hours = "24h"
        report_days = "2400h"
        report_labels = 12
        max_form_bytes = 1024
        receipt_timeout = "2s"
        max_receipt_bytes = 2048

        [origin_modes]
        "https://api.dublin.ie1.twilio.com" = "off"

        [retry_policy]
        base = "2s"
        max = "4m"
        max_retry_after = "5m"
        not_found_for = "6m"
        give_up_after = "24h"
        min_attempts = 7

        [[accounts]]
        account_sid = "{AC}"
        auth_token = "{SECRET}"

        [[accounts]]
        account_sid = "{OTHER_AC}"
        api_key = "{SK}"
        api_secret = "{SECRET}"
        "#
    ));
    assert_eq!(config.mode, Some(Mode::Observe));
    assert_eq!(config.resends, Some(Resends::All));
    assert_eq!(config.wait_for_record, Some(Duration::from_secs(90)));
    assert_eq!(config.max_waiting, Some(11));
    assert_eq!(config.report, Some(false));
    assert!(!format!("{config:?}").contains(SECRET));
    let builder = config.into_builder().await.expect("a builder");
    // Every number that was given is among the settings, whatever they are called there.
    let shown = format!("{builder:?}");
    for setting in [
        "172800s",
        "100ms",
        "max_deferred: 10",
        "max_waiting: 11",
        "90s",
        "86400s",
        "8640000s",
        "max_labels: 12",
        "max_form_bytes: 1024",
        "receipt_timeout: 2s",
        "max_receipt_bytes: 2048",
        "resends: All",
        "enabled: false",
        "base: 2s",
        "max: 240s",
        "max_retry_after: 300s",
        "not_found_for: 360s",
        "give_up_after: 86400s",
        "min_attempts: 7",
        AC,
        OTHER_AC,
    ] {
        assert!(shown.contains(setting), "{setting}: {shown}");
    }
    assert!(!shown.contains(SECRET));
    let feedback = builder.build().expect("a handle");
    assert_eq!(feedback.mode(), Mode::Observe);
}

#[tokio::test]
async fn what_is_not_there_or_null_is_the_builders() {
    let config: MessageFeedbackConfig = serde_json::from_value(json!({
        "accounts": [{ "account_sid": AC, "bearer_token": SECRET, "api_key": null }],
        "mode": null,
    }))
    .expect("a configuration");
    let feedback = config.into_builder().await.expect("a builder").build().expect("a handle");
    assert_eq!(feedback.mode(), Mode::On);
    let error = refused(toml("")).await;
    assert_eq!(error.setting(), "credentials");
}

#[test]
fn a_value_that_cannot_be_read_names_its_setting() {
    for (value, error) in [
        (
            json!({ "retention": "soon" }),
            "invalid value: string \"soon\", expected `retention` to be a duration such as \"72h\", \"1m 30s\" or \"250ms\"",
        ),
        (
            json!({ "retention": 72 }),
            "invalid type: integer `72`, expected `retention` to be a duration such as \"72h\", \"1m 30s\" or \"250ms\"",
        ),
        (
            json!({ "retention": "-1s" }),
            "invalid value: string \"-1s\", expected `retention` to be a duration such as \"72h\", \"1m 30s\" or \"250ms\"",
        ),
        (
            json!({ "max_in_flight": -1 }),
            "invalid value: integer `-1`, expected `max_in_flight` to be a number that is not negative",
        ),
        (
            json!({ "max_in_flight": 1.5 }),
            "invalid type: floating point `1.5`, expected `max_in_flight` to be a number that is not negative",
        ),
        (
            json!({ "report": 1 }),
            "invalid type: integer `1`, expected `report` to be true or false",
        ),
        (
            json!({ "mode": "loud" }),
            "invalid value: string \"loud\", expected `mode` to be \"on\", \"observe\" or \"off\"",
        ),
        (
            json!({ "mode": true }),
            "invalid type: boolean `true`, expected `mode` to be \"on\", \"observe\" or \"off\"",
        ),
        (
            json!({ "origin_modes": { "https://a.twilio.com": 7 } }),
            "invalid type: integer `7`, expected `origin_modes.https://a.twilio.com` to be \"on\", \"observe\" or \"off\"",
        ),
        (
            json!({ "retry_policy": { "base": [] } }),
            "invalid type: sequence, expected `retry_policy.base` to be a duration such as \"72h\", \"1m 30s\" or \"250ms\"",
        ),
        (
            json!({ "retry_policy": "fast" }),
            "invalid type: string \"fast\", expected `retry_policy` to be a table",
        ),
        (json!({ "accounts": {} }), "invalid type: map, expected `accounts` to be a list"),
        (
            json!({ "accounts": [{}, { "account_sid": 7 }] }),
            "invalid type: integer `7`, expected `accounts[1].account_sid` to be a text",
        ),
        (
            json!({ "accounts": [{ "token": "x" }] }),
            "there is no setting `accounts[0].token`: expected one of account_sid, auth_token, api_key, api_secret, bearer_token",
        ),
        (json!({ "retenion": "1h" }), "there is no setting `retenion`: expected one of accounts, "),
        (
            json!({ "store": "mysql://a:b@c/d" }),
            "`store`: the store's URL cannot be used: its scheme is unknown: expected memory:, sqlite:, postgres: or redis:",
        ),
        (json!([]), "invalid type: sequence, expected a table"),
    ] {
        let found = serde_json::from_value::<MessageFeedbackConfig>(value.clone()).unwrap_err();
        let found = found.to_string();
        assert!(found.starts_with(error), "{value}: {found}");
    }
}

#[test]
fn a_secret_of_another_type_is_not_repeated() {
    for field in ["auth_token", "api_secret", "bearer_token"] {
        for wrong in [
            json!(815_4711),
            json!(-815_4711),
            json!(815.4711),
            json!(true),
            json!(["8154711"]),
            json!({ "8154711": 1 }),
        ] {
            let config = json!({ "accounts": [{ field: wrong }] });
            let text = serde_json::to_string(&config).unwrap();
            let error =
                serde_json::from_str::<MessageFeedbackConfig>(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`accounts[0].{field}`")), "{error}");
            assert!(!error.contains("815") && !error.contains("4711"), "{error}");
        }
    }
    for field in ["correlation_key", "previous_correlation_key", "store"] {
        let error = serde_json::from_value::<MessageFeedbackConfig>(json!({ field: 815_4711 }));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")) && !error.contains("815"), "{error}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_named_by_their_place() {
    let account = |fields: &str| format!("[[accounts]]\naccount_sid = \"{AC}\"\n{fields}\n");
    let good = account(&format!("auth_token = \"{SECRET}\""));
    for (text, setting) in [
        (account(""), "accounts[0]"),
        (account("auth_token = \"x\"\nbearer_token = \"x\""), "accounts[0]"),
        (account("auth_token = \"\""), "accounts[0].auth_token"),
        (account(&format!("api_key = \"{SK}\"")), "accounts[0].api_secret"),
        (account("api_secret = \"x\""), "accounts[0].api_key"),
        (account("api_key = \"SK1\"\napi_secret = \"x\""), "accounts[0].api_key"),
        (account("bearer_token = \"two words\""), "accounts[0].bearer_token"),
        (format!("{good}[[accounts]]\nauth_token = \"x\""), "accounts[1].account_sid"),
        (
            format!("{good}[[accounts]]\naccount_sid = \"AC1\"\nauth_token = \"x\""),
            "accounts[1].account_sid",
        ),
        (format!("{good}{good}"), "credentials"),
        (format!("allow_origins = [\"http://a\", \"b\"]\n{good}"), "allow_origins[1]"),
        (format!("webhooks_public_url = \"x\"\n{good}"), "webhooks_public_url"),
        (format!("status_callback = \"x\"\n{good}"), "status_callback"),
        (format!("correlation_key = \"short\"\n{good}"), "correlation_key"),
        (format!("retention = \"0s\"\n{good}"), "retention"),
        (format!("max_in_flight = 0\n{good}"), "max_in_flight"),
        (format!("{good}[retry_policy]\nbase = \"0s\""), "retry_policy"),
        (format!("{good}[origin_modes]\n\"x\" = \"off\""), "origin_modes"),
        (format!("store = \"sqlite:/nowhere/feedback.db\"\n{good}"), "store"),
        (format!("store = \"postgres://a:{SECRET}@127.0.0.1:1/b\"\n{good}"), "store"),
        (format!("store = \"redis://a:{SECRET}@127.0.0.1:1/0\"\n{good}"), "store"),
    ] {
        let error = refused(toml(&text)).await;
        assert_eq!(error.setting(), setting, "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}

#[tokio::test]
async fn a_store_is_opened_by_its_url() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("tmf-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    for prefix in ["sqlite:", "sqlite://", "SQLITE:"] {
        let url: StoreUrl =
            format!("{prefix}{}", directory.join("feedback.db").display()).parse()?;
        assert!(url.is_durable());
        url.migrate().await?;
        url.migrate().await?;
        assert_eq!(url.open().await?.counts().await?.messages, 0);
    }
    let config = toml(&format!(
        "store = \"sqlite:{}\"\n[[accounts]]\naccount_sid = \"{AC}\"\nauth_token = \"{SECRET}\"",
        directory.join("feedback.db").display()
    ));
    // A durable store needs a key.
    assert_eq!(refused(config.clone()).await.setting(), "correlation_key");
    let mut config = config;
    config.correlation_key = Some(SECRET.into());
    let feedback = config.into_builder().await?.build()?;
    assert!(feedback.health().await.store);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_says_why() {
    let account = |sid| format!("[[accounts]]\naccount_sid = \"{sid}\"\nauth_token = \"{SECRET}\"");
    for (config, setting, problem) in [
        (
            format!("allow_origins = [\"ftp://a.example\"]\n{}", account(AC)),
            "allow_origins[0]",
            "the scheme is neither https nor http",
        ),
        (account("x"), "accounts[0]", "expected AC and 32 hexadecimal digits"),
    ] {
        let error = refused(toml(&config)).await;
        assert!(error.setting().starts_with(setting), "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn a_store_url_that_cannot_be_used_says_why_and_is_not_repeated() {
    for wrong in ["", "memory", "feedback.db", "sqlite:", "sqlite://", "mysql://a:s3cr3t@b/c"] {
        let error: InvalidStoreUrl = wrong.parse::<StoreUrl>().expect_err(wrong);
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }
    for url in [
        "memory:",
        "postgres://a:s3cr3t@b/c",
        "postgresql://a:s3cr3t@b/c",
        "redis://a:s3cr3t@b",
        "rediss://a:s3cr3t@b",
        "sqlite:s3cr3t",
    ] {
        let parsed: StoreUrl = url.parse().expect(url);
        let shown = format!("{parsed:?}");
        assert!(shown.starts_with("StoreUrl(") && !shown.contains("s3cr3t"), "{shown}");
        assert_eq!(parsed.is_durable(), url != "memory:");
    }
}
