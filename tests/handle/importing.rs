//! Messages that were sent before the layer was there.

use tower_message_feedback::{
    Confirmation, CorrelationId, ImportLine, Imported, InvalidImport, SentMessage,
};

use crate::support::{AC, START, World, guarded, seconds};

const DAY: u64 = 24 * 60 * 60;

fn line(text: &str) -> Result<ImportLine, InvalidImport> {
    text.parse()
}

#[tokio::test]
async fn messages_wait_until_their_retention_after_they_were_sent() {
    let world = World::with(|builder| builder.retention(seconds(3 * DAY))).await;
    let ages = [0, DAY, 2 * DAY, 3 * DAY, 30 * DAY];
    let mut messages = Vec::new();
    for age in ages {
        let sid = world.create(AC).await;
        let sent = world.sent(AC, sid).sent_at((START - seconds(age)).into());
        messages.push((age.to_string(), sent));
    }
    let imported = guarded(world.feedback.import(messages.clone())).await.unwrap();
    let mut expected = Imported::default();
    (expected.recorded, expected.expired) = (3, 2);
    assert_eq!(imported, expected);
    // Repeated, it changes nothing.
    let imported = guarded(world.feedback.import(messages)).await.unwrap();
    (expected.recorded, expected.already_recorded) = (0, 3);
    assert_eq!(imported, expected);

    // The sweep comes every half minute.
    world.advance(seconds(DAY)).await;
    world.advance(seconds(40)).await;
    crate::support::settle_down().await;
    let mut confirmed = Vec::new();
    for age in ages {
        confirmed.push(world.feedback.confirm(age.to_string()).await);
    }
    use Confirmation::{Queued, Unknown};
    assert_eq!(confirmed, [Queued, Queued, Unknown, Unknown, Unknown]);
    world.flush().await;
    assert_eq!(world.twilio.confirmed().len(), 2);
}

#[tokio::test]
async fn many_are_recorded_and_what_cannot_be_is_counted() {
    let world = World::new().await;
    let mut lines = Vec::new();
    for n in 0..1201 {
        let sid = format!("SM{n:032x}");
        let sent = SentMessage::new(AC.parse().unwrap(), sid.parse().unwrap())
            .base_url(world.server.base_url());
        lines.push(ImportLine::new(n.to_string(), sent));
    }
    let sid = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
    let sent = SentMessage::new(AC.parse().unwrap(), sid).base_url(world.server.base_url());
    lines.push(ImportLine::new("", sent.clone()));
    lines.push(ImportLine::new("x".repeat(2000), sent.clone()));
    lines.push(ImportLine::new(
        "id",
        sent.clone().base_url("https://example.com/x".parse().unwrap()),
    ));
    lines.push(ImportLine::new("one", sent.clone()));
    lines.push(ImportLine::new("two", sent));
    let mut expected = Imported::default();
    expected.recorded = 1202;
    expected.other_id = 1;
    expected.invalid_id = 2;
    expected.origin_not_allowed = 1;
    assert_eq!(guarded(world.feedback.import(lines)).await.unwrap(), expected);
    let nothing = guarded(world.feedback.import(Vec::<ImportLine>::new())).await.unwrap();
    assert_eq!(nothing, Imported::default());
}

#[tokio::test]
async fn lines_say_the_id_or_the_recipient_and_what_the_report_knows() {
    let world = World::new().await;
    let base_url = world.server.base_url();
    let (first, second) = (world.create(AC).await, world.create(AC).await);
    let lines = [
        line(&format!(
            r#" {{"id":"attempt-42","to":"+4915112345678","account":"{AC}","sid":"{first}",
                 "base_url":"{base_url}","label":"login","sent_at":"1994-11-06T09:49:36+01:00"}} "#
        )),
        line(&format!(
            r#"{{"to":"+1 (555) 867-5310","account":"{AC}","sid":"{second}","base_url":"{base_url}","id":null}}"#
        )),
    ];
    let lines = lines.map(|line| line.expect("a line"));
    assert!(
        !format!("{lines:?}").contains("attempt-42") && !format!("{lines:?}").contains("8675310")
    );
    assert_eq!(guarded(world.feedback.import(lines)).await.unwrap().recorded, 2);
    let entry = world.feedback.lookup_sid(first).await.unwrap().expect("an entry");
    assert_eq!(entry.sent_at, START - seconds(1));
    assert_eq!(entry.label(), Some("login"));
    assert_eq!(entry.segment.dimensions().country.unwrap().to_string(), "DE");
    assert_eq!(world.feedback.confirm("attempt-42").await, Confirmation::Queued);
    let recipient = CorrelationId::recipient("+15558675310");
    assert_eq!(world.feedback.confirm(recipient).await, Confirmation::Queued);
}

#[test]
fn a_line_that_is_wrong_names_the_field_and_repeats_nothing() {
    let sid = "SM0123456789abcdef0123456789abcdef";
    for (text, field) in [
        ("", "line"),
        ("[1]", "line"),
        (r#"{"id":"secret""#, "line"),
        (r#"{"id":"secret","phone":"secret"}"#, "line"),
        (r#"{"id":"secret"}"#, "account"),
        (r#"{"id":"secret","account":"secret"}"#, "account"),
        (r#"{"id":"secret","account":7}"#, "account"),
        (&format!(r#"{{"id":"secret","account":"{AC}"}}"#), "sid"),
        (
            &format!(
                r#"{{"id":"secret","account":"{AC}","sid":"CA0123456789abcdef0123456789abcdef"}}"#
            ),
            "sid",
        ),
        (&format!(r#"{{"account":"{AC}","sid":"{sid}"}}"#), "id"),
        (&format!(r#"{{"id":["secret"],"account":"{AC}","sid":"{sid}"}}"#), "id"),
        (&format!(r#"{{"id":"a","account":"{AC}","sid":"{sid}","sent_at":"secret"}}"#), "sent_at"),
        (
            &format!(r#"{{"id":"a","account":"{AC}","sid":"{sid}","base_url":"ftp://secret"}}"#),
            "base_url",
        ),
    ] {
        let error = line(text).expect_err(text);
        assert_eq!(error.field(), field, "{text}");
        let shown = format!("{error} {error:?}");
        assert!(
            error.to_string().starts_with(&format!("{field}: ")) && !shown.contains("secret"),
            "{shown}"
        );
    }
}
