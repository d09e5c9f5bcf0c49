//! What a test expects, and what it is told if something else came.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http::Method;
use tower_message_feedback::simulator::{Answer, Expectations, RequestKind, Simulator};

use crate::support::*;

/// The text of the panic that dropping makes, if it makes one.
fn dropped(expected: Expectations) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(expected))).err()?;
    Some(*payload.downcast::<String>().expect("a text"))
}

#[tokio::test]
async fn a_wrong_count_is_told_with_all_that_came() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    let expected = twilio.expect().creates(2).feedback(..=1).confirmed(1..);
    let url = format!("{}/Accounts/{AC}/Messages.json", server.base_url());
    client().request(request(Method::POST, &url, TAGGED)).await.unwrap();
    let sid = twilio.messages()[0].sid();
    twilio.answer_feedback(Answer::status(503).times(2));
    confirm(&twilio, sid).await;
    confirm(&twilio, sid).await;
    let text = dropped(expected).expect("it panics");
    assert_eq!(
        text,
        format!(
            "the simulator was not used as expected:\n\
             - expected 2 creates, got 1\n\
             - expected at most 1 feedback calls, got 2\n\
             - expected at least 1 confirmed messages, got 0\n\
             3 requests:\n  \
             1. POST /2010-04-01/Accounts/{AC}/Messages.json \
             (To, From, Body, ProvideFeedback): answered 201\n  \
             2. POST /2010-04-01/Accounts/{AC}/Messages/{sid}/Feedback.json \
             (Outcome): answered 503\n  \
             3. POST /2010-04-01/Accounts/{AC}/Messages/{sid}/Feedback.json \
             (Outcome): answered 503"
        )
    );
}

#[tokio::test]
async fn whatever_is_unexpected_fails_the_test_and_says_why() {
    let untagged = async |twilio: &Simulator| {
        let sid = create(twilio, OTP).await.sid();
        confirm(twilio, sid).await;
    };
    let twilio = Simulator::new();
    let expected = twilio.expect();
    untagged(&twilio).await;
    let text = dropped(expected).unwrap();
    assert!(
        text.contains("refused with 400, 90001: The message was created without ProvideFeedback"),
        "{text}"
    );

    for (path, form, why) in [
        (messages(), "To=%2B15558675310", "refused with 400, 21603"),
        (feedback_of(UNKNOWN_SM), "Outcome=confirmed", "refused with 404, 20404"),
        ("/v2/Verify".to_owned(), "", "refused with 404, 20404"),
    ] {
        let twilio = Simulator::new();
        let expected = twilio.expect();
        post(&twilio, &path, form).await;
        let text = dropped(expected).expect(why);
        assert!(text.contains("- unexpected: POST ") && text.contains(why), "{text}");
    }

    let twilio = Simulator::new();
    let expected = twilio.expect();
    get(&twilio, &messages()).await;
    assert!(dropped(expected).expect("no application lists").contains("- unexpected: GET "));

    // Even if a script hides the refusal from the application.
    let expected = twilio.expect();
    twilio.answer_create(Answer::processed_then(200));
    create(&twilio, "To=x").await;
    assert!(dropped(expected).unwrap().contains("answered 200; refused with 400, 21211"));
}

#[tokio::test]
async fn a_failure_repeats_no_value_of_a_request() {
    let twilio = Simulator::new();
    let expected = twilio.expect().creates(0);
    let uri = format!("{}?Phone=15558675310", messages());
    post(&twilio, &uri, TAGGED).await;
    // A form that is none, and a number in a path.
    post(&twilio, &messages(), "15558675310&123456=x&%2B15558675310&SECRET").await;
    post(&twilio, "/v2/PhoneNumbers/+15558675310", "Code=123456").await;
    let mut json = request(Method::POST, &messages(), "{\"To\":\"+15558675310\"}");
    json.headers_mut().insert("content-type", "application/json".parse().unwrap());
    call(&twilio, json).await;
    let debug = format!("{expected:?} {:?}", twilio.received());
    let text = dropped(expected).unwrap() + &debug;
    for secret in
        ["5558675310", "5557122661", "123456\"", "123456 ", "(123456", "code is", "Basic", "SECRET"]
    {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("PhoneNumbers/… (Code)"), "{text}");
}

#[tokio::test]
async fn a_long_list_is_cut() {
    let twilio = Simulator::new();
    let expected = twilio.expect().creates(0);
    for _ in 0..53 {
        create(&twilio, TAGGED).await;
    }
    let text = dropped(expected).unwrap();
    assert!(text.ends_with("answered 201\n  and 3 more"), "{text}");
    assert!(text.contains("53 requests:\n"), "{text}");
}

#[test]
fn a_test_that_fails_already_is_not_made_to_abort() {
    let twilio = Simulator::new();
    let failure = catch_unwind(AssertUnwindSafe(|| {
        let _expected = twilio.expect().creates(1);
        panic!("the first");
    }));
    assert_eq!(failure.unwrap_err().downcast_ref(), Some(&"the first"));
}

#[tokio::test]
async fn what_was_expected_passes_and_is_verified_once() {
    let twilio = Simulator::new();
    // Before anything is expected, anything may come.
    let earlier = create(&twilio, TAGGED).await.sid();
    confirm(&twilio, earlier).await;
    post(&twilio, "/", "").await;

    let expected = twilio.expect().creates(1).feedback(2..4).confirmed(1);
    let sid = create(&twilio, TAGGED).await.sid();
    assert!(expected.check().unwrap_err().contains("expected 1 confirmed messages, got 0"));
    twilio.answer_feedback(Answer::status(429));
    confirm(&twilio, sid).await;
    confirm(&twilio, sid).await;
    confirm(&twilio, earlier).await;
    expected.check().unwrap();
    assert_eq!(dropped(expected), None);

    let allowed = twilio.expect().allow(|request| request.kind() == RequestKind::Other);
    get(&twilio, &messages()).await;
    post(&twilio, "/", "").await;
    allowed.check().unwrap();
    create(&twilio, "To=x").await;
    let payload = catch_unwind(AssertUnwindSafe(|| allowed.verify())).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert_eq!(text.matches("- unexpected").count(), 1, "{text}");
    twilio.expect().verify();
}
