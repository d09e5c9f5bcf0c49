use tower_message_feedback::{
    BaseUrl,
    store::{Durability, FeedbackStore, LedgerStatus, RecordOutcome, TrackedMessage},
};

use crate::support::{Fixture, RETENTION, START, account, key, keys, message, now, sent_at, sid};

#[test]
fn a_message_is_recorded_once_and_its_first_id_stays() {
    let fixture = Fixture::new();
    assert_eq!(fixture.record(message(1, 1)), RecordOutcome::Inserted);
    assert_eq!(fixture.record(message(1, 1)), RecordOutcome::AlreadyPresent);
    assert_eq!(fixture.record(message(1, 2)), RecordOutcome::OtherId);
    assert_eq!(fixture.sizes(), (1, 0, 0));
    assert_eq!(fixture.lookup(keys(1)).len(), 1);
    assert!(fixture.lookup(keys(2)).is_empty());
}

#[test]
fn a_batch_is_answered_item_by_item_in_its_order() {
    let fixture = Fixture::new();
    fixture.record(message(9, 9));
    let batch = [message(1, 1), message(1, 1), message(1, 2), message(9, 9), message(2, 2)];
    use RecordOutcome::{AlreadyPresent, Inserted, OtherId};
    assert_eq!(
        now(fixture.store.record(&batch)),
        [Inserted, AlreadyPresent, OtherId, AlreadyPresent, Inserted]
    );
    assert_eq!(now(fixture.store.record(&[])), []);
}

#[test]
fn recording_again_changes_nothing_about_a_confirmed_message() {
    let fixture = Fixture::new();
    fixture.queue(0, 1);
    assert_eq!(fixture.record(message(1, 1)), RecordOutcome::AlreadyPresent);
    assert!(fixture.is_queued(1));
    assert_eq!(fixture.sizes(), (1, 1, 0));
}

#[test]
fn the_ledger_shows_what_was_recorded() {
    let fixture = Fixture::new();
    let base_url: BaseUrl = "https://api.dublin.ie1.twilio.com/2010-04-01".parse().expect("a URL");
    let mut recorded = TrackedMessage::new(
        key(1),
        "MM0123456789abcdef0123456789abcdef".parse().expect("a SID"),
        account(7),
        base_url.clone(),
        START,
        START + RETENTION,
    );
    recorded.label = Some("login".into());
    fixture.record(recorded.clone());
    let entries = fixture.lookup(keys(1));
    let [entry] = &entries[..] else { panic!("one entry: {entries:?}") };
    assert_eq!(entry.sid, recorded.sid);
    assert_eq!(entry.account, account(7));
    assert_eq!(entry.base_url, base_url);
    assert_eq!(entry.sent_at, START);
    assert_eq!(entry.label.as_deref(), Some("login"));
    assert_eq!(entry.status, LedgerStatus::Pending);
    let by_sid = now(fixture.store.by_sid(&[recorded.sid, sid(404)]));
    assert_eq!(by_sid, [Some(entry.clone()), None]);
}

#[test]
fn a_lookup_shows_the_newest_message_first_whatever_the_order_of_arrival() {
    let fixture = Fixture::new();
    for (n, offset) in [(1, 20), (2, 40), (3, 10), (4, 40)] {
        fixture.record(sent_at(n, 1, START + crate::support::seconds(offset)));
    }
    let order: Vec<_> = fixture.lookup(keys(1)).into_iter().map(|entry| entry.sid).collect();
    // Of two that were sent at the same time, the later arrival is the newer.
    assert_eq!(order, [sid(4), sid(2), sid(1), sid(3)]);
}

#[test]
fn a_store_in_memory_says_that_it_is_volatile_and_nobody_elses() {
    let fixture = Fixture::new();
    assert_eq!(fixture.store.durability(), Durability::Volatile);
    assert_eq!(fixture.store.poll_interval(), None);
}
