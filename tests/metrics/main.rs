//! What an exporter gets through the facade `metrics`, and the dashboard that is made of it.
//!
//! A recorder is for a whole process: this test has one to itself.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use support::{AC, Site, account, credentials, seconds, settle_down};
use tower_message_feedback::{
    Confirmation, MessageStatus,
    simulator::Answer,
    store::{Dimensions, StatusUpdate},
};

const DASHBOARD: &str = include_str!("../../examples/grafana/dashboard.json");

#[tokio::test]
async fn an_exporter_gets_what_the_dashboard_shows() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let prometheus = recorder.handle();
    metrics::set_global_recorder(recorder).expect("the first");
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials());
    let world = site.world(builder);

    let number = "+4915112345678";
    let sid = world.create(AC).await;
    let dimensions = Dimensions::of_recipient(number);
    let sent = world.sent(AC, sid).label("login").dimensions(dimensions);
    world.feedback.record(number, sent).await;
    for status in [MessageStatus::Sent, MessageStatus::Undelivered] {
        world.feedback.record_status(StatusUpdate::new(sid, account(AC), status)).await;
        world.flush().await;
    }
    world.time.advance(seconds(20));
    assert_eq!(world.feedback.confirm(number).await, Confirmation::Queued);
    world.flush().await;
    world.twilio.answer_feedback(Answer::status(400));
    let dead = world.act("another").await;
    world.flush().await;
    world.time.advance(seconds(10));
    settle_down().await;
    world.feedback.pause_delivery();
    world.act("waits").await;
    settle_down().await;
    world.time.advance(seconds(10));
    settle_down().await;

    let shown = prometheus.render();
    let of_login = "{country=\"DE\",label=\"login\",channel=\"sms\"}";
    for line in [
        format!("message_feedback_attempted_total{of_login} 1"),
        format!("message_feedback_status_ok_total{of_login} 1"),
        format!("message_feedback_status_ok_revoked_total{of_login} 1"),
        format!("message_feedback_conversions_total{of_login} 1"),
        "message_feedback_attempted_total{country=\"\",label=\"\",channel=\"\"} 2".to_owned(),
        "message_feedback_dead_lettered_total{country=\"\",label=\"\",channel=\"\"} 1".to_owned(),
        "message_feedback_dead_letters 1".to_owned(),
        "message_feedback_outbox_messages 1".to_owned(),
        "message_feedback_outbox_oldest_age_seconds 10".to_owned(),
        "message_feedback_calls_total 2".to_owned(),
        "# TYPE message_feedback_conversions_total counter".to_owned(),
        "message_feedback_untracked_sends_total{reason=\"abandoned\"} 0".to_owned(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    assert!(shown.contains("message_feedback_confirm_latency_seconds_sum"), "{shown}");
    for secret in [number, &number[1..], AC, &sid.to_string(), &dead.to_string()] {
        assert!(!shown.contains(secret), "{secret} is in\n{shown}");
    }

    // Everything that the dashboard asks for is there.
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let asked = names(&dashboard.to_string());
    assert!(asked.len() > 8, "{asked:?}");
    let exported = names(&shown);
    // A histogram's buckets are the exporter's to choose.
    let base = |name: &String| name.trim_end_matches("_bucket").to_owned();
    let missing: Vec<_> = asked
        .iter()
        .filter(|name| !exported.iter().any(|exported| exported.starts_with(&base(name))))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("message_feedback_")).map(str::to_owned).collect()
}
