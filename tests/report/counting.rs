//! What counts, and for which hour.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer, ServiceExt};
use tower_message_feedback::{
    Channel, Confirmation, CorrelationId, Country, MessageSid, MessageStatus, MessagingServiceSid,
    StatusRecorded,
    report::{Funnel, Report, ReportQuery},
    simulator::Answer,
    store::{Dimensions, ResendOutcome, Resolution, StatusUpdate},
};

use crate::support::{AC, World, account, guarded, seconds};
use MessageStatus::{Delivered, Failed, Read, Sent, Undelivered};

const HOUR: Duration = seconds(3600);
const MG: &str = "MG0123456789abcdef0123456789abcdef";

/// The last day.
async fn report(world: &World) -> Report {
    guarded(world.feedback.report(24 * HOUR)).await.expect("a report")
}

/// Attempted, status OK, conversions.
fn shown(funnel: &Funnel) -> (u64, u64, u64) {
    (funnel.attempted, funnel.status_ok, funnel.conversions)
}

async fn told(world: &World, sid: MessageSid, status: MessageStatus) -> StatusRecorded {
    world.feedback.record_status(StatusUpdate::new(sid, account(AC), status)).await
}

#[tokio::test]
async fn everything_counts_for_the_hour_of_the_send() {
    let world = World::new().await;
    let sid = world.send("id").await;
    world.time.advance(HOUR);
    world.send("another").await;
    told(&world, sid, Delivered).await;
    world.time.advance(HOUR);
    assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
    assert!(world.flush().await.is_empty());
    let report = report(&world).await;
    assert_eq!(report.resolution, Resolution::Hour);
    assert_eq!(report.over_time.len(), 24);
    let hours: Vec<_> = report.over_time.iter().map(|hour| shown(&hour.funnel)).collect();
    assert_eq!(hours[21..], [(1, 1, 1), (1, 0, 0), (0, 0, 0)]);
    assert_eq!(hours[..21], [(0, 0, 0); 21]);
    assert_eq!(shown(&report.total), (2, 1, 1));
    let rate = report.total.conversion_rate().expect("a rate");
    assert!(rate.value == 0.5 && rate.is_small_sample);
    // Two hours, as far as a histogram tells.
    let median = report.total.latency.quantile(0.5).expect("a median").as_secs_f64();
    assert!((5100.0..8200.0).contains(&median), "{median}");
    assert_eq!((report.outbox.waiting, report.outbox.dead_letters), (0, 0));
    let days = ReportQuery::last(24 * HOUR).resolution(Resolution::Day);
    let days = world.feedback.report(days).await.expect("a report");
    assert_eq!(days.over_time.len(), 1);
    assert_eq!(days.total, report.total);
}

#[tokio::test]
async fn a_conversion_counts_once_whoever_confirms_again() {
    let world = World::new().await;
    world.act("id").await;
    assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
    world.flush().await;
    assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
    world.flush().await;
    assert_eq!(shown(&report(&world).await.total), (1, 0, 1));
    // Twilio does not have it yet: it is no conversion.
    world.feedback.pause_delivery();
    world.act("later").await;
    let report = report(&world).await;
    assert_eq!((shown(&report.total), report.outbox.waiting), ((2, 0, 1), 1));
}

#[tokio::test]
async fn resends_are_counted_for_the_message_that_converts() {
    let world = World::new().await;
    for _ in 0..3 {
        world.send("id").await;
        world.time.advance(seconds(1));
    }
    world.send("in vain").await;
    world.feedback.confirm("id").await;
    world.flush().await;
    let first = report(&world).await.total;
    assert_eq!((shown(&first), first.resends), ((4, 0, 1), 2));
    assert_eq!(first.resends_per_conversion(), Some(2.0));
    // The next login under the same id is no resend.
    world.time.advance(seconds(1));
    world.act("id").await;
    world.flush().await;
    let second = report(&world).await.total;
    assert_eq!((shown(&second), second.resends), ((5, 0, 2), 2));
}

#[tokio::test]
async fn a_dead_letter_counts_until_it_is_sent_again() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(400));
    let sid = world.act("id").await;
    world.flush().await;
    let dead = report(&world).await;
    assert_eq!((dead.total.conversions, dead.total.dead_letters), (0, 1));
    assert_eq!(dead.outbox.dead_letters, 1);
    assert_eq!(world.feedback.resend(sid).await.expect("an answer"), ResendOutcome::Queued);
    world.flush().await;
    let sent = report(&world).await;
    assert_eq!((shown(&sent.total), sent.total.dead_letters), ((1, 0, 1), 0));
    assert_eq!(sent.outbox.dead_letters, 0);
}

#[tokio::test]
async fn a_message_that_only_its_confirm_records_is_attempted_when_it_converts() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let sent = world.sent(AC, sid).label("login");
    assert_eq!(world.feedback.confirm_sid(sent).await, Confirmation::Queued);
    let entry = world.feedback.lookup_sid(sid).await.expect("an answer").expect("a message");
    assert_eq!(entry.label(), Some("login"));
    assert_eq!(shown(&report(&world).await.total), (0, 0, 0));
    world.flush().await;
    // One that was recorded before is counted once, too.
    let sid = world.send("id").await;
    world.feedback.confirm_sid(world.sent(AC, sid)).await;
    world.flush().await;
    let report = report(&world).await;
    assert_eq!(shown(&report.total), (2, 0, 2));
    let labels: Vec<_> = report.labels.iter().map(|group| group.of.as_deref()).collect();
    assert_eq!(labels, [None, Some("login")]);
}

#[tokio::test]
async fn what_nobody_confirms_in_its_time_is_told() {
    let world = World::with(|builder| builder.retention(2 * HOUR)).await;
    world.send("in vain").await;
    world.act("id").await;
    world.flush().await;
    world.time.advance(2 * HOUR);
    assert_eq!(report(&world).await.total.unconfirmed, 0, "the hour may have confirms yet");
    world.time.advance(HOUR);
    let report = report(&world).await;
    assert_eq!((shown(&report.total), report.total.unconfirmed), ((2, 0, 1), 1));
}

#[tokio::test]
async fn a_send_tells_its_country_channel_and_service() {
    let world = World::new().await;
    let layer = world.feedback.provide_layer().label("login").base_url(world.server.base_url());
    let client = layer.layer(world.twilio.service());
    let mg = format!("MessagingServiceSid={MG}");
    for (n, form) in [
        "To=%2B4915112345678&From=%2B15557122661&Body=x".to_owned(),
        format!("To=%2B4915112345678&{mg}&Body=x"),
        "To=whatsapp%3A%2B5511912345678&From=whatsapp%3A%2B15557122661&Body=x".to_owned(),
        format!("To=%2B4915112345678&{mg}&Body=x&MediaUrl=https%3A%2F%2Fa.example%2Fx"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::post(format!("/2010-04-01/Accounts/{AC}/Messages.json"))
            .header("authorization", "Bearer x")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(CorrelationId::new(n.to_string()))
            .body(Full::new(Bytes::from(form)))
            .expect("a request");
        let response = client.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 201);
    }
    let report = report(&world).await;
    let country = |code: &str| -> Option<Country> { Some(code.parse().expect("a country")) };
    let of = |groups: &[tower_message_feedback::report::Group<Option<Country>>]| {
        groups.iter().map(|group| (group.of, group.funnel.attempted)).collect::<Vec<_>>()
    };
    assert_eq!(of(&report.countries), [(country("DE"), 3), (country("BR"), 1)]);
    let channels: Vec<_> =
        report.channels.iter().map(|group| (group.of, group.funnel.attempted)).collect();
    assert_eq!(
        channels,
        [(Some(Channel::Sms), 2), (Some(Channel::Mms), 1), (Some(Channel::WhatsApp), 1)]
    );
    let service: MessagingServiceSid = MG.parse().expect("a SID");
    let services: Vec<_> =
        report.messaging_services.iter().map(|group| (group.of, group.funnel.attempted)).collect();
    assert_eq!(services, [(None, 2), (Some(service), 2)]);
    assert_eq!(report.accounts[0].of, account(AC));
    assert_eq!(report.labels[0].of.as_deref(), Some("login"));

    // One of each, and all of them together.
    let day = || ReportQuery::last(24 * HOUR);
    let germany: Country = "DE".parse().expect("a country");
    for (query, attempted) in [
        (day().country(germany), 3),
        (day().country(None), 0),
        (day().channel(Channel::Sms), 2),
        (day().messaging_service(service), 2),
        (day().messaging_service(None), 2),
        (day().label("login"), 4),
        (day().label(""), 0),
        (day().account(account(AC)), 4),
        (day().account(account(crate::support::OTHER_AC)), 0),
        (day().country(germany).channel(Channel::Mms).label("login"), 1),
    ] {
        let report = world.feedback.report(query.clone()).await.expect("a report");
        assert_eq!(report.total.attempted, attempted, "{query:?}");
    }
}

#[tokio::test]
async fn labels_are_bounded() {
    let world = World::with(|builder| builder.report_labels(2)).await;
    for label in ["a", "b", "c", "a", "d", "(other)"] {
        let sid = world.create(AC).await;
        let sent = world.sent(AC, sid).label(label);
        world.feedback.record(CorrelationId::new(sid.to_string()), sent).await;
    }
    let labels = report(&world).await.labels;
    let labels: Vec<_> = labels
        .iter()
        .map(|group| (group.of.as_deref().unwrap_or(""), group.funnel.attempted))
        .collect();
    assert_eq!(labels, [("(other)", 3), ("a", 2), ("b", 1)]);
}

#[tokio::test]
async fn hours_go_and_days_stay() {
    let world = World::with(|builder| builder.report_retention(2 * HOUR, 30 * 24 * HOUR)).await;
    world.act("id").await;
    world.flush().await;
    let total = |resolution| {
        let query = ReportQuery::last(10 * 24 * HOUR).resolution(resolution);
        let report = world.feedback.report(query);
        async { report.await.expect("a report").total.conversions }
    };
    assert_eq!((total(Resolution::Hour).await, total(Resolution::Day).await), (1, 1));
    for _ in 0..4 {
        world.time.advance(HOUR);
        crate::support::settle_down().await;
    }
    assert_eq!((total(Resolution::Hour).await, total(Resolution::Day).await), (0, 1));
}

#[tokio::test]
async fn forgetting_a_message_leaves_its_counts_which_are_nobodys() {
    let world = World::new().await;
    world.act("id").await;
    world.flush().await;
    assert_eq!(world.feedback.forget("id").await.expect("an answer"), 1);
    assert_eq!(shown(&report(&world).await.total), (1, 0, 1));
}

#[tokio::test]
async fn switched_off_it_counts_nothing_and_asks_the_store_for_nothing() {
    let world = World::with(|builder| builder.report(false)).await;
    let sid = world.act("id").await;
    told(&world, sid, Delivered).await;
    world.flush().await;
    assert_eq!(shown(&report(&world).await.total), (0, 0, 0));
    assert_eq!(world.feedback.stats().report.flushed, 0);
}

#[tokio::test]
async fn numbers_are_in_no_report() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let sent = world.sent(AC, sid).dimensions(Dimensions::of_recipient("+15558675310"));
    world.feedback.record("+15558675310", sent).await;
    let query = ReportQuery::last(24 * HOUR);
    let report = serde_json::to_string(&report(&world).await).expect("JSON");
    let csv = world.feedback.report_csv(query).await.expect("CSV");
    for text in [report, csv] {
        assert!(text.contains("US") && !text.contains("5558675310"), "{text}");
        assert!(!text.contains(&sid.to_string()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_status_counts_once_whatever_the_order(
        order in Just(vec![Sent, Failed, Undelivered, Delivered, Read]).prop_shuffle(),
        length in 0_usize..=5,
        flushes: [bool; 5],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let sid = world.send("id").await;
            for (status, flush) in order[..length].iter().zip(flushes) {
                told(&world, sid, *status).await;
                told(&world, sid, *status).await;
                if flush {
                    world.flush().await;
                }
            }
            let furthest = order[..length].iter().max();
            let is_ok = furthest.is_some_and(|status| status.is_ok());
            let total = report(&world).await.total;
            assert_eq!(total.status_ok, u64::from(is_ok), "{order:?} {length}");
        });
    }
}
