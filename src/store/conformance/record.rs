//! Remembering messages, and reading back what is remembered.

use super::{
    erased::Tested,
    fixture::{Fixture, REJECTED, RETENTION, seconds},
    messages::{account, base_url, by_id, key, keys, message_sid, sid},
    verdict::CaseResult,
};
use crate::store::{LedgerStatus, RecordOutcome, Resends, Segment, SettledAs, TrackedMessage};

pub(super) async fn a_message_is_recorded_once_and_its_first_id_stays(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    assert_eq!(f.record(f.message(1, 1)).await, RecordOutcome::Inserted);
    assert_eq!(f.record(f.message(1, 1)).await, RecordOutcome::AlreadyPresent);
    assert_eq!(f.record(f.message(1, 2)).await, RecordOutcome::OtherId);
    assert_eq!(f.record(f.message(1, 1)).await, RecordOutcome::AlreadyPresent);
    f.sizes(1, 0, 0).await;
    assert_eq!(f.found(keys(1)).await, [sid(1)]);
    assert!(f.lookup(keys(2)).await.is_empty());
    Ok(())
}

pub(super) async fn a_batch_is_answered_item_by_item_in_its_order(subject: &Tested) -> CaseResult {
    use RecordOutcome::{AlreadyPresent, Inserted, OtherId};
    let f = Fixture::new(subject).await;
    f.insert(f.message(9, 9)).await;
    let batch =
        [f.message(1, 1), f.message(1, 1), f.message(1, 2), f.message(9, 9), f.message(2, 2)];
    assert_eq!(
        f.record_all(&batch).await,
        [Inserted, AlreadyPresent, OtherId, AlreadyPresent, Inserted]
    );
    f.sizes(3, 0, 0).await;
    Ok(())
}

pub(super) async fn recording_again_changes_nothing_whatever_became_of_it(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    f.insert(f.message(1, 1)).await;
    for n in 2..=4 {
        f.queue(0, n).await;
    }
    f.settle_message(3, SettledAs::Delivered).await;
    f.settle_message(4, SettledAs::Dead(REJECTED)).await;
    for n in 1..=4 {
        let before = f.by_sid(&[sid(n)]).await;
        let mut again = f.message_of(7, n, n as u8);
        again.sent_at = f.start + seconds(9);
        again.segment = "again".into();
        again.base_url = base_url("https://api.dublin.ie1.twilio.com/2010-04-01");
        assert_eq!(f.record(again).await, RecordOutcome::AlreadyPresent);
        assert_eq!(f.record(f.message(n, 9)).await, RecordOutcome::OtherId);
        assert_eq!(f.by_sid(&[sid(n)]).await, before);
    }
    f.sizes(4, 1, 1).await;
    Ok(())
}

pub(super) async fn the_ledger_shows_what_was_recorded(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let base_url = base_url("https://api.dublin.ie1.twilio.com/2010-04-01");
    let mut recorded = TrackedMessage::new(
        key(1),
        message_sid("MM0123456789abcdef0123456789abcdef"),
        account(7),
        base_url.clone(),
        f.start - seconds(3),
        f.start + RETENTION,
    );
    recorded.segment = "login".into();
    f.insert(recorded.clone()).await;
    let entries = f.lookup(keys(1)).await;
    let [entry] = &entries[..] else { panic!("lookup: not one entry: {entries:?}") };
    assert_eq!(entry.sid, recorded.sid);
    assert_eq!(entry.account, account(7));
    assert_eq!(entry.base_url, base_url);
    assert_eq!(entry.sent_at, f.start - seconds(3));
    assert_eq!(entry.label(), Some("login"));
    assert_eq!(entry.status, LedgerStatus::Pending);
    assert_eq!(f.by_sid(&[recorded.sid, sid(404)]).await, [Some(entry.clone()), None]);
    Ok(())
}

pub(super) async fn a_lookup_shows_the_newest_message_first_whatever_the_order_of_arrival(
    subject: &Tested,
) -> CaseResult {
    let f = Fixture::new(subject).await;
    for (n, offset) in [(1, 20), (2, 40), (3, 10), (4, 40)] {
        f.insert(f.sent_at(n, 1, f.start + seconds(offset))).await;
    }
    // Of two that were sent at the same time, the later arrival is the newer.
    assert_eq!(f.found(keys(1)).await, [4, 2, 1, 3].map(sid));
    // In one batch, too; and a scheduled one is the newest here.
    let batch = [(5, 10), (6, 7200), (7, 10)];
    let batch = batch.map(|(n, offset)| f.sent_at(n, 2, f.start + seconds(offset)));
    f.record_all(&batch).await;
    assert_eq!(f.found(keys(2)).await, [6, 7, 5].map(sid));
    Ok(())
}

pub(super) async fn sids_keep_their_prefix_and_letter_case(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let texts = [
        "SM00000000000000000000000000abcdef",
        "SM00000000000000000000000000ABCDEF",
        "SM00000000000000000000000000aBcDeF",
        "MM00000000000000000000000000abcdef",
        "MMFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "SMffffffffffffffffffffffffffffffff",
    ];
    let owners = ["ACffffffffffffffffffffffffffffffff", "ACFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"];
    for (n, text) in texts.into_iter().enumerate() {
        let mut message = f.message(0, n as u8);
        message.sid = message_sid(text);
        match owners[n % 2].parse() {
            Ok(owner) => message.account = owner,
            Err(error) => panic!("{error}"),
        }
        f.insert(message).await;
        assert_eq!(f.confirm(n as u8).await, crate::store::ConfirmOutcome::Queued);
    }
    let sids = texts.map(message_sid);
    let entries = f.by_sid(&sids).await;
    let shown: Vec<_> = entries.iter().flatten().map(|entry| entry.sid.to_string()).collect();
    assert_eq!(shown, texts);
    let leased = f.lease(100).await.entries;
    let mut shown: Vec<_> = leased.iter().map(|entry| entry.sid.to_string()).collect();
    shown.sort();
    let mut expected = texts;
    expected.sort_unstable();
    assert_eq!(shown, expected);
    for entry in leased {
        let n = sids.iter().position(|sid| *sid == entry.sid).unwrap_or_default();
        assert_eq!(entry.account.to_string(), owners[n % 2]);
    }
    Ok(())
}

pub(super) async fn segments_come_back_as_they_were(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let long = "\u{1f511}".repeat(250);
    let segments = [
        "",
        "login",
        "login\u{1f}DE\u{1f}sms\u{1f}MG0123456789abcdef0123456789abcdef\u{1f}",
        "Anmeldung über 'SMS' \"2\" \\ {}; --\r\n\t%",
        "\u{1f511}\u{e9}e\u{301}",
        long.as_str(),
    ];
    for (n, segment) in (0..).zip(segments) {
        let mut message = f.message(n, n as u8);
        message.segment = Segment::from_stored(segment);
        if n % 2 == 0 {
            f.insert(message).await;
        } else {
            f.confirm_target(crate::store::ConfirmTarget::Message(message)).await;
        }
    }
    for (n, segment) in (0..).zip(segments) {
        let entries = f.lookup(keys(n as u8)).await;
        let [entry] = &entries[..] else { panic!("lookup: not one entry: {entries:?}") };
        assert_eq!(entry.segment.as_str(), segment);
        f.confirm(n as u8).await;
        f.settle_message(n, SettledAs::Delivered).await;
        let after = f.by_sid(&[sid(n)]).await;
        assert_eq!(after[0].as_ref().map(|entry| entry.segment.as_str()), Some(segment));
    }
    Ok(())
}

pub(super) async fn accounts_and_base_urls_are_told_apart(subject: &Tested) -> CaseResult {
    let f = Fixture::new(subject).await;
    let urls = [
        "https://api.twilio.com/2010-04-01",
        "https://api.dublin.ie1.twilio.com/2010-04-01",
        "https://api.sydney.au1.twilio.com/2010-04-01",
        "http://127.0.0.1:8080/prefix/2010-04-01",
    ]
    .map(base_url);
    // All under one id, each of another account and place.
    for n in 0..12 {
        let mut message = f.message_of(n % 3, n, 1);
        message.base_url = urls[n as usize % 4].clone();
        f.insert(message).await;
    }
    let all = by_id(keys(1), Resends::All);
    assert_eq!(f.confirm_target(all).await, crate::store::ConfirmOutcome::Queued);
    let sids: Vec<_> = (0..12).map(sid).collect();
    for (n, entry) in (0..12).zip(f.by_sid(&sids).await) {
        let Some(entry) = entry else { panic!("message {n} is gone") };
        assert_eq!((entry.account, &entry.base_url), (account(n % 3), &urls[n as usize % 4]));
    }
    let leased = f.lease(100).await.entries;
    assert_eq!(leased.len(), 12);
    for entry in leased {
        let n = (0..12).find(|n| sid(*n) == entry.sid).unwrap_or(404);
        assert_eq!((entry.account, &entry.base_url), (account(n % 3), &urls[n as usize % 4]));
    }
    Ok(())
}
