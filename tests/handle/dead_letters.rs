//! Dead letters, listed, exported and sent again.

use serde_json::{Value, json};
use tower_message_feedback::{
    SentMessage,
    simulator::Answer,
    store::{Dimensions, ResendOutcome},
};

use crate::support::{AC, World, guarded};

async fn exported(world: &World) -> Vec<Value> {
    let mut export = world.feedback.export_dead_letters();
    let mut letters = Vec::new();
    while let Some(lines) = guarded(export.next()).await.expect("an answer") {
        assert!(lines.ends_with('\n'));
        letters.extend(lines.lines().map(|line| serde_json::from_str(line).expect("JSON")));
    }
    assert_eq!(export.next().await.expect("an answer"), None);
    letters
}

#[tokio::test]
async fn a_letter_says_what_became_of_it_and_no_id() {
    let world = World::new().await;
    assert!(exported(&world).await.is_empty());
    world.twilio.answer_feedback(Answer::status(400).with_body(r#"{"code":21210}"#));
    let sid = world.create(AC).await;
    let sent = SentMessage::new(AC.parse().unwrap(), sid)
        .base_url(world.server.base_url())
        .label("login")
        .dimensions(Dimensions::of_recipient("+15558675310"));
    world.feedback.record("attempt-42", sent).await;
    world.feedback.confirm("attempt-42").await;
    world.flush().await;

    let letters = exported(&world).await;
    let at = "1994-11-06T08:49:37Z";
    let expected = json!({
        "sid": sid.to_string(), "account": AC, "base_url": world.server.base_url().as_str(),
        "sent_at": at, "label": "login", "country": "US", "channel": "sms",
        "messaging_service": null, "message_status": null, "error_code": null,
        "status": "dead", "confirmed_at": at, "attempts": 1, "died_at": at,
        "failure": "rejected", "failure_status": 400, "failure_code": 21210,
    });
    assert_eq!(letters, [expected]);

    // Entries of other fates serialize, too.
    assert_eq!(world.feedback.resend(sid).await.unwrap(), ResendOutcome::Queued);
    world.flush().await;
    let entry = world.feedback.lookup_sid(sid).await.unwrap().expect("an entry");
    let delivered = serde_json::to_value(&entry).unwrap();
    assert_eq!(
        (&delivered["status"], &delivered["delivered_at"]),
        (&json!("delivered"), &json!(at))
    );
    let pending = world.send("another").await;
    let entry = world.feedback.lookup_sid(pending).await.unwrap().expect("an entry");
    assert_eq!(serde_json::to_value(&entry).unwrap()["status"], json!("pending"));
}

#[tokio::test]
async fn all_are_exported_and_sent_again_over_many_pages() {
    const LETTERS: usize = 1203;

    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(400).always());
    let mut sids = Vec::new();
    for n in 0..LETTERS {
        sids.push(world.act(&n.to_string()).await.to_string());
    }
    world.flush().await;
    sids.sort();
    let letters = exported(&world).await;
    let found: Vec<_> = letters.iter().map(|letter| letter["sid"].as_str().unwrap()).collect();
    assert_eq!(found, sids);

    // They die again: each was sent once.
    assert_eq!(guarded(world.feedback.resend_dead_letters()).await.unwrap(), LETTERS);
    world.flush().await;
    assert_eq!(world.calls().len(), 2 * LETTERS);
    world.twilio.answer_feedback(Answer::normal().always());
    assert_eq!(guarded(world.feedback.resend_dead_letters()).await.unwrap(), LETTERS);
    world.flush().await;
    assert_eq!(world.twilio.confirmed().len(), LETTERS);
    assert!(exported(&world).await.is_empty());
    assert_eq!(guarded(world.feedback.resend_dead_letters()).await.unwrap(), 0);
}
