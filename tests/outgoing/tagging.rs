//! Which creates are tagged, and what of them stays as it was: over a socket.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, header::CONTENT_LENGTH};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    BaseUrl, CorrelationId, ManualClock, link_query, simulator::Simulator, store::LedgerStatus,
};

use crate::support::*;

#[tokio::test]
async fn every_spelling_of_a_create_is_tagged() {
    for (prefix, suffix) in [
        ("", "/Messages.json"),
        ("", "/Messages"),
        ("", "/Messages.xml"),
        ("", "/SMS/Messages.json"),
        ("", "/SMS/Messages"),
        ("/proxy/twilio", "/Messages.json"),
        ("", "/Messages.json?PageSize=1"),
    ] {
        let twilio = twilio().await;
        let address = twilio.server.address();
        let uri = format!("http://{address}{prefix}/2010-04-01/Accounts/{AC}{suffix}");
        assert_eq!(twilio.send(create(&uri, LINK)).await, 201, "{uri}");
        assert_eq!(twilio.body(), format!("{LINK}{TAG}"), "{uri}");
        assert!(twilio.simulator.messages()[0].provide_feedback(), "{uri}");
        assert_eq!(twilio.feedback.stats().sends.tagged, 1, "{uri}");
        let entry = only(&twilio.feedback, LINK_ID).await;
        assert_eq!(entry.sid, twilio.simulator.messages()[0].sid());
        // Feedback goes where the create went, the proxy's prefix included.
        assert_eq!(entry.base_url.as_str(), format!("http://{address}{prefix}/2010-04-01"));
        assert_eq!(entry.account.to_string(), AC);
        assert_eq!((entry.sent_at, entry.status), (NOW, LedgerStatus::Pending));
        assert_eq!(entry.label(), None);
        assert_sends!(twilio.feedback, tagged: 1, recorded: 1);
    }
}

#[tokio::test]
async fn every_other_byte_of_a_form_is_as_it_was() {
    for form in [
        // Odd encodings: lower-case hex, encoded names, needless and missing ones.
        "%54o=%2b15558675310&From=%2B15557122661&Body=%41+%e2%82%ac%20~*'()!+https://e.com/?id=1234567890",
        "To=%2B15558675310&From=%2B15557122661&MediaUrl=https://e.com/2&MediaUrl=https://e.com/1\
         &Body=https://e.com/?id=1234567890",
        "&&To=%2B15558675310&&From=%2B15557122661&Body=https://e.com/?id=1234567890",
        "To=%2B15558675310&From=%2B15557122661&Body=https://e.com/?id=1234567890&Unheard=of&Empty=&Bare",
        // Not UTF-8, and a percent sign that encodes nothing.
        "To=%2B15558675310&From=%2B15557122661&Body=%ff%fe%zz%+https://e.com/?id=1234567890&X=%",
    ] {
        let twilio = twilio().await;
        twilio.send_form(form).await;
        assert_eq!(twilio.body(), format!("{form}{TAG}"));
        assert!(twilio.simulator.messages()[0].provide_feedback());
        assert_eq!(lookup(&twilio.feedback, LINK_ID).await.len(), 1, "{form}");
    }
    // Behind a trailing ampersand there is no second one.
    let twilio = twilio().await;
    twilio.send_form(&format!("{LINK}&")).await;
    assert_eq!(twilio.body(), format!("{LINK}{TAG}"));
}

#[tokio::test]
async fn every_other_header_is_as_it_was_and_the_length_is_right() {
    let twilio = twilio().await;
    for explicit in [false, true] {
        let mut request = create(&twilio.uri(), LINK);
        request
            .headers_mut()
            .insert("content-type", format!("{FORM}; charset=UTF-8").parse().unwrap());
        request.headers_mut().insert("x-of-the-application", "kept".parse().unwrap());
        if explicit {
            request.headers_mut().insert(CONTENT_LENGTH, LINK.len().into());
        }
        assert_eq!(twilio.send(request).await, 201);
        let received = twilio.simulator.received();
        let last = received.last().unwrap();
        let length = (LINK.len() + TAG.len()).to_string();
        assert_eq!(last.header("content-length"), Some(length.as_str()));
        assert_eq!(
            last.header("content-type"),
            Some("application/x-www-form-urlencoded; charset=UTF-8")
        );
        assert_eq!(last.header("x-of-the-application"), Some("kept"));
        assert_eq!(last.header("authorization"), Some(basic().as_str()));
    }
    assert_sends!(twilio.feedback, tagged: 2, recorded: 2);
}

#[tokio::test]
async fn a_no_of_the_application_is_kept_and_nothing_is_recorded() {
    for no in ["false", "False", "FALSE", "0", "", "maybe"] {
        let twilio = twilio().await;
        let form = format!("{LINK}&ProvideFeedback={no}");
        twilio.send_form(&form).await;
        assert_eq!(twilio.body(), form);
        assert!(twilio.simulator.messages().iter().all(|message| !message.provide_feedback()));
        assert!(lookup(&twilio.feedback, LINK_ID).await.is_empty());
        assert_sends!(twilio.feedback, declined: 1);
    }
}

#[tokio::test]
async fn a_yes_of_the_application_is_kept_and_recorded() {
    for yes in ["true", "True", "TRUE", "%74rue", "true&ProvideFeedback=True"] {
        let twilio = twilio().await;
        let form = format!("ProvideFeedback={yes}&{LINK}");
        assert_eq!(twilio.send_form(&form).await, 201);
        assert_eq!(twilio.body(), form);
        assert_eq!(lookup(&twilio.feedback, LINK_ID).await.len(), 1);
        assert_sends!(twilio.feedback, already_tagged: 1, recorded: 1);
    }
}

#[tokio::test]
async fn of_two_answers_of_the_application_no_wins() {
    for both in ["true&ProvideFeedback=false", "false&ProvideFeedback=true"] {
        let twilio = twilio().await;
        let form = format!("{LINK}&ProvideFeedback={both}");
        twilio.send_form(&form).await;
        assert_eq!(twilio.body(), form);
        assert_sends!(twilio.feedback, declined: 1);
    }
}

#[tokio::test]
async fn a_create_without_an_id_goes_on_as_it_is() {
    let twilio = twilio().await;
    for form in [OTP.to_owned(), format!("{OTP}&ProvideFeedback=true")] {
        assert_eq!(twilio.send_form(&form).await, 201);
        assert_eq!(twilio.body(), form);
    }
    assert!(!twilio.simulator.messages()[0].provide_feedback());
    assert_sends!(twilio.feedback, without_id: 2, tagged_without_id: 1);
}

#[tokio::test]
async fn a_create_whose_bytes_a_header_vouches_for_is_not_tagged() {
    for header in ["Twilio-Client-Validation", "Content-Digest", "Digest", "Content-MD5"] {
        let twilio = twilio().await;
        let mut request = create(&twilio.uri(), LINK);
        let name: HeaderName = header.parse().unwrap();
        request.headers_mut().insert(&name, "vouched".parse().unwrap());
        assert_eq!(twilio.send(request).await, 201);
        assert_eq!(twilio.body(), LINK);
        assert_eq!(twilio.simulator.received()[0].header(header), Some("vouched"));
        assert!(lookup(&twilio.feedback, LINK_ID).await.is_empty());
        assert_sends!(twilio.feedback, digest_present: 1);

        // One that is tagged already needs no change, and is recorded.
        let mut request = create(&twilio.uri(), &format!("{LINK}{TAG}"));
        request.headers_mut().insert(&name, "vouched".parse().unwrap());
        assert_eq!(twilio.send(request).await, 201);
        assert_sends!(twilio.feedback, digest_present: 1, already_tagged: 1, recorded: 1);
    }
}

#[tokio::test]
async fn a_status_callback_is_neither_written_over_nor_into_what_a_header_vouches_for() {
    let feedback =
        builder(ORIGIN).status_callback("https://example.com/status").build().expect("a handle");
    let own = format!("{LINK}&StatusCallback=https%3A%2F%2Fexample.com%2Fown");
    for (form, vouched, expected) in [
        (format!("{LINK}{TAG}"), true, format!("{LINK}{TAG}")),
        (format!("{own}{TAG}"), true, format!("{own}{TAG}")),
        (own.clone(), false, format!("{own}{TAG}")),
    ] {
        let mut request = create(&messages(ORIGIN), &form);
        if vouched {
            request.headers_mut().insert("content-digest", "vouched".parse().unwrap());
        }
        let (seen, inner) = answering(|| created(full(&receipt())));
        let service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
        soon(service.oneshot(request)).await.expect("infallible");
        assert_eq!(seen.lock().unwrap()[0].1, expected);
    }
}

#[tokio::test]
async fn a_message_waits_for_its_action_for_as_long_as_it_is_kept() {
    let clock = ManualClock::new(NOW);
    let builder = builder_at(ORIGIN, &clock).retention(Duration::from_secs(1000));
    let feedback = builder.build().expect("a handle");
    answered(&feedback, || created(full(&receipt()))).await;
    for seconds in (33..=1056).step_by(33) {
        clock.advance(Duration::from_secs(33));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let kept = !lookup(&feedback, LINK_ID).await.is_empty();
        // The sweep comes every half minute.
        assert!(if kept { seconds < 1031 } else { seconds >= 1000 }, "{kept}, {seconds} s");
    }
}

#[tokio::test]
async fn a_create_that_goes_elsewhere_is_left_alone() {
    let twilio = twilio().await;
    let elsewhere = Simulator::new();
    let server = elsewhere.serve().await.expect("a port");
    assert_eq!(twilio.send(create(&messages(server.base_url()), LINK)).await, 201);
    assert_eq!(elsewhere.received()[0].body(), LINK);
    assert_sends!(twilio.feedback, origin_not_allowed: 1);
}

#[tokio::test]
async fn a_password_in_the_uri_comes_to_rest_nowhere() {
    let twilio = twilio().await;
    let uri = twilio.uri().replace("http://", &format!("http://{AC}:secret@"));
    let request = create(&uri, LINK);
    let (seen, inner) = answering(|| http::Response::new(full(&receipt())));
    let service = twilio.feedback.provide_layer().correlate(link_query("id")).layer(inner);
    soon(service.oneshot(request)).await.expect("infallible");
    assert_eq!(seen.lock().unwrap()[0].1, LINK);
    assert!(lookup(&twilio.feedback, LINK_ID).await.is_empty());
    assert_sends!(twilio.feedback, origin_not_allowed: 1);
}

#[tokio::test]
async fn what_is_no_create_is_neither_touched_nor_counted() {
    let twilio = twilio().await;
    let accounts = format!("{}/Accounts/{AC}", twilio.server.base_url());
    for (method, path, content_type) in [
        ("POST", "/Messages.json", "application/json"),
        ("POST", "/Messages.json", "multipart/form-data"),
        ("GET", "/Messages.json", FORM),
        ("PUT", "/Messages.json", FORM),
        ("POST", "/Messages.csv", FORM),
        ("POST", "/Calls.json", FORM),
        ("POST", &format!("/Messages/{SM}.json"), FORM),
        ("POST", &format!("/Messages/{SM}/Feedback.json"), FORM),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("{accounts}{path}"))
            .header("authorization", basic())
            .header("content-type", content_type)
            .extension(CorrelationId::from("an id"))
            .body(full(LINK))
            .unwrap();
        twilio.send(request).await;
        assert_eq!(twilio.body(), LINK, "{method} {path}");
    }
    assert_sends!(twilio.feedback);
}

#[tokio::test]
async fn a_compressed_form_is_left_alone() {
    let twilio = twilio().await;
    for encoding in ["gzip", "br"] {
        let mut request = create(&twilio.uri(), LINK);
        request.headers_mut().insert("content-encoding", encoding.parse().unwrap());
        twilio.send(request).await;
        assert_eq!(twilio.body(), LINK);
    }
    assert_sends!(twilio.feedback, form_unreadable: 2);

    // `identity` says that nothing was done to it.
    let mut request = create(&twilio.uri(), LINK);
    request.headers_mut().insert("content-encoding", "identity".parse().unwrap());
    twilio.send(request).await;
    assert_sends!(twilio.feedback, form_unreadable: 2, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn base_url_speaks_for_requests_whose_uri_says_another_host() {
    let twilio = twilio().await;
    let base_url: BaseUrl = twilio.server.base_url();
    // A layer below sends each request to the simulator, as a proxy would.
    let authority = twilio.server.address().to_string();
    let inner = client().map_request(move |mut request: Request<Full<Bytes>>| {
        let path = request.uri().path().to_owned();
        *request.uri_mut() = format!("http://{authority}{path}").parse().unwrap();
        request
    });
    let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
    let path = format!("/2010-04-01/Accounts/{AC}/Messages.json");

    // Without it nobody can say where the create goes.
    let send = layer.layer(inner.clone()).oneshot(create(&path, LINK));
    sid_of(soon(send).await.expect("an answer")).await;
    assert_sends!(twilio.feedback, origin_not_allowed: 1);

    let service = layer.clone().base_url(base_url.clone()).layer(inner.clone());
    let sid = sid_of(soon(service.oneshot(create(&path, LINK))).await.expect("an answer")).await;
    let entry = only(&twilio.feedback, LINK_ID).await;
    assert_eq!((entry.sid, entry.base_url), (sid, base_url));

    // It, too, has to be allowed.
    let service = layer.base_url("http://127.0.0.1:1".parse().unwrap()).layer(inner);
    sid_of(soon(service.oneshot(create(&path, LINK))).await.expect("an answer")).await;
    assert_sends!(twilio.feedback, origin_not_allowed: 2, tagged: 1, recorded: 1);
}
