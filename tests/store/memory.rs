//! What is the store in memory's own, beyond the contract.

use std::sync::Arc;

use tower_message_feedback::{
    AccountSid, BaseUrl, CorrelationKey, ManualClock, Timestamp,
    store::{
        ConfirmOutcome, ConfirmTarget, Durability, FeedbackStore, LeaseRequest, MemoryStore,
        RecordOutcome, Resends, TrackedMessage,
    },
};

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn account(n: u64) -> AccountSid {
    format!("AC{n:032x}").parse().expect("a SID")
}

fn message(owner: u64, n: u64) -> TrackedMessage {
    let key = CorrelationKey::from_bytes([n as u8; 16]);
    let sid = format!("SM{n:032x}").parse().expect("a SID");
    let until = START + std::time::Duration::from_secs(3600);
    TrackedMessage::new(key, sid, account(owner), BaseUrl::default(), START, until)
}

#[tokio::test]
async fn it_is_volatile_and_nobody_elses() {
    let store = MemoryStore::new();
    assert_eq!(store.durability(), Durability::Volatile);
    assert_eq!(store.poll_interval(), None);
}

#[tokio::test]
async fn its_debug_form_holds_counts_and_no_message() {
    let store = MemoryStore::new();
    store.record(&[message(0, 1)]).await.expect("an answer");
    let debug = format!("{store:?}");
    assert!(debug.contains("messages: 1"), "{debug}");
    assert!(!debug.contains("SM0"), "{debug}");
}

fn answers_without_waiting(store: &impl FeedbackStore) {
    let message = message(0, 1);
    let target = ConfirmTarget::Id { keys: message.key.into(), resends: Resends::Newest };
    assert_eq!(store.try_confirm(&target), Some(ConfirmOutcome::Unknown));
    assert_eq!(store.try_record(&message), Some(RecordOutcome::Inserted));
    assert_eq!(store.try_record(&message), Some(RecordOutcome::AlreadyPresent));
    assert_eq!(store.try_confirm(&target), Some(ConfirmOutcome::Queued));
    assert_eq!(store.try_confirm(&target), Some(ConfirmOutcome::AlreadyConfirmed));
}

/// Also as a handle has it, where nobody knows which store it is.
#[test]
fn it_records_and_confirms_without_waiting() {
    answers_without_waiting(&MemoryStore::new());
    let shared: Arc<dyn FeedbackStore> = Arc::new(MemoryStore::new());
    answers_without_waiting(&shared);
}

/// The contract asks for turns; here they go in the order of the accounts' SIDs.
#[tokio::test]
async fn leases_continue_the_round_where_the_last_one_ended() {
    let store = MemoryStore::new();
    let targets: Vec<_> = (0..30).map(|n| ConfirmTarget::Message(message(n % 3, n))).collect();
    store.confirm(&targets).await.expect("an answer");
    let mut served = Vec::new();
    for limit in [1, 1, 2, 1, 4] {
        let request = LeaseRequest::new(limit, std::time::Duration::from_secs(30));
        let answer = store.lease(&request).await.expect("an answer");
        served.extend(answer.entries.into_iter().map(|entry| entry.account));
    }
    assert_eq!(served, (0..9).map(|turn| account(turn % 3)).collect::<Vec<_>>());
}

/// What gives way goes by when it would be over, delivered or not.
#[tokio::test]
async fn a_message_that_is_over_soon_gives_way_before_one_that_came_earlier() {
    let time = ManualClock::new(START);
    let store = MemoryStore::builder().clock(time.clock()).max_messages(2).build();
    let mut soon = message(0, 2);
    soon.expires_at = START + std::time::Duration::from_secs(1);
    store.record(&[message(0, 1), soon, message(0, 3)]).await.expect("an answer");
    let sids = [1, 2, 3].map(|n| message(0, n).sid);
    let known = store.by_sid(&sids).await.expect("an answer");
    assert_eq!(known.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
}

#[tokio::test]
async fn what_is_never_over_gives_way_too() {
    let store = MemoryStore::builder().max_messages(1).build();
    for n in 1..=3 {
        let mut lasting = message(0, n);
        lasting.expires_at = Timestamp::from_millis(i64::MAX);
        assert_eq!(store.record(&[lasting]).await.expect("an answer"), [RecordOutcome::Inserted]);
        assert_eq!(store.expire(10).await.expect("an answer"), 0);
    }
    let counts = store.counts().await.expect("an answer");
    assert_eq!((counts.messages, counts.evicted), (1, 2));
}

/// The bound on messages is the outer one: a message that the outbox refused
/// keeps its place.
#[tokio::test]
async fn a_message_that_the_outbox_refused_is_remembered() {
    let store = MemoryStore::builder().max_outbox(1).build();
    let targets = [1, 2].map(|n| ConfirmTarget::Message(message(0, n)));
    assert_eq!(
        store.confirm(&targets).await.expect("an answer"),
        [ConfirmOutcome::Queued, ConfirmOutcome::Full]
    );
    assert_eq!(
        store.record(&[message(0, 2)]).await.expect("an answer"),
        [RecordOutcome::AlreadyPresent]
    );
}
