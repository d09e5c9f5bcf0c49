//! Record, confirm, look up, forget.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tower_message_feedback::{
    Confirmation, CorrelationId, MessageFeedback, Recorded, Refusal, SentMessage,
    store::{LedgerStatus, MemoryStore, Resends},
};

use crate::support::{
    AC, CORRELATION_KEY, START, Site, World, account, credentials, guarded, seconds,
};

#[tokio::test]
async fn what_is_recorded_can_be_looked_up_and_confirmed() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let sent = world.sent(AC, sid).label("login");
    assert_eq!(world.feedback.record("id", sent.clone()).await, Recorded::Recorded);
    assert_eq!(world.feedback.record("id", sent.clone()).await, Recorded::AlreadyRecorded);
    assert_eq!(world.feedback.record("other", sent).await, Recorded::OtherId);
    let entries = world.feedback.lookup("id").await.expect("an answer");
    let [entry] = &entries[..] else { panic!("one entry: {entries:?}") };
    assert_eq!((entry.sid, entry.account, entry.sent_at), (sid, account(AC), START));
    assert_eq!(entry.label(), Some("login"));
    assert_eq!(entry.status, LedgerStatus::Pending);
    assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer").as_ref(), Some(entry));

    assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
    assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
    assert!(world.flush().await.is_empty());
    assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
    assert_eq!(world.twilio.confirmed(), [sid]);
    let stats = world.feedback.stats();
    assert_eq!((stats.sends.recorded, stats.sends.already_recorded), (1, 2));
    assert_eq!((stats.confirms.queued, stats.confirms.already_confirmed), (1, 2));
}

#[tokio::test]
async fn an_unknown_id_is_unknown() {
    let world = World::new().await;
    world.send("id").await;
    assert_eq!(world.feedback.confirm("ID").await, Confirmation::Unknown);
    assert!(world.feedback.lookup("ID").await.expect("an answer").is_empty());
    assert!(!Confirmation::Unknown.is_confirmed());
    assert_eq!(world.feedback.stats().confirms.unknown, 1);
}

#[tokio::test]
async fn an_id_is_any_bytes_up_to_its_bound_and_never_none() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let sent = world.sent(AC, sid);
    for bad in [Vec::new(), vec![b'x'; 10 * 1024], vec![b'x'; CorrelationId::MAX_LEN + 1]] {
        let id = CorrelationId::new(bad);
        assert_eq!(world.feedback.record(&id, sent.clone()).await, Recorded::InvalidId);
        assert_eq!(world.feedback.confirm(&id).await, Confirmation::NoId);
        assert_eq!(world.feedback.forget(&id).await.expect("an answer"), 0);
        assert!(world.feedback.lookup(&id).await.expect("an answer").is_empty());
    }
    assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer"), None);
    for good in [vec![0], vec![0xff, 0, b'\n'], vec![b'x'; CorrelationId::MAX_LEN]] {
        let sid = world.create(AC).await;
        let id = CorrelationId::new(good);
        assert_eq!(world.feedback.record(&id, world.sent(AC, sid)).await, Recorded::Recorded);
        assert_eq!(world.feedback.confirm(&id).await, Confirmation::Queued);
    }
    assert!(world.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 3);
}

#[tokio::test]
async fn a_recipient_and_an_id_of_the_same_letters_never_meet() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let recipient = CorrelationId::recipient("+1 (555) 867-5310");
    assert_eq!(world.feedback.record(recipient, world.sent(AC, sid)).await, Recorded::Recorded);
    assert_eq!(world.feedback.confirm("+15558675310").await, Confirmation::Unknown);
    let same = CorrelationId::recipient("whatsapp:+15558675310");
    assert_eq!(world.feedback.confirm(same).await, Confirmation::Queued);
    let by_its_sid = world.feedback.confirm(sid.to_string()).await;
    assert_eq!(by_its_sid, Confirmation::Unknown, "a SID is no id");
}

#[tokio::test]
async fn a_message_can_be_confirmed_by_its_sid_recorded_or_not() {
    let world = World::new().await;
    let unrecorded = world.create(AC).await;
    let sent = world.sent(AC, unrecorded);
    assert_eq!(world.feedback.confirm_sid(sent.clone()).await, Confirmation::Queued);
    assert_eq!(world.feedback.confirm_sid(sent).await, Confirmation::AlreadyConfirmed);
    let recorded = world.send("id").await;
    let sent = world.sent(AC, recorded);
    assert_eq!(world.feedback.confirm_sid(sent).await, Confirmation::Queued);
    assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
    assert!(world.flush().await.is_empty());
    assert_eq!((world.reports(unrecorded), world.reports(recorded)), (1, 1));
}

#[tokio::test]
async fn what_is_forgotten_is_not_reported_even_if_it_was_queued() {
    let site = Site::new().await;
    let (feedback, dispatcher) =
        site.builder().credentials(credentials()).build_pair().expect("a handle");
    let sent = site.sent().await;
    let sid = site.twilio.messages()[0].sid();
    assert_eq!(feedback.record("id", sent).await, Recorded::Recorded);
    assert_eq!(feedback.confirm("id").await, Confirmation::Queued);
    assert_eq!(feedback.forget("id").await.expect("an answer"), 1);
    assert_eq!(feedback.forget("id").await.expect("an answer"), 0);
    assert_eq!(feedback.lookup_sid(sid).await.expect("an answer"), None);
    tokio::spawn(dispatcher);
    assert!(guarded(feedback.flush()).await.is_empty());
    assert!(site.twilio.confirmed().is_empty());
    assert_eq!(feedback.confirm("id").await, Confirmation::Unknown);
}

fn at(offset: Duration) -> SystemTime {
    (START + offset).into()
}

#[tokio::test]
async fn of_several_resends_the_newest_is_reported_or_all_of_them() {
    for (resends, expected) in [(Resends::Newest, 1), (Resends::All, 3)] {
        let world = World::with(|builder| builder.resends(resends)).await;
        let mut newest = None;
        for offset in [10, 30, 20] {
            let sid = world.create(AC).await;
            let sent = world.sent(AC, sid).sent_at(at(seconds(offset)));
            assert_eq!(world.feedback.record("id", sent).await, Recorded::Recorded);
            newest = newest.or(Some(sid).filter(|_| offset == 30));
        }
        assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
        assert!(world.flush().await.is_empty());
        let confirmed = world.twilio.confirmed();
        assert_eq!(confirmed.len(), expected);
        assert!(confirmed.contains(&newest.expect("a message")));
    }
}

#[tokio::test]
async fn a_message_waits_for_its_action_from_its_send_on_and_no_longer() {
    let world = World::with(|builder| builder.retention(seconds(1000))).await;
    world.send("now").await;
    let sid = world.create(AC).await;
    let scheduled = world.sent(AC, sid).sent_at(at(seconds(5000)));
    assert_eq!(world.feedback.record("later", scheduled).await, Recorded::Recorded);
    let known = async |id: &str| !world.feedback.lookup(id).await.expect("an answer").is_empty();
    world.advance(seconds(999)).await;
    assert!(known("now").await);
    // The sweep comes every half minute.
    world.advance(seconds(40)).await;
    crate::support::settle_down().await;
    assert!(!known("now").await && known("later").await);
    assert_eq!(world.feedback.confirm("now").await, Confirmation::Unknown);
    world.advance(seconds(4000)).await;
    crate::support::settle_down().await;
    assert_eq!(world.feedback.confirm("later").await, Confirmation::Queued);
}

#[tokio::test]
async fn a_full_outbox_refuses() {
    let site = Site::new().await;
    let store = MemoryStore::builder().max_outbox(1).clock(site.time.clock()).build();
    let builder = site.builder().credentials(credentials()).store(store);
    let (feedback, _dispatcher) = builder.build_pair().expect("a handle");
    for id in ["one", "two"] {
        assert_eq!(feedback.record(id, site.sent().await).await, Recorded::Recorded);
    }
    assert_eq!(feedback.confirm("one").await, Confirmation::Queued);
    assert_eq!(feedback.confirm("two").await, Confirmation::Refused(Refusal::OutboxFull));
    assert_eq!(feedback.stats().confirms.refused, 1);
    let elsewhere = "http://a.example".parse().expect("a URL");
    let sid = site.twilio.messages()[0].sid();
    let sent = SentMessage::new(account(AC), sid).base_url(elsewhere);
    let refused = Confirmation::Refused(Refusal::OriginNotAllowed);
    assert_eq!(feedback.confirm_sid(sent).await, refused);
}

#[tokio::test]
async fn a_key_may_be_rotated_while_messages_wait() {
    const NEW: &[u8] = b"another key of enough bytes";
    let site = Site::new().await;
    let store = Arc::new(MemoryStore::builder().clock(site.time.clock()).build());
    let builder = || site.builder().credentials(credentials()).store(store.clone());
    let build = |builder: tower_message_feedback::MessageFeedbackBuilder| -> MessageFeedback {
        builder.build().expect("a handle")
    };
    let old = build(builder().correlation_key(CORRELATION_KEY));
    let rotated = build(builder().correlation_key(NEW).previous_correlation_key(CORRELATION_KEY));
    let new = build(builder().correlation_key(NEW));
    for id in ["one", "two"] {
        assert_eq!(old.record(id, site.sent().await).await, Recorded::Recorded);
    }
    assert_eq!(rotated.record("three", site.sent().await).await, Recorded::Recorded);
    assert_eq!(new.confirm("one").await, Confirmation::Unknown);
    assert_eq!(rotated.lookup("one").await.expect("an answer").len(), 1);
    assert_eq!(rotated.confirm("one").await, Confirmation::Queued);
    assert_eq!(rotated.forget("two").await.expect("an answer"), 1);
    assert_eq!(old.confirm("two").await, Confirmation::Unknown);
    assert_eq!(old.confirm("three").await, Confirmation::Unknown);
    assert_eq!(new.confirm("three").await, Confirmation::Queued);
    guarded(site.twilio.wait_until(|twilio| twilio.confirmed().len() == 2)).await;
}

#[tokio::test]
async fn the_hash_of_an_id_is_nothing_without_the_key() {
    let mut keys = Vec::new();
    for secret in
        ["a secret of enough bytes", "another secret, of enough", "a secret of enough bytes"]
    {
        let world = World::with(|builder| builder.correlation_key(secret)).await;
        world.send("+15558675310").await;
        let entries = world.feedback.lookup("+15558675310").await.expect("an answer");
        keys.push(entries[0].key);
    }
    assert_eq!(keys[0], keys[2]);
    assert_ne!(keys[0], keys[1]);
    // Without a secret of its own, a process has one that no other has.
    for _ in 0..2 {
        let world = World::new().await;
        world.send("+15558675310").await;
        let entries = world.feedback.lookup("+15558675310").await.expect("an answer");
        assert!(!keys.contains(&entries[0].key));
        keys.push(entries[0].key);
    }
}
