//! The four ways in which a send says its correlation id, and their order.

use bytes::Bytes;
use http::{HeaderName, Request};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Correlate, CorrelationId, MessageForm, MessageSid, ProvideFeedback, ProvideFeedbackLayer,
    Timestamp, link_query, recipient,
};

use crate::support::*;

const ID_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

/// Sends through `layer` to the simulator; answers the SID.
async fn send<C>(layer: ProvideFeedbackLayer<C>, request: Request<Full<Bytes>>) -> MessageSid
where
    C: Correlate,
{
    let service: ProvideFeedback<_, C> = layer.layer(client());
    sid_of(soon(service.oneshot(request)).await.expect("an answer")).await
}

/// A rule that finds the same id in each form.
fn always(id: &'static str) -> impl Fn(&MessageForm<'_>) -> Option<CorrelationId> + Clone {
    move |_| Some(CorrelationId::from(id))
}

#[tokio::test]
async fn the_closest_id_wins() {
    let twilio = twilio().await;
    let layer = || twilio.feedback.provide_layer().header(ID_HEADER).correlate(always("rule"));
    for (extension, header, scope, expected) in [
        (true, true, true, "extension"),
        (false, true, true, "header"),
        (false, false, true, "scope"),
        (false, false, false, "rule"),
        (true, false, false, "extension"),
        (true, true, false, "extension"),
        (false, true, false, "header"),
    ] {
        let mut request = create(&twilio.uri(), LINK);
        if extension {
            request.extensions_mut().insert(CorrelationId::from("extension"));
        }
        if header {
            request.headers_mut().insert(ID_HEADER, "header".parse().unwrap());
        }
        let sid = if scope {
            CorrelationId::scope("scope", send(layer(), request)).await
        } else {
            send(layer(), request).await
        };
        let newest = lookup(&twilio.feedback, expected).await;
        assert!(newest.iter().any(|entry| entry.sid == sid), "{expected}");
        // Whoever wins, Twilio never sees the header.
        let received = twilio.simulator.received();
        assert_eq!(received.last().unwrap().header("x-correlation-id"), None);
    }
    assert_sends!(twilio.feedback, tagged: 7, recorded: 7);
}

#[tokio::test]
async fn the_header_is_removed_from_creates_that_are_not_tracked_too() {
    let elsewhere = twilio().await;
    let twilio = twilio().await;
    let cases = [
        (twilio.uri(), format!("{OTP}&ProvideFeedback=false"), None),
        (twilio.uri(), OTP.into(), Some(("content-encoding", "gzip"))),
        (twilio.uri(), OTP.into(), Some(("twilio-client-validation", "x"))),
        (elsewhere.uri(), OTP.into(), None),
        (twilio.uri(), format!("{OTP}&StatusCallback={}", "x".repeat(100_000)), None),
    ];
    for (uri, form, header) in cases {
        let mut request = create(&uri, &form);
        request.headers_mut().insert(ID_HEADER, "secret".parse().unwrap());
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let service = twilio.feedback.provide_layer().header(ID_HEADER).layer(client());
        read(soon(service.oneshot(request)).await.expect("an answer")).await;
    }
    let received = [twilio.simulator.received(), elsewhere.simulator.received()].concat();
    assert_eq!(received.len(), 5);
    for received in received {
        assert_eq!(received.header("x-correlation-id"), None);
        assert!(received.form("ProvideFeedback").is_none_or(|value| value == "false"));
    }
    assert_sends!(
        twilio.feedback,
        declined: 1,
        form_unreadable: 2,
        digest_present: 1,
        origin_not_allowed: 1,
    );
}

#[tokio::test]
async fn without_a_configured_name_no_header_is_taken_for_an_id() {
    let twilio = twilio().await;
    let mut request = create(&twilio.uri(), OTP);
    request.headers_mut().insert(ID_HEADER, "an id".parse().unwrap());
    send(twilio.feedback.provide_layer(), request).await;
    assert_eq!(twilio.simulator.received()[0].header("x-correlation-id"), Some("an id"));
    assert_sends!(twilio.feedback, without_id: 1);
}

#[tokio::test]
async fn a_header_may_hold_any_bytes() {
    let twilio = twilio().await;
    let id: &[u8] = b"\xff \xe2\x82\xac/";
    let mut request = create(&twilio.uri(), OTP);
    request.headers_mut().insert(ID_HEADER, http::HeaderValue::from_bytes(id).unwrap());
    send(twilio.feedback.provide_layer().header(ID_HEADER), request).await;
    let found = twilio.feedback.lookup(CorrelationId::new(id)).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn a_scope_reaches_the_sends_of_its_task_alone() {
    let twilio = twilio().await;
    let (uri, layer) = (twilio.uri(), twilio.feedback.provide_layer());
    CorrelationId::scope("inside", async {
        send(layer.clone(), create(&uri, OTP)).await;
        let spawned = tokio::spawn(send(layer.clone(), create(&uri, OTP)));
        soon(spawned).await.unwrap();
    })
    .await;
    send(layer, create(&uri, OTP)).await;
    assert_eq!(lookup(&twilio.feedback, "inside").await.len(), 1);
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1, without_id: 2);
}

#[tokio::test]
async fn recipient_finds_the_send_by_any_spelling_of_its_number() {
    let twilio = twilio().await;
    let sid =
        send(twilio.feedback.provide_layer().correlate(recipient()), create(&twilio.uri(), OTP))
            .await;
    let found = twilio.feedback.lookup(CorrelationId::recipient("+1 (555) 867-5310")).await;
    assert_eq!(found.unwrap()[0].sid, sid);
    // A number given as an application's own id is another id.
    assert!(lookup(&twilio.feedback, "+15558675310").await.is_empty());
}

#[tokio::test]
async fn a_closure_reads_the_decoded_form() {
    let twilio = twilio().await;
    let rule = |form: &MessageForm<'_>| {
        let body = form.get("Body")?;
        Some(CorrelationId::from(body.strip_prefix("Your code is ")?))
    };
    let sid =
        send(twilio.feedback.provide_layer().correlate(rule), create(&twilio.uri(), OTP)).await;
    assert_eq!(only(&twilio.feedback, "123456").await.sid, sid);
    send(twilio.feedback.provide_layer().correlate(rule), create(&twilio.uri(), LINK)).await;
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1, without_id: 1);
}

#[tokio::test]
async fn a_later_rule_takes_the_place_of_an_earlier_one() {
    let twilio = twilio().await;
    let layer =
        twilio.feedback.provide_layer().correlate(always("first")).correlate(link_query("id"));
    send(layer, create(&twilio.uri(), LINK)).await;
    assert!(lookup(&twilio.feedback, "first").await.is_empty());
    assert_eq!(lookup(&twilio.feedback, LINK_ID).await.len(), 1);
}

#[tokio::test]
async fn an_id_that_can_match_nothing_counts_as_none() {
    let twilio = twilio().await;
    let longest = "x".repeat(CorrelationId::MAX_LEN);
    for id in [String::new(), "x".repeat(10 * 1024), format!("{longest}x")] {
        let mut request = create(&twilio.uri(), OTP);
        request.extensions_mut().insert(CorrelationId::from(id));
        send(twilio.feedback.provide_layer(), request).await;
        assert_eq!(twilio.simulator.received().last().unwrap().body(), OTP);
    }
    // An empty one hides what the rule would find: it was said.
    let mut request = create(&twilio.uri(), LINK);
    request.headers_mut().insert(ID_HEADER, "".parse().unwrap());
    send(twilio.feedback.provide_layer().header(ID_HEADER).correlate(link_query("id")), request)
        .await;
    assert_sends!(twilio.feedback, without_id: 4);

    let mut request = create(&twilio.uri(), OTP);
    request.extensions_mut().insert(CorrelationId::from(&longest));
    send(twilio.feedback.provide_layer(), request).await;
    assert_eq!(lookup(&twilio.feedback, &longest).await.len(), 1);
}

#[tokio::test]
async fn several_messages_under_one_id_are_all_remembered() {
    let twilio = twilio().await;
    let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
    let mut sids = Vec::new();
    for _ in 0..3 {
        sids.push(send(layer.clone(), create(&twilio.uri(), LINK)).await);
    }
    let entries = lookup(&twilio.feedback, LINK_ID).await;
    let newest_first: Vec<_> = entries.iter().map(|entry| entry.sid).collect();
    sids.reverse();
    assert_eq!(newest_first, sids);
}

#[tokio::test]
async fn the_label_shows_in_the_ledger() {
    let twilio = twilio().await;
    let layer = twilio.feedback.provide_layer().label("login").correlate(link_query("id"));
    let sid = send(layer, create(&twilio.uri(), LINK)).await;
    let by_id = only(&twilio.feedback, LINK_ID).await;
    assert_eq!(by_id.label(), Some("login"));
    let by_sid = twilio.feedback.lookup_sid(sid).await.unwrap();
    assert_eq!(by_sid, Some(by_id));
}

#[tokio::test]
async fn the_time_of_a_scheduled_message_is_when_it_will_be_sent() {
    let scheduled = "To=%2B15558675310&MessagingServiceSid=MG0123456789abcdef0123456789abcdef\
                     &Body=https://e.com/?id=1234567890&ScheduleType=fixed";
    for (send_at, expected) in [
        ("2027-01-15T09:00:00Z", NOW.as_millis() + 3_600_000),
        ("2027-01-15T10%3A00%3A00%2B01%3A00", NOW.as_millis() + 3_600_000),
        // In the past: now.
        ("2020-01-01T00:00:00Z", NOW.as_millis()),
    ] {
        let twilio = twilio().await;
        let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
        let request = create(&twilio.uri(), &format!("{scheduled}&SendAt={send_at}"));
        let response = soon(layer.layer(client()).oneshot(request)).await.expect("an answer");
        sid_of(response).await;
        let entry = only(&twilio.feedback, LINK_ID).await;
        assert_eq!(entry.sent_at, Timestamp::from_millis(expected), "{send_at}");
    }
}
