//! Nothing personal in the log, at any level.

use std::{convert::Infallible, io};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Confirmation, CorrelationId, Recorded, RetryPolicy, link_query,
    simulator::Answer,
    source::query,
    webhook::{SignatureVerifier, VerifyTwilioSignatureLayer},
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    log::Log,
    support::{
        AC, CORRELATION_KEY, Mode, Op, Site, SwitchStore, TOKEN, WAIT, World, credentials, guarded,
        seconds, settle_down,
    },
};

/// A send through the layer, with the id in a link of its text.
async fn send(world: &World, id: &str) {
    let text = format!("Body=MARKEDTEXT+https%3A%2F%2Fa.example%2Fconfirm%3Fid%3D{id}");
    send_form(world, &text).await;
}

async fn send_form(world: &World, fields: &str) {
    let layer = world.feedback.provide_layer().correlate(link_query("id"));
    let form = format!("To=%2B15558675310&From=%2B15557122661&{fields}");
    let request = Request::post(format!("{}/Accounts/{AC}/Messages.json", world.server.base_url()))
        .header("authorization", "Bearer MARKEDSENDER")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))
        .expect("a request");
    let response = layer.layer(world.twilio.service()).oneshot(request).await;
    assert!(response.is_ok());
}

/// A loop that meets all that can go well and wrong.
async fn eventful(world: &World, store: &SwitchStore) {
    for status in [500, 404, 429, 400, 401] {
        world.twilio.answer_feedback(Answer::status(status));
    }
    for n in 0..6 {
        let id = format!("MARKEDID{n}");
        send(world, &id).await;
        assert_eq!(world.feedback.confirm(&id).await, Confirmation::Queued);
        let _ = world.feedback.confirm(&id).await;
        world.flush().await;
        world.advance(WAIT).await;
    }
    let recipient = CorrelationId::recipient("+15558675310");
    let _ = world.feedback.confirm(recipient.clone()).await;
    let sid = world.create(AC).await;
    let _ = world.feedback.record(recipient, world.sent(AC, sid)).await;
    store.set(Op::Lease, Mode::Fails);
    send(world, "MARKEDIDwaiting").await;
    assert_eq!(world.feedback.confirm("MARKEDIDwaiting").await, Confirmation::Queued);
    settle_down().await;
    for mode in [Mode::Fails, Mode::FailsAfterwards] {
        for op in [Op::Record, Op::Confirm, Op::Lease, Op::Settle, Op::Forget, Op::Lookup] {
            store.set(op, mode);
        }
        send(world, "MARKEDIDfailing").await;
        let _ = world.feedback.confirm("MARKEDIDfailing").await;
        let _ = world.feedback.forget("MARKEDIDfailing").await;
        let _ = world.feedback.lookup("MARKEDIDfailing").await;
        for _ in 0..3 {
            world.time.advance(seconds(7));
            settle_down().await;
        }
    }
    for op in [Op::Record, Op::Confirm, Op::Lease, Op::Settle, Op::Forget, Op::Lookup] {
        store.set(op, Mode::Works);
    }
    let _ = world.feedback.confirm("x".repeat(5000) + "MARKEDID").await;
    world.advance(WAIT).await;
    let letters = world.feedback.dead_letters(None, 10).await.expect("an answer");
    assert!(!letters.is_empty());
    let _ = world.feedback.resend(letters[0].sid).await;
    let _ = world.feedback.forget("MARKEDID1").await;
    assert!(guarded(world.feedback.shutdown(seconds(10))).await.is_empty());
    let _ = world.feedback.confirm("MARKEDID1").await;
}

#[tokio::test]
async fn a_whole_loop_logs_no_number_no_id_no_text_and_no_credential() {
    let (log, _guard) = Log::of(LevelFilter::TRACE);
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    let builder = site
        .builder()
        .credentials(credentials())
        .correlation_key(CORRELATION_KEY)
        .store(store.clone());
    let world = site.world(builder);
    eventful(&world, &store).await;

    let log = log.text();
    for event in [
        "message tracked",
        "feedback queued",
        "feedback delivered",
        "feedback will be sent again",
        "feedback is a dead letter",
        "the account's feedback waits",
        "credentials are accepted again",
        "confirm deferred",
        "record deferred",
        "the store failed; delivery waits",
    ] {
        assert!(log.contains(event), "the loop did not meet: {event}");
    }
    let basic = BASE64_STANDARD.encode(format!("{AC}:{TOKEN}"));
    let key = std::str::from_utf8(CORRELATION_KEY).expect("UTF-8");
    for personal in [
        "MARKED",
        "15558675310",
        "5558675310",
        "15557122661",
        TOKEN,
        &basic,
        key,
        "Bearer",
        "Basic",
    ] {
        let line = log.lines().find(|line| line.contains(personal));
        assert_eq!(line, None, "{personal}");
    }
}

#[tokio::test]
async fn nobody_outside_can_write_a_line_into_the_log() {
    const FORGED: &str = "x\r\n2026-01-01T00:00:00Z ERROR forged\u{1b}[31m\u{7}\u{2028}";
    let (log, _guard) = Log::of(LevelFilter::TRACE);
    let world = World::with(|builder| builder.retry_policy(RetryPolicy::default())).await;
    let body = format!(r#"{{"code":21211,"message":{FORGED:?},"more_info":{FORGED:?}}}"#);
    let ids = ["RQ1 forged\t", &"RQ".repeat(4000), "RQ0123456789abcdef0123456789abcdef"];
    for (status, id) in [500, 429, 400].into_iter().zip(ids) {
        let answer = Answer::status(status).with_body(body.clone());
        world.twilio.answer_feedback(answer.with_header("twilio-request-id", id));
    }
    world.twilio.answer_create(Answer::status(201).with_body(FORGED));
    send(&world, "forged%0D%0Aforged%1B").await;
    send(&world, "forged%0D%0Aforged%1B").await;
    let sid = world.create(AC).await;
    let sent = world.sent(AC, sid).label(FORGED);
    assert_eq!(world.feedback.record(FORGED, sent).await, Recorded::Recorded);
    assert_eq!(world.feedback.confirm(FORGED).await, Confirmation::Queued);
    let preview = Request::get("/?id=forged").header("user-agent", "WhatsApp/forged\t").body(());
    let preview = preview.expect("a request");
    let confirm = world.feedback.confirm_layer(query("id"));
    let service = tower::service_fn(|_| async { Ok::<_, Infallible>(Response::new(())) });
    confirm.layer(service).oneshot(preview).await.expect("infallible");
    for _ in 0..4 {
        world.advance(WAIT).await;
    }

    let log = log.text();
    assert!(log.contains("not an action") && log.contains("feedback is a dead letter"), "{log}");
    assert!(log.contains(&format!("request_id=\"{}\"", ids[2])), "{log}");
    assert!(!log.contains("forged") && !log.contains("RQRQ"), "{log}");
    for line in log.lines() {
        assert!(line.starts_with(|first: char| first.is_ascii_digit()), "{line}");
        assert!(!line.contains(|letter: char| letter.is_control()), "{line}");
    }
}

#[tokio::test]
async fn what_is_not_quite_a_request_id_is_none() {
    let (log, _guard) = Log::of(LevelFilter::TRACE);
    let world = World::new().await;
    let digits = "0123456789abcdef0123456789abcde";
    for id in [format!("RQ{digits}"), format!("RQ{digits}ff"), format!("RQ{digits}g")] {
        world.twilio.answer_feedback(Answer::status(400).with_header("twilio-request-id", &id));
        world.act(&id).await;
        world.flush().await;
    }
    let log = log.text();
    assert_eq!(log.matches("feedback is a dead letter").count(), 3, "{log}");
    assert!(!log.contains("request_id"), "{log}");
}

#[tokio::test]
async fn a_call_that_is_repeated_says_what_went_wrong() {
    let (log, _guard) = Log::of(LevelFilter::DEBUG);
    let world = World::with(|builder| {
        builder.transport(tower::service_fn(|_| async {
            Err::<Response<Full<Bytes>>, _>(io::Error::other("a cable was cut"))
        }))
    })
    .await;
    world.act("id").await;
    world.flush().await;
    let log = log.text();
    let said = log.lines().find(|line| line.contains("feedback will be sent again"));
    let said = said.unwrap_or_else(|| panic!("{log}"));
    assert!(said.contains("result=\"failed\"") && said.contains("a cable was cut"), "{said}");
}

#[tokio::test]
async fn a_verifier_without_a_token_is_the_applications_mistake_and_a_forgery_is_not() {
    let (log, _guard) = Log::of(LevelFilter::DEBUG);
    let knowing = SignatureVerifier::new(AC, TOKEN).expect("a token");
    for (verifier, status) in [(SignatureVerifier::default(), 500), (knowing, 403)] {
        let inner = tower::service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let service = VerifyTwilioSignatureLayer::new(verifier).layer(inner);
        let request = Request::get("http://a.example/").header("x-twilio-signature", "forged");
        let request = request.body(Full::default()).expect("a request");
        assert_eq!(service.oneshot(request).await.expect("infallible").status(), status);
    }
    let log = log.text();
    let [mistake, forgery] = log.lines().collect::<Vec<_>>()[..] else { panic!("{log}") };
    assert!(mistake.contains("ERROR") && mistake.contains("no auth token is known"), "{log}");
    assert!(forgery.contains("DEBUG") && forgery.contains("webhook refused"), "{log}");
}

#[tokio::test]
async fn a_store_that_stays_away_is_told_once_each_time() {
    let (log, _guard) = Log::of(LevelFilter::WARN);
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    store.set(Op::Lease, Mode::Fails);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let world = site.world(builder);
    for told in 1..=2 {
        let asked = store.calls(Op::Lease) + 5;
        while store.calls(Op::Lease) < asked {
            settle_down().await;
            world.time.advance(seconds(7));
        }
        let text = log.text();
        assert_eq!(text.matches("the store failed; delivery waits").count(), told, "{text}");
        store.set(Op::Lease, Mode::Works);
        world.advance(seconds(7)).await;
        store.set(Op::Lease, Mode::Fails);
        world.act(&format!("{told}")).await;
    }
}

#[tokio::test]
async fn each_mistake_is_told_once() {
    let (log, _guard) = Log::of(LevelFilter::WARN);
    let world = World::with(|builder| builder.tag_if(|_| false)).await;
    for n in 0..3 {
        send(&world, &format!("{n}")).await;
        assert_eq!(world.feedback.confirm(n.to_string()).await, Confirmation::NeverTagged);
        send_form(&world, "Body=x&ProvideFeedback=true").await;
    }
    for n in 0..100 {
        assert_eq!(world.feedback.confirm(format!("unknown {n}")).await, Confirmation::Unknown);
    }
    let log = log.text();
    for told in [
        "with ProvideFeedback=true and without a correlation id",
        "sent without ProvideFeedback=true",
        "Do several processes serve this application",
    ] {
        assert_eq!(log.matches(told).count(), 1, "{told}\n{log}");
    }
}

#[tokio::test]
async fn known_ids_raise_no_suspicion() {
    let (log, _guard) = Log::of(LevelFilter::WARN);
    let world = World::new().await;
    for n in 0..40 {
        world.act(&format!("{n}")).await;
        assert_eq!(world.feedback.confirm(format!("unknown {n}")).await, Confirmation::Unknown);
    }
    assert_eq!(log.text(), "");
}
