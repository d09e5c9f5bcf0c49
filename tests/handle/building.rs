//! What the builder refuses, by the name of the setting.

use futures_util::FutureExt;
use std::time::Duration;

use tower_message_feedback::{
    Credentials, DispatcherState, MessageFeedback, MessageFeedbackBuilder, RetryPolicy,
};

use crate::support::{
    AC, CORRELATION_KEY, START, SwitchStore, credentials, other_credentials, seconds,
};

fn builder() -> MessageFeedbackBuilder {
    MessageFeedback::builder().credentials(credentials())
}

#[track_caller]
fn refused(builder: MessageFeedbackBuilder, setting: &str) {
    let Err(error) = builder.build_pair() else { panic!("{setting} was accepted") };
    assert_eq!(error.setting(), setting);
    let text = error.to_string();
    assert!(text.contains(setting), "{text}");
}

#[test]
fn a_builder_needs_credentials_and_each_accounts_once() {
    refused(MessageFeedback::builder(), "credentials");
    refused(builder().credentials(credentials()), "credentials");
    let key = Credentials::api_key(AC, crate::support::SK, "secret").expect("credentials");
    refused(builder().credentials(key), "credentials");
    assert!(builder().credentials(other_credentials()).build_pair().is_ok());
    assert!(MessageFeedback::builder().credentials_provider(|_| None).build_pair().is_ok());
}

#[test]
fn a_bad_origin_is_named_and_not_repeated() {
    for bad in [
        "",
        "twilio",
        "/2010-04-01",
        "ftp://a.example",
        "http://user:hunter2@a.example",
        "http://a.example?token=hunter2",
    ] {
        let error = builder().allow_origin(bad).build_pair().expect_err(bad);
        assert_eq!(error.setting(), "allow_origin", "{bad}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert!(builder().allow_origin("http://127.0.0.1:9000").build_pair().is_ok());
}

#[test]
fn a_status_callback_that_twilio_would_not_call_is_named_and_not_repeated() {
    for bad in ["", "/status", "ftp://a.example", "https://u:hunter2@a.example", "https://a.b/#x"] {
        let error = builder().status_callback(bad).build_pair().expect_err(bad);
        assert_eq!(error.setting(), "status_callback", "{bad}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert!(builder().status_callback("http://127.0.0.1:9000/status?a=b").build_pair().is_ok());
}

#[test]
fn the_first_mistake_is_named() {
    refused(builder().allow_origin("").credentials(credentials()), "allow_origin");
    refused(builder().credentials(credentials()).allow_origin(""), "credentials");
}

#[test]
fn keys_that_could_be_guessed_are_refused() {
    refused(builder().correlation_key(""), "correlation_key");
    refused(builder().correlation_key("15 bytes, no 16"), "correlation_key");
    let long = || builder().correlation_key(CORRELATION_KEY);
    refused(long().previous_correlation_key("short"), "previous_correlation_key");
    refused(builder().previous_correlation_key(CORRELATION_KEY), "previous_correlation_key");
    assert!(long().build_pair().is_ok());
    assert!(long().previous_correlation_key([7; 16]).build_pair().is_ok());
}

#[test]
fn a_durable_store_needs_a_correlation_key() {
    let time = tower_message_feedback::ManualClock::new(START);
    let durable = || builder().store(SwitchStore::new(&time).durable());
    refused(durable(), "correlation_key");
    assert!(durable().correlation_key(CORRELATION_KEY).build_pair().is_ok());
    assert!(builder().store(SwitchStore::new(&time)).build_pair().is_ok());
}

#[test]
fn durations_of_nothing_are_refused() {
    let zero = Duration::ZERO;
    refused(builder().call_timeout(zero), "call_timeout");
    refused(builder().store_timeout(zero), "store_timeout");
    refused(builder().retention(zero), "retention");
    refused(builder().receipt_bounds(1024, zero), "receipt_bounds");
}

#[test]
fn a_retry_policy_that_would_not_pause_is_refused() {
    let policy = RetryPolicy::default;
    refused(builder().retry_policy(policy().base(Duration::ZERO)), "retry_policy");
    refused(builder().retry_policy(policy().max(Duration::from_millis(1))), "retry_policy");
    refused(builder().retry_policy(policy().not_found_for(Duration::ZERO)), "retry_policy");
    assert!(builder().retry_policy(policy().give_up_after(seconds(1))).build_pair().is_ok());
}

#[test]
fn the_number_of_calls_at_once_has_its_limits() {
    for bad in [0, 257, usize::MAX] {
        refused(builder().max_in_flight(bad), "max_in_flight");
    }
    for good in [1, 256] {
        assert!(builder().max_in_flight(good).build_pair().is_ok());
    }
}

#[test]
fn build_needs_a_runtime_and_says_what_else_to_do() {
    let error = builder().build().expect_err("there is no runtime");
    assert_eq!(error.setting(), "build");
    assert!(error.to_string().contains("build_pair"), "{error}");
    let (feedback, dispatcher) = builder().build_pair().expect("a handle");
    assert_eq!(
        feedback.health().now_or_never().expect("an answer").dispatcher,
        DispatcherState::NotStarted
    );
    drop(dispatcher);
    assert_eq!(
        feedback.health().now_or_never().expect("an answer").dispatcher,
        DispatcherState::Ended
    );
}
