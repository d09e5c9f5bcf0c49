//! Creating, confirming, listing: in process and over a socket.

use std::{cell::Cell, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, StatusCode, header::AUTHORIZATION};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use tower_message_feedback::{
    AccountSid, Credentials, MessageSid,
    simulator::{Answer, Outcome, RequestKind, Simulator},
};

use crate::support::*;

// Failures first.

#[tokio::test]
async fn a_create_that_breaks_a_rule_is_refused_with_twilios_code_and_no_value() {
    let long = "x".repeat(1601);
    let media: String = "&MediaUrl=https://a.example/x".repeat(11);
    let cases = [
        (String::new(), 21604),
        ("To=&From=%2B15557122661&Body=x".into(), 21604),
        ("From=%2B15557122661&Body=x".into(), 21604),
        ("To=SECRET&From=%2B15557122661&Body=x".into(), 21211),
        ("To=%2B05558675310&From=%2B15557122661&Body=x".into(), 21211),
        ("To=%2B1555867531012345&From=%2B15557122661&Body=x".into(), 21211),
        ("To=15558675310&From=%2B15557122661&Body=x".into(), 21211),
        ("To=whatsapp:SECRET&From=whatsapp:%2B15557122661&Body=x".into(), 21211),
        ("To=messenger:&From=messenger:1&Body=x".into(), 21211),
        ("To=%2B15558675310&Body=x".into(), 21603),
        ("To=%2B15558675310&From=SECRET!&Body=x".into(), 21212),
        ("To=%2B15558675310&From=%2B15558675310&Body=x".into(), 21266),
        ("To=%2B15558675310&From=%2B15557122661".into(), 21602),
        ("To=%2B15558675310&From=%2B15557122661&Body=".into(), 21602),
        (format!("To=%2B15558675310&From=%2B15557122661&Body={long}"), 21617),
        (format!("To=%2B15558675310&From=%2B15557122661{media}"), 21623),
        (format!("{OTP}&SendAt=2099-01-01T00:00:00Z"), 20001),
        (format!("{OTP}&ScheduleType=fixed"), 35111),
        (format!("{OTP}&SendAt=2099-01-01T00:00:00Z&ScheduleType=fixed"), 35118),
    ];
    for (form, code) in cases {
        let twilio = Simulator::new();
        let reply = create(&twilio, &form).await;
        assert_eq!(reply.refusal(), (400, code), "{form}");
        assert!(!reply.text().contains("SECRET"), "{form}");
        assert!(twilio.messages().is_empty(), "{form}");
        assert_eq!(twilio.received()[0].status(), Some(400), "{form}");
    }
}

#[tokio::test]
async fn a_value_that_is_not_of_its_declared_type_names_its_field_alone() {
    for (field, code) in [
        ("AddressRetention=SECRET", 20001),
        ("ApplicationSid=SK0123456789abcdef0123456789abcdef", 20001),
        ("Attempt=SECRET", 20001),
        ("ContentRetention=SECRET", 20001),
        ("ContentSid=SECRET", 20001),
        ("ForceDelivery=SECRET", 20001),
        ("MaxPrice=SECRET", 20001),
        ("MediaUrl=SECRET", 21620),
        ("MessagingServiceSid=SECRET", 20001),
        ("ProvideFeedback=SECRET", 20001),
        ("ProvideFeedback=1", 20001),
        ("RiskCheck=SECRET", 20001),
        ("ScheduleType=SECRET", 20001),
        ("SendAsMms=SECRET", 20001),
        ("SendAt=SECRET", 20001),
        ("ShortenUrls=SECRET", 20001),
        ("SmartEncoded=SECRET", 20001),
        ("StatusCallback=SECRET", 21609),
        ("StatusCallback=https://under_score.example/", 21609),
        ("TrafficType=SECRET", 20001),
        ("ValidityPeriod=0", 20001),
        ("ValidityPeriod=36001", 20001),
    ] {
        let twilio = Simulator::new();
        let reply = create(&twilio, &format!("{OTP}&{field}")).await;
        assert_eq!(reply.refusal(), (400, code), "{field}");
        let (name, value) = field.split_once('=').unwrap();
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(name) && !message.contains(value), "{message}");
        assert!(twilio.messages().is_empty(), "{field}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_or_too_large_is_refused() {
    let twilio = Simulator::new();
    for (name, value) in [("content-type", "application/json"), ("content-encoding", "gzip")] {
        let mut request = request(Method::POST, &messages(), TAGGED);
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(call(&twilio, request).await.refusal(), (400, 20001), "{value}");
    }
    let full = |length: usize| format!("{OTP}&Unknown={}", "x".repeat(length - OTP.len() - 9));
    assert_eq!(create(&twilio, &full(1024 * 1024 + 1)).await.status, 413);
    assert!(twilio.received()[2].body().is_empty());
    assert_eq!(create(&twilio, &full(1024 * 1024)).await.status, 201);
}

#[tokio::test]
async fn who_may_not_act_on_the_account_is_told_to_authenticate() {
    let bad = [
        None,
        Some("Basic".to_owned()),
        Some("Basic !!!".to_owned()),
        Some(format!("Basic {}", BASE64_STANDARD.encode(AC))),
        Some(basic(AC, "")),
        Some(basic(OTHER_AC, "token")),
        Some(basic("SK123", "secret")),
        Some(basic("user", "secret")),
        Some("Bearer ".to_owned()),
        Some("Digest x".to_owned()),
    ];
    for authorization in bad {
        let twilio = Simulator::new();
        let mut request = request(Method::POST, &messages(), TAGGED);
        request.headers_mut().remove(AUTHORIZATION);
        if let Some(value) = &authorization {
            request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
        }
        let reply = call(&twilio, request).await;
        assert_eq!(reply.refusal(), (401, 20003), "{authorization:?}");
        assert_eq!(reply.header("www-authenticate"), "Basic realm=\"Twilio API\"");
        assert!(twilio.messages().is_empty());
    }
    for good in [basic(AC, "token"), basic(SK, "secret"), "Bearer eyJ".into(), "bearer e".into()] {
        let mut request = request(Method::POST, &messages(), TAGGED);
        request.headers_mut().insert(AUTHORIZATION, good.parse().unwrap());
        assert_eq!(call(&Simulator::new(), request).await.status, 201, "{good}");
    }
}

#[tokio::test]
async fn only_the_accepted_credentials_are_accepted() {
    let twilio = Simulator::new();
    let status = async |account: &str, authorization: &str| {
        let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
        let mut request = request(Method::POST, &path, TAGGED);
        request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
        call(&twilio, request).await.status
    };
    let main = Credentials::auth_token(AC, "right").unwrap();
    let sub: AccountSid = OTHER_AC.parse().unwrap();
    twilio.accept_only([main.clone(), Credentials::bearer(AC, "oauth").unwrap()]);
    assert_eq!(status(AC, &basic(AC, "wrong")).await, 401);
    assert_eq!(status(AC, &basic(SK, "secret")).await, 401);
    assert_eq!(status(AC, "Bearer other").await, 401);
    assert_eq!(status(OTHER_AC, &basic(AC, "right")).await, 401);
    assert_eq!(status(AC, &basic(AC, "right")).await, 201);
    assert_eq!(status(AC, "bearer oauth").await, 201);
    twilio.accept_only([main.for_subaccount(sub)]);
    assert_eq!(status(AC, &basic(AC, "right")).await, 401);
    assert_eq!(status(OTHER_AC, &basic(AC, "right")).await, 201);
    twilio.accept_only([]);
    assert_eq!(status(OTHER_AC, &basic(AC, "right")).await, 401);
}

#[tokio::test]
async fn feedback_is_taken_for_a_tagged_message_of_the_account_alone() {
    let twilio = Simulator::new();
    let untagged = create(&twilio, OTP).await.sid();
    let declined = create(&twilio, &format!("{OTP}&ProvideFeedback=False")).await.sid();
    let tagged = create(&twilio, TAGGED).await.sid();
    assert_eq!(confirm(&twilio, untagged).await.refusal(), (400, 90001));
    assert_eq!(confirm(&twilio, declined).await.refusal(), (400, 90001));
    assert_eq!(confirm(&twilio, UNKNOWN_SM).await.refusal(), (404, 20404));
    assert_eq!(confirm(&twilio, "CA0123456789abcdef0123456789abcdef").await.status, 404);

    let mut foreign =
        request(Method::POST, &feedback_of(tagged).replace(AC, OTHER_AC), "Outcome=confirmed");
    foreign.headers_mut().insert(AUTHORIZATION, basic(SK, "secret").parse().unwrap());
    assert_eq!(call(&twilio, foreign).await.refusal(), (404, 20404));
    for outcome in ["maybe", "CONFIRMED", "true"] {
        let reply = post(&twilio, &feedback_of(tagged), &format!("Outcome={outcome}")).await;
        assert_eq!(reply.refusal(), (400, 20001), "{outcome}");
    }
    assert_eq!(get(&twilio, &feedback_of(tagged)).await.refusal(), (405, 20004));
    assert!(twilio.confirmed().is_empty());
    assert_eq!(twilio.message(tagged).unwrap().feedback_count(), 0);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let twilio = Simulator::new();
    for path in [
        "/".to_owned(),
        "/Messages.json".to_owned(),
        "/2010-04-01/Accounts/AC123/Messages.json".to_owned(),
        format!("/2010-04-01/Accounts/{AC}/Calls.json"),
        format!("/2010-04-01/Accounts/{AC}/Messages/{UNKNOWN_SM}/Media.json"),
    ] {
        let reply = post(&twilio, &path, TAGGED).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.text().contains("20404"), "{path}");
    }
    let reply = call(&twilio, request(Method::PUT, &messages(), TAGGED)).await;
    assert_eq!(reply.refusal(), (405, 20004));
    assert!(twilio.received().iter().all(|request| request.kind() == RequestKind::Other));
}

#[tokio::test]
async fn every_scripted_status_carries_twilios_usual_body() {
    let twilio = Simulator::new();
    let sid = create(&twilio, TAGGED).await.sid();
    let codes = [
        (400, Some(90001)),
        (401, Some(20003)),
        (403, Some(20008)),
        (404, Some(20404)),
        (405, Some(20004)),
        (408, None),
        (410, None),
        (425, None),
        (429, Some(20429)),
        (500, Some(20500)),
        (502, None),
        (503, Some(20503)),
    ];
    for (status, _) in codes {
        twilio.answer_feedback(Answer::status(status));
    }
    for (status, code) in codes {
        let reply = confirm(&twilio, sid).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.json()["code"].as_u64(), code, "{status}");
        assert_eq!(reply.json()["status"], status);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.headers.contains_key("www-authenticate"), status == 401);
    }
    assert!(twilio.confirmed().is_empty(), "a scripted answer processes nothing");
    assert_eq!(confirm(&twilio, sid).await.status, 200, "the script is over");
}

#[test]
fn a_script_that_cannot_be_answered_panics() {
    for status in [0, 100, 199, 600, 999] {
        assert!(std::panic::catch_unwind(|| Answer::status(status)).is_err(), "{status}");
        assert!(std::panic::catch_unwind(|| Answer::processed_then(status)).is_err(), "{status}");
    }
    for (name, value) in [("", "x"), ("a b", "x"), ("a", "x\ny")] {
        let answer = || Answer::normal().with_header(name, value);
        assert!(std::panic::catch_unwind(answer).is_err(), "{name} {value}");
    }
}

// What works.

#[tokio::test]
async fn a_create_is_answered_with_the_whole_resource() {
    let twilio = Simulator::new();
    let reply = create(&twilio, TAGGED).await;
    let sid = reply.sid();
    let json = reply.json();
    let uri = format!("/2010-04-01/Accounts/{AC}/Messages/{sid}");
    let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names.join(" "),
        "account_sid api_version body date_created date_sent date_updated direction error_code \
         error_message from messaging_service_sid num_media num_segments price price_unit sid \
         status subresource_uris to uri"
    );
    assert_eq!(json["account_sid"], AC);
    assert_eq!(json["body"], "Your code is 123456");
    assert_eq!(json["from"], "+15557122661");
    assert_eq!(json["to"], "+15558675310");
    assert_eq!(json["status"], "queued");
    assert_eq!(json["num_segments"], "1");
    assert_eq!(json["num_media"], "0");
    assert_eq!(json["messaging_service_sid"], Value::Null);
    assert_eq!(json["uri"], format!("{uri}.json"));
    assert_eq!(json["subresource_uris"]["media"], format!("{uri}/Media.json"));
    let date = json["date_created"].as_str().unwrap();
    assert!(jiff::fmt::rfc2822::parse(date).is_ok() && date.ends_with(" +0000"), "{date}");
    assert_eq!(date.len(), "Fri, 02 Sep 2016 18:19:59 +0000".len());

    assert_eq!(reply.header("content-type"), "application/json");
    let id = reply.header("twilio-request-id");
    assert!(id.len() == 34 && id.starts_with("RQ"), "{id}");
    assert_eq!(reply.header("twilio-concurrent-requests"), "1");
    assert!(reply.header("twilio-request-duration").parse::<f64>().is_ok());

    let message = twilio.message(sid).unwrap();
    assert_eq!((message.to(), message.from()), ("+15558675310", Some("+15557122661")));
    assert_eq!(message.body(), "Your code is 123456");
    assert!(message.provide_feedback());
    assert_eq!(message.outcome(), Outcome::Unconfirmed);
    assert_eq!(get(&twilio, &format!("{uri}.json")).await.json(), json);
    assert_eq!(get(&twilio, &uri.replace(&sid.to_string(), UNKNOWN_SM)).await.status, 404);
}

#[tokio::test]
async fn every_kind_of_message_is_created() {
    let to = "To=%2B15558675310";
    let from = "From=%2B15557122661";
    let send_at = "SendAt=2099-01-01T00:00:00Z&ScheduleType=fixed";
    let limit = "%C3%A9".repeat(1600);
    for (form, prefix, status, has_from) in [
        (format!("{to}&{from}&Body={limit}"), "SM", "queued", true),
        (format!("{to}&MessagingServiceSid={MG}&Body=x"), "SM", "accepted", false),
        (format!("{to}&From={MG}&Body=x"), "SM", "accepted", false),
        (format!("{to}&{from}&MessagingServiceSid={MG}&Body=x"), "SM", "accepted", true),
        (format!("{to}&MessagingServiceSid={MG}&Body=x&{send_at}"), "SM", "scheduled", false),
        (format!("{to}&{from}&MediaUrl=https://a.example/x.png"), "MM", "queued", true),
        (format!("{to}&{from}&ContentSid={HX}&ContentVariables=%7B%7D"), "SM", "queued", true),
        (format!("{to}&From=12345&Body=x"), "SM", "queued", true),
        (format!("{to}&From=My+Bank&Body=x"), "SM", "queued", true),
        ("To=whatsapp:%2B15558675310&From=whatsapp:%2B1555&Body=x".into(), "SM", "queued", true),
        ("To=messenger:12345&From=messenger:6&Body=x".into(), "SM", "queued", true),
        (format!("{to}&{from}&Body=x&Tags=%7B%7D&NotYetKnown=1"), "SM", "queued", true),
        (format!("{to}&{from}&Body=x&MaxPrice=&ValidityPeriod=36000"), "SM", "queued", true),
        (format!("{to}&{from}&Body=x&StatusCallback=https://a.example/cb"), "SM", "queued", true),
    ] {
        let twilio = Simulator::new();
        let reply = create(&twilio, &form).await;
        assert!(reply.sid().to_string().starts_with(prefix), "{form}");
        assert_eq!(reply.json()["status"], status, "{form}");
        assert_eq!(reply.json()["from"].is_string(), has_from, "{form}");
        assert!(!twilio.messages()[0].provide_feedback(), "{form}");
    }
}

#[tokio::test]
async fn a_confirmation_is_recorded_and_counted() {
    let twilio = Simulator::new();
    let first = create(&twilio, TAGGED).await.sid();
    let second = create(&twilio, &format!("{OTP}&ProvideFeedback=True")).await.sid();
    assert_ne!(first, second);

    let silent = post(&twilio, &feedback_of(second), "").await;
    assert_eq!((silent.status, &silent.json()["outcome"]), (200, &"unconfirmed".into()));
    let reply = confirm(&twilio, second).await;
    assert_eq!(reply.status, 200);
    let json = reply.json();
    assert_eq!(json["account_sid"], AC);
    assert_eq!(json["message_sid"], second.to_string());
    assert_eq!(json["outcome"], "confirmed");
    assert_eq!(json["uri"], feedback_of(second));
    assert!(json["date_created"].is_string() && json["date_updated"].is_string());

    // The path of the guide's answer.
    let sms = feedback_of(first).replace("/Messages/", "/SMS/Messages/");
    assert_eq!(post(&twilio, &sms, "Outcome=confirmed").await.status, 200);
    confirm(&twilio, second).await;
    assert_eq!(twilio.confirmed(), [second, first]);
    assert_eq!(twilio.message(second).unwrap().feedback_count(), 2);
    assert_eq!(twilio.message(second).unwrap().outcome(), Outcome::Confirmed);

    post(&twilio, &feedback_of(second), "Outcome=unconfirmed").await;
    assert_eq!(twilio.confirmed(), [first]);
    assert_eq!(twilio.message(second).unwrap().outcome(), Outcome::Unconfirmed);
}

#[tokio::test]
async fn the_end_of_the_path_chooses_the_format() {
    let twilio = Simulator::new();
    let form =
        "To=%2B15558675310&From=%2B15557122661&Body=%3Ca+%26+%22b%22%3E&ProvideFeedback=true";
    for path in ["Messages", "Messages.xml", "SMS/Messages"] {
        let path = format!("/proxy/2010-04-01/Accounts/{AC}/{path}");
        let reply = post(&twilio, &path, form).await;
        assert_eq!(reply.status, 201, "{path}");
        assert_eq!(reply.header("content-type"), "application/xml");
        let xml = reply.text();
        let sid = twilio.messages().last().unwrap().sid();
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TwilioResponse><Message>";
        assert!(xml.starts_with(start) && xml.ends_with("</Message></TwilioResponse>"), "{xml}");
        assert!(xml.contains(&format!("<Sid>{sid}</Sid>")), "{xml}");
        assert!(xml.contains("<Body>&lt;a &amp; \"b\"&gt;</Body>"), "{xml}");
        assert!(xml.contains("<SubresourceUris><Media>/2010-04-01/"), "{xml}");
    }
    let sid = twilio.messages()[0].sid();
    let path = feedback_of(sid).replace(".json", "");
    let xml = post(&twilio, &path, "Outcome=confirmed").await;
    assert!(xml.text().contains("<Outcome>confirmed</Outcome>"), "{}", xml.text());
    let xml = post(&twilio, &path.replace(&sid.to_string(), UNKNOWN_SM), "").await;
    assert!(xml.text().contains("<RestException><Code>20404</Code>"), "{}", xml.text());

    let list = get(&twilio, &messages()).await.json();
    assert_eq!(list["messages"].as_array().unwrap().len(), 3);
    assert_eq!(list["messages"][2]["sid"], sid.to_string(), "the newest is first");
    let other = messages().replace(AC, OTHER_AC);
    let mut other = request(Method::GET, &other, "");
    other.headers_mut().insert(AUTHORIZATION, basic(SK, "x").parse().unwrap());
    assert_eq!(call(&twilio, other).await.json()["messages"], Value::Array(vec![]));
    let xml = get(&twilio, &messages().replace(".json", "")).await;
    assert_eq!(xml.text().matches("<Message><AccountSid>").count(), 3, "{}", xml.text());
    let csv = get(&twilio, &messages().replace(".json", ".csv")).await;
    assert_eq!(csv.header("content-type"), "text/csv");
    assert!(csv.text().starts_with("\"account_sid\",\"api_version\""), "{}", csv.text());
    assert!(csv.text().contains("\"<a & \"\"b\"\">\""), "{}", csv.text());
    assert_eq!(csv.text().lines().count(), 4);
}

#[tokio::test]
async fn a_script_is_played_in_order_and_then_is_over() {
    let twilio = Simulator::new();
    twilio.answer_create(Answer::status(429).with_header("Retry-After", "7").times(2));
    twilio.answer_create(Answer::status(500).times(0));
    twilio.answer_create(Answer::processed_then(500));
    twilio.answer_create(Answer::processed_then(200));
    twilio.answer_create(Answer::normal().with_body("{").with_header("content-type", "a/b"));
    twilio.answer_create(Answer::status(503).always());
    let mut statuses = Vec::new();
    let mut replies = Vec::new();
    for _ in 0..8 {
        let reply = create(&twilio, TAGGED).await;
        statuses.push(reply.status);
        replies.push(reply);
    }
    assert_eq!(statuses, [429, 429, 500, 200, 201, 503, 503, 503]);
    assert_eq!(replies[1].header("retry-after"), "7");
    assert_eq!(replies[2].json()["code"], 20500);
    assert_eq!(replies[3].json()["sid"], twilio.messages()[1].sid().to_string());
    assert_eq!((replies[4].text(), replies[4].header("content-type")), ("{", "a/b"));
    assert_eq!(twilio.messages().len(), 3, "three were processed");

    twilio.answer_create(Answer::normal());
    assert_eq!(create(&twilio, TAGGED).await.status, 201, "it takes the place of `always`");
    assert_eq!(create(&twilio, TAGGED).await.status, 201);

    let sid = twilio.messages()[0].sid();
    twilio.answer_feedback(Answer::processed_then(503));
    assert_eq!(confirm(&twilio, sid).await.status, 503);
    assert_eq!(twilio.confirmed(), [sid]);
    twilio.answer_feedback(Answer::status(200));
    assert_eq!(confirm(&twilio, sid).await.text(), "");
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_back_the_answer_and_not_the_work() {
    let twilio = Simulator::new();
    twilio.answer_create(Answer::normal().after(Duration::from_secs(30)));
    twilio.answer_create(Answer::status(503).after(Duration::from_millis(1500)));
    let started = Instant::now();
    let slow = tokio::spawn({
        let twilio = twilio.clone();
        async move { create(&twilio, TAGGED).await }
    });
    twilio.wait_until(|twilio| twilio.messages().len() == 1).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(twilio.received()[0].status(), None);
    let reply = create(&twilio, TAGGED).await;
    assert_eq!((reply.status, reply.header("twilio-concurrent-requests")), (503, "2"));
    assert_eq!(started.elapsed().as_millis(), 1500);
    let reply = slow.await.unwrap();
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("twilio-request-duration"), "30.000");
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(twilio.received()[0].status(), Some(201));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_answer_never_comes_and_does_nothing() {
    let twilio = Simulator::new();
    let sid = create(&twilio, TAGGED).await.sid();
    twilio.answer_feedback(Answer::hang());
    let year = Duration::from_secs(365 * 86_400);
    assert!(timeout(year, confirm(&twilio, sid)).await.is_err());
    assert!(twilio.confirmed().is_empty());
    assert_eq!(twilio.received()[1].status(), None);
    let reply = confirm(&twilio, sid).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("twilio-concurrent-requests"), "1", "who went away is not counted");
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_change_and_not_before() {
    let twilio = Simulator::new();
    twilio.wait_until(|_| true).await;
    let never = twilio.wait_until(|twilio| !twilio.confirmed().is_empty());
    assert!(timeout(Duration::from_secs(60), never).await.is_err());

    let started = Instant::now();
    tokio::spawn({
        let twilio = twilio.clone();
        async move {
            sleep(Duration::from_secs(5)).await;
            let sid = create(&twilio, TAGGED).await.sid();
            sleep(Duration::from_secs(5)).await;
            confirm(&twilio, sid).await;
        }
    });
    let confirmed = |twilio: &Simulator| twilio.confirmed().len() == 1;
    let (..) = tokio::join!(twilio.wait_until(confirmed), twilio.wait_until(confirmed));
    assert_eq!(started.elapsed().as_secs(), 10);
    twilio.wait_until(|twilio| twilio.received()[1].status() == Some(200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_while_the_condition_is_asked_is_not_lost() {
    let twilio = Simulator::new();
    let asked = Cell::new(0);
    let waiting = twilio.wait_until(|twilio| {
        asked.set(asked.get() + 1);
        twilio.answer_create(Answer::normal());
        asked.get() == 3
    });
    timeout(Duration::from_secs(1), waiting).await.expect("woken");
}

#[tokio::test]
async fn what_arrived_can_be_read_and_is_not_in_debug() {
    let twilio = Simulator::new();
    let uri = format!("https://api.twilio.com{}?Secret=query", messages());
    let sid = post(&twilio, &uri, TAGGED).await.sid();
    confirm(&twilio, sid).await;
    let [create, feedback] = &twilio.received()[..] else { panic!("two requests") };
    assert_eq!((create.method(), create.path()), (&Method::POST, &*messages()));
    assert_eq!((create.kind(), feedback.kind()), (RequestKind::Create, RequestKind::Feedback));
    assert_eq!((create.account(), feedback.message()), (Some(AC.parse().unwrap()), Some(sid)));
    assert_eq!((create.status(), feedback.status()), (Some(201), Some(200)));
    assert_eq!(create.form("To").as_deref(), Some("+15558675310"));
    assert_eq!(create.form("Nothing"), None);
    assert_eq!(create.body(), TAGGED);
    assert_eq!(create.header("Authorization"), Some(&*basic(AC, "token")));

    let debug = format!("{twilio:?} {create:?} {:?} {:?}", twilio.service(), twilio.messages());
    assert!(debug.contains("ProvideFeedback") && debug.contains("/Messages.json"), "{debug}");
    for secret in ["5558675310", "5557122661", "123456\"", "code is", "Basic", "query"] {
        assert!(!debug.contains(secret), "{secret} in {debug}");
    }
}

#[tokio::test]
async fn the_router_can_be_nested() {
    let twilio = Simulator::new();
    let app = axum::Router::new().nest("/twilio", twilio.router());
    let request = request(Method::POST, &format!("/twilio{}", messages()), TAGGED);
    let response = app.oneshot(request.map(axum::body::Body::new)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(twilio.messages().len(), 1);
}

// Over a socket.

#[tokio::test]
async fn a_dropped_server_ends_open_calls_and_frees_its_port() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    let address = server.address();
    assert_eq!(server.base_url().as_str(), format!("http://{address}/2010-04-01"));
    twilio.answer_create(Answer::hang());
    let url = format!("{}/Accounts/{AC}/Messages.json", server.base_url());
    let hanging = tokio::spawn(client().request(request(Method::POST, &url, TAGGED)));
    twilio.wait_until(|twilio| twilio.received().len() == 1).await;
    drop(server);
    let ended = timeout(Duration::from_secs(10), hanging).await.expect("the connection is closed");
    assert!(ended.unwrap().is_err());
    let closed = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), closed).await.expect("the port is closed");
}

#[tokio::test]
async fn a_message_is_sent_and_confirmed_over_a_socket() {
    let twilio = Simulator::new();
    let server = twilio.serve().await.unwrap();
    let client = client();
    let base = server.base_url();
    let url = format!("{base}/Accounts/{AC}/Messages.json");
    let response = client.request(request(Method::POST, &url, TAGGED)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(response.headers().contains_key("twilio-request-id"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let json: Value = serde_json::from_slice(&body).unwrap();
    let sid: MessageSid = json["sid"].as_str().unwrap().parse().unwrap();

    let url = format!("{base}/Accounts/{AC}/Messages/{sid}/Feedback.json");
    let confirming = tokio::spawn(client.request(request(Method::POST, &url, "Outcome=confirmed")));
    let confirmed = twilio.wait_until(|twilio| twilio.confirmed() == [sid]);
    timeout(Duration::from_secs(10), confirmed).await.expect("confirmed");
    assert_eq!(confirming.await.unwrap().unwrap().status(), StatusCode::OK);

    // Two servers of one simulator share their messages.
    let second = twilio.serve().await.unwrap();
    assert_ne!(second.address(), server.address());
    let url = format!("{}/Accounts/{AC}/Messages/{sid}.json", second.base_url());
    let response = client.request(request(Method::GET, &url, "")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
