//! JSON and CSV.

use serde_json::json;
use tower_message_feedback::{MessageStatus, store::StatusUpdate};

use crate::support::{AC, World, account, seconds};

#[tokio::test]
async fn it_serializes_as_documented() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let sent = world
        .sent(AC, sid)
        .label("login")
        .dimensions(tower_message_feedback::store::Dimensions::of_recipient("+4915112345678"));
    world.feedback.record("id", sent).await;
    let update = StatusUpdate::new(sid, account(AC), MessageStatus::Sent);
    world.feedback.record_status(update).await;
    world.time.advance(seconds(1));
    world.feedback.confirm("id").await;
    world.flush().await;
    let report = world.feedback.report(seconds(3600)).await.expect("a report");
    let shown = serde_json::to_value(&report).expect("JSON");
    let funnel = |name: &str, value: &str| {
        let mut funnel = json!({
            "attempted": 1, "status_ok": 1, "conversions": 1,
            "conversion_rate": {
                "value": 1.0, "low": 0.206549314377615, "high": 1.0, "is_small_sample": true
            },
            "unconfirmed": 0, "resends": 0, "resends_per_conversion": 0.0, "dead_letters": 0,
            "latency": { "p50_seconds": 0.5, "p90_seconds": 0.9, "p99_seconds": 0.99 },
        });
        let fields = funnel.as_object_mut().expect("an object");
        if !name.is_empty() {
            fields.insert(name.to_owned(), json!(value));
        }
        // Floating point ends where it will.
        let low = report.total.conversion_rate().expect("a rate").low;
        assert!((low - 0.206549314377615).abs() < 1e-9);
        funnel["conversion_rate"]["low"] = json!(low);
        funnel
    };
    let expected = json!({
        "at": "1994-11-06T08:49:38Z",
        "from": "1994-11-06T08:00:00Z",
        "to": "1994-11-06T09:00:00Z",
        "resolution": "hour",
        "total": funnel("", ""),
        "over_time": [funnel("start", "1994-11-06T08:00:00Z")],
        "countries": [funnel("country", "DE")],
        "labels": [funnel("label", "login")],
        "channels": [funnel("channel", "sms")],
        "messaging_services": [{ "messaging_service": null }],
        "accounts": [funnel("account", AC)],
        "outbox": { "waiting": 0, "oldest_age_seconds": null, "dead_letters": 0 },
    });
    for (name, value) in expected.as_object().expect("an object") {
        if name == "messaging_services" {
            assert_eq!(shown[name][0]["messaging_service"], json!(null));
        } else {
            assert_eq!(shown[name], *value, "{name}");
        }
    }
    assert_eq!(shown.as_object().map(serde_json::Map::len), Some(12));

    let csv = world.feedback.report_csv(seconds(3600)).await.expect("CSV");
    assert_eq!(
        csv,
        "start,country,label,channel,messaging_service,account,attempted,status_ok,conversions,\
         unconfirmed,resends,dead_letters,p50_seconds,p90_seconds,p99_seconds\r\n\
         1994-11-06T08:00:00Z,DE,login,sms,,AC0123456789abcdef0123456789abcdef,1,1,1,0,0,0,0.5,\
         0.9,0.99\r\n"
    );
}

#[tokio::test]
async fn a_label_is_quoted_and_no_formula() {
    let world = World::new().await;
    for (label, field) in [
        ("a,b", "\"a,b\""),
        ("a\"b", "\"a\"\"b\""),
        ("a\r\nb", "\"a\r\nb\""),
        ("=1+1", "'=1+1"),
        ("@a,\"", "\"'@a,\"\"\""),
        ("plain", "plain"),
    ] {
        let sid = world.create(AC).await;
        let sent = world.sent(AC, sid).label(label);
        world.feedback.record(sid.to_string(), sent).await;
        let csv = world.feedback.report_csv(seconds(3600)).await.expect("CSV");
        assert!(csv.contains(&format!("Z,,{field},,,AC")), "{label}: {csv}");
    }
}
