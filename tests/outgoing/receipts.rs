//! Answers to tracked creates: what is read in them, and that the caller gets
//! them as they were.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::decompression::DecompressionLayer;
use tower_message_feedback::{CorrelationId, link_query, recipient, simulator::Answer};

use crate::{
    script::{Script, Seen, Step, data, frames, split},
    support::*,
};

fn seen(text: &str) -> Seen {
    Seen::Data(Bytes::copy_from_slice(text.as_bytes()))
}

fn gzip(text: &str) -> Bytes {
    use std::io::Write;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory").into()
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "4711".parse().unwrap());
    trailers
}

#[tokio::test]
async fn the_head_of_an_answer_is_as_it_was() {
    let feedback = feedback(ORIGIN);
    for status in [200, 201, 202] {
        let response = answered(&feedback, move || {
            Response::builder()
                .status(status)
                .version(http::Version::HTTP_2)
                .header("twilio-request-id", "RQ1")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                .header("content-length", receipt().len())
                .extension("an extension")
                .body(full(&receipt()))
                .unwrap()
        })
        .await;
        assert_eq!(response.status(), status);
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.extensions().get::<&str>(), Some(&"an extension"));
        let names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["twilio-request-id", "set-cookie", "content-length"]);
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(read(response).await.1, receipt());
    }
    assert_eq!(only(&feedback, LINK_ID).await.sid.to_string(), SM);
    assert_sends!(feedback, tagged: 3, recorded: 1, already_recorded: 2);
}

#[tokio::test]
async fn a_refused_create_is_not_recorded_and_its_answer_is_not_read() {
    for status in [199, 300, 304, 400, 401, 404, 429, 500, 503] {
        let feedback = feedback(ORIGIN);
        let status = StatusCode::from_u16(status).unwrap();
        let response = answered(&feedback, move || {
            // Whoever read it would find a SID.
            let mut response = created(full(&receipt()));
            *response.status_mut() = status;
            response
        })
        .await;
        assert_eq!(response.status(), status);
        assert_eq!(read(response).await.1, receipt());
        assert!(lookup(&feedback, LINK_ID).await.is_empty());
        assert_sends!(feedback, tagged: 1, not_created: 1);
    }
}

#[tokio::test]
async fn twilios_refusal_reaches_the_caller() {
    let twilio = twilio().await;
    twilio.simulator.answer_create(Answer::status(429).with_header("retry-after", "3"));
    assert_eq!(twilio.send_form(LINK).await, 429);
    twilio.simulator.answer_create(Answer::processed_then(503));
    assert_eq!(twilio.send_form(LINK).await, 503);
    assert_sends!(twilio.feedback, tagged: 2, not_created: 2);
}

#[tokio::test]
async fn an_answer_that_names_no_message_is_passed_on_and_counted() {
    let named = receipt();
    for body in [
        "",
        "{}",
        "null",
        "<TwilioResponse></TwilioResponse>",
        r#"{"sid":null,"account_sid":"AC0123456789abcdef0123456789abcdef"}"#,
        r#"{"sid":"CA0123456789abcdef0123456789abcdef"}"#,
        r#"{"sid":"SM012"}"#,
        r#"{"media":{"sid":"SM0123456789abcdef0123456789abcdef"}}"#,
        r#"{"\"sid":"SM0123456789abcdef0123456789abcdef"}"#,
        "<TwilioResponse><Media><Sid>SM0123456789abcdef0123456789abcdef</Sid></Media>\
         </TwilioResponse>",
        &named[..named.len() - 1],
        "\u{1}\u{2}",
    ] {
        let feedback = feedback(ORIGIN);
        let answer = body.to_owned();
        let response = answered(&feedback, move || created(full(&answer))).await;
        assert_eq!(read(response).await.1, body);
        assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);
    }
}

#[tokio::test]
async fn a_receipt_names_the_account_that_owns_the_message() {
    for (account_sid, expected) in [
        (format!("\"{SUB_AC}\""), SUB_AC),
        ("null".into(), AC),
        ("\"\"".into(), AC),
        ("[]".into(), AC),
    ] {
        let feedback = feedback(ORIGIN);
        let body = format!(r#"{{"account_sid":{account_sid},"sid":"{SM}"}}"#);
        answered(&feedback, move || created(full(&body))).await;
        assert_eq!(only(&feedback, LINK_ID).await.account.to_string(), expected);
    }
    for body in [
        format!(r#"{{"sid":"{SM}"}}"#),
        format!(r#"{{"sid":"{SM}","media":{{"account_sid":"{SUB_AC}"}}}}"#),
        format!(
            "<TwilioResponse><Message><Sid>{SM}</Sid></Message>\
             <Media><AccountSid>{SUB_AC}</AccountSid></Media></TwilioResponse>"
        ),
    ] {
        let feedback = feedback(ORIGIN);
        answered(&feedback, move || created(full(&body))).await;
        assert_eq!(only(&feedback, LINK_ID).await.account.to_string(), AC);
    }
}

#[tokio::test]
async fn a_proxy_cannot_name_another_account_to_get_its_credentials() {
    for account_sid in [SUB_AC, AC] {
        let feedback = feedback("http://proxy.example/2010-04-01");
        let body = format!(r#"{{"account_sid":"{account_sid}","sid":"{SM}"}}"#);
        let (_, inner) = answering(move || created(full(&body)));
        let service = feedback.provide_layer().correlate(link_query("id")).layer(inner);
        let request = create(&messages("http://proxy.example/2010-04-01"), LINK);
        service.oneshot(request).await.expect("infallible");
        // The one that the application's own request named.
        assert_eq!(only(&feedback, LINK_ID).await.account.to_string(), AC);
    }
}

#[tokio::test]
async fn an_answer_cannot_take_over_the_message_of_another_send() {
    let feedback = feedback(ORIGIN);
    answered(&feedback, || created(full(&receipt()))).await;
    // Another send is answered with the SID of the first.
    let (_, inner) = answering(|| created(full(&receipt())));
    let service = feedback.provide_layer().correlate(recipient()).layer(inner);
    service.oneshot(create(&messages(ORIGIN), LINK)).await.expect("infallible");
    assert_eq!(only(&feedback, LINK_ID).await.sid.to_string(), SM);
    let other = CorrelationId::recipient("+15558675310");
    assert_eq!(feedback.lookup(other).await.expect("an answer"), []);
}

#[tokio::test]
async fn frames_and_trailers_come_as_they_were() {
    let feedback = feedback(ORIGIN);
    let steps = || {
        let mut steps = split(&receipt(), 5);
        steps.insert(2, Step::Yield);
        steps.insert(0, data(""));
        steps.push(Step::Trailers(trailers()));
        steps
    };
    let response = answered(&feedback, move || created(Script::new(steps()))).await;
    let expected: Vec<Seen> = steps()
        .into_iter()
        .filter_map(|step| match step {
            Step::Data(data) => Some(Seen::Data(data)),
            Step::Trailers(trailers) => Some(Seen::Trailers(trailers)),
            Step::Fail(_) | Step::Yield | Step::Stall(_) => None,
        })
        .collect();
    assert_eq!(frames(response.into_body()).await, expected);
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn a_receipt_in_frames_of_several_chunks_is_read() {
    let feedback = feedback(ORIGIN);
    let response = answered(&feedback, || {
        let mut one = receipt();
        let two = one.split_off(50);
        let frame = Frame::data(Bytes::from(one).chain(Bytes::from(two)));
        let stream = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(frame)]);
        created(StreamBody::new(stream))
    })
    .await;
    let mut body = response.into_body();
    let mut frame = body.frame().await.unwrap().unwrap().into_data().ok().unwrap();
    assert_eq!(frame.copy_to_bytes(frame.remaining()), receipt());
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn a_body_that_fails_half_way_gives_its_frames_and_then_its_error() {
    let feedback = feedback(ORIGIN);
    let text = receipt();
    let (half, _) = text.split_at(60);
    let steps = vec![data(half), Step::Fail(7), data("never")];
    let response = answered(&feedback, move || created(Script::new(steps.clone()))).await;
    assert!(!response.body().is_end_stream());
    assert_eq!(frames(response.into_body()).await, [seen(half), Seen::Error(7)]);
    assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);
}

#[tokio::test]
async fn a_body_that_fails_behind_its_receipt_is_recorded() {
    let feedback = feedback(ORIGIN);
    let steps = || [data(&receipt()), Step::Fail(7)];
    let response = answered(&feedback, move || created(Script::new(steps()))).await;
    assert_eq!(frames(response.into_body()).await, [seen(&receipt()), Seen::Error(7)]);
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn an_answer_over_the_bound_streams_on() {
    let text = receipt();
    for (announced, max, recorded) in [
        (true, text.len(), true),
        (false, text.len(), true),
        (true, text.len() - 1, false),
        (false, text.len() - 1, false),
        (false, 0, false),
    ] {
        let feedback = builder(ORIGIN).receipt_bounds(max, Duration::from_secs(1)).build().unwrap();
        let steps = || split(&receipt(), 4);
        let response = answered(&feedback, move || {
            created(if announced {
                Script::sized(receipt().len(), steps())
            } else {
                Script::new(steps())
            })
        })
        .await;
        let frames = frames(response.into_body()).await;
        assert_eq!(frames.len(), 4);
        let bytes: Vec<u8> = frames
            .into_iter()
            .flat_map(|frame| match frame {
                Seen::Data(data) => data,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(bytes, text.as_bytes());
        if recorded {
            assert_sends!(feedback, tagged: 1, recorded: 1);
        } else {
            assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stalls_is_handed_on_at_the_bound_and_streams_on() {
    const HOUR: Duration = Duration::from_secs(3600);
    let time = Duration::from_secs(3);
    let feedback = builder(ORIGIN).receipt_bounds(1024, time).build().unwrap();
    let steps = || {
        let mut steps = split(&receipt(), 2);
        steps.insert(1, Step::Stall(HOUR));
        steps.push(Step::Trailers(trailers()));
        steps
    };
    let start = tokio::time::Instant::now();
    let response = answered(&feedback, move || created(Script::new(steps()))).await;
    assert_eq!(start.elapsed(), time);
    assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);

    let frames = frames(response.into_body()).await;
    assert_eq!(start.elapsed(), HOUR);
    let text = receipt();
    let (one, two) = text.split_at(text.len().div_ceil(2));
    assert_eq!(frames, [seen(one), seen(two), Seen::Trailers(trailers())]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_not_waited_for() {
    let stalled = |size| Script::sized(size, [Step::Stall(Duration::from_secs(60)), data("late")]);
    let start = tokio::time::Instant::now();
    let feedback = feedback(ORIGIN);
    answered(&feedback, move || created(stalled(64 * 1024 + 1))).await;
    answered(&feedback, move || {
        let mut response = created(stalled(4));
        response.headers_mut().insert("content-encoding", "br".parse().unwrap());
        response
    })
    .await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_sends!(feedback, tagged: 2, receipt_unreadable: 2);
}

#[tokio::test(start_paused = true)]
async fn the_bound_in_time_is_on_the_whole_answer_and_not_on_each_frame() {
    let feedback = builder(ORIGIN).receipt_bounds(1024, Duration::from_secs(1)).build().unwrap();
    let drip = || {
        split(&receipt(), 10)
            .into_iter()
            .flat_map(|step| [Step::Stall(Duration::from_millis(300)), step])
    };
    let start = tokio::time::Instant::now();
    let response = answered(&feedback, move || created(Script::new(drip()))).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(read(response).await.1, receipt());
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_sends!(feedback, tagged: 1, receipt_unreadable: 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_slow_within_the_bound_is_recorded() {
    let feedback = feedback(ORIGIN);
    let steps = || {
        let mut steps = split(&receipt(), 2);
        steps.insert(1, Step::Stall(Duration::from_millis(900)));
        steps
    };
    let response = answered(&feedback, move || created(Script::new(steps()))).await;
    assert_eq!(read(response).await.1, receipt());
    assert_sends!(feedback, tagged: 1, recorded: 1);
}

#[tokio::test]
async fn a_compressed_answer_that_cannot_be_read_is_passed_on_and_counted() {
    // An encoding that is not known, two of them, no gzip at all, and one that is cut off.
    let gzipped = gzip(&receipt());
    for (encoding, answer) in [
        ("br", gzipped.clone()),
        ("gzip, gzip", gzipped.clone()),
        ("gzip", receipt().into()),
        ("gzip", gzipped.slice(..gzipped.len() - 9)),
    ] {
        let twilio = twilio().await;
        let compressed = Answer::processed_then(201)
            .with_header("content-encoding", encoding)
            .with_body(answer.clone());
        twilio.simulator.answer_create(compressed);
        let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
        let request = create(&twilio.uri(), LINK);
        let response = soon(layer.layer(client()).oneshot(request)).await.expect("an answer");
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert_eq!(read(response).await.1, answer);
        assert_sends!(twilio.feedback, tagged: 1, receipt_unreadable: 1);
    }
}

#[tokio::test]
async fn a_gzipped_answer_is_read_and_passed_on_as_it_was() {
    let twilio = twilio().await;
    let answer = gzip(&receipt());
    let compressed = Answer::processed_then(201)
        .with_header("content-encoding", "gzip")
        .with_body(answer.clone())
        .times(2);
    twilio.simulator.answer_create(compressed);

    let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
    let request = create(&twilio.uri(), LINK);
    let response = soon(layer.clone().layer(client()).oneshot(request)).await.expect("an answer");
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(read(response).await.1, answer);
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1);

    // Above, decompression gets what it waits for; below, it was there before us.
    let above =
        ServiceBuilder::new().layer(DecompressionLayer::new()).layer(layer).service(client());
    let request = create(&twilio.uri(), LINK);
    let response = soon(above.oneshot(request)).await.expect("an answer");
    assert_eq!(read(response).await.1, receipt());
    assert_sends!(twilio.feedback, tagged: 2, recorded: 1, already_recorded: 1);
}

#[tokio::test]
async fn a_bomb_is_not_unpacked_beyond_the_bound() {
    let bomb = gzip(&format!("{}{}", " ".repeat(1 << 20), receipt()));
    assert!(bomb.len() < 4096);
    for (max, recorded) in [(1 << 16, 0), (1 << 21, 1)] {
        let feedback =
            builder(ORIGIN).receipt_bounds(max, Duration::from_secs(1)).build().expect("a handle");
        let bomb = bomb.clone();
        let body = bomb.clone();
        let response = answered(&feedback, move || {
            let mut response = created(http_body_util::Full::new(body.clone()));
            response.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
            response
        })
        .await;
        assert_eq!(read(response).await.1, bomb);
        assert_sends!(feedback, tagged: 1, recorded: recorded, receipt_unreadable: 1 - recorded);
    }
}

#[tokio::test]
async fn with_decompression_below_it_is_read() {
    let twilio = twilio().await;
    let compressed = Answer::processed_then(201)
        .with_header("content-encoding", "gzip")
        .with_body(gzip(&receipt()));
    twilio.simulator.answer_create(compressed);
    let layer = twilio.feedback.provide_layer().correlate(link_query("id"));
    let service =
        ServiceBuilder::new().layer(layer).layer(DecompressionLayer::new()).service(client());
    let request = create(&twilio.uri(), LINK);
    let response = soon(service.oneshot(request)).await.expect("an answer");
    assert_eq!(read(response).await.1, receipt());
    assert_sends!(twilio.feedback, tagged: 1, recorded: 1);
}
