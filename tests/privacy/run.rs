//! The whole of it, on one store.

use std::{
    collections::{BTreeSet, HashSet},
    time::SystemTime,
};

use tower_message_feedback::{
    ManualClock,
    store::{FeedbackStore, LedgerEntry},
};

use crate::{
    app::{App, LABEL},
    direct::{self, Trouble},
    encodings::as_uuid,
    incoming,
    markers::RECORDED_ID,
    outgoing,
    said::{all, listen, logged, nobody_told},
    search::Search,
    support::Site,
};

/// What the log tells in the course of it.
const EVENTS: [&str; 12] = [
    "message tracked",
    "feedback queued",
    "feedback delivered",
    "feedback will be sent again",
    "feedback is a dead letter",
    "the account's feedback waits",
    "credentials are accepted again",
    "confirm deferred",
    "record deferred",
    "status deferred",
    "webhook refused",
    "not an action",
];

/// A Twilio, and a clock that shows today: Redis ends by its own clock what ends by itself.
pub(crate) async fn site() -> Site {
    Site { time: ManualClock::new(SystemTime::now().into()), ..Site::new().await }
}

/// Sends everything through; answers the application, and a message that it has tracked.
pub(crate) async fn everything(
    site: Site,
    store: impl FeedbackStore,
    trouble: &impl Trouble,
) -> (App, LedgerEntry) {
    let app = App::new(site, store);
    outgoing::sends(&app).await;
    outgoing::sends_that_fail(&app).await;
    incoming::actions(&app).await;
    incoming::webhooks(&app).await;
    direct::calls(&app).await;
    direct::deliveries(&app).await;
    direct::trouble(&app, trouble).await;
    direct::looks(&app).await;
    let entries = app.world.feedback.lookup(RECORDED_ID).await.expect("an answer");
    let [entry] = <[LedgerEntry; 1]>::try_from(entries).expect("one");
    nobody_told();
    // What may stand there does: the log and all that was said have been read.
    for target in ["tower_message_feedback::feedback", "hyper_util::client"] {
        assert!(holds(&logged(), target.as_bytes()), "{target} is logged");
    }
    assert!(holds(listen().render().as_bytes(), LABEL.as_bytes()));
    let (sid, key) = (entry.sid.to_string(), entry.key);
    assert!(!logs_hash(&logged(), key.as_bytes()), "our log has a keyed hash");
    let said = all();
    for form in forms_of_hash(key.as_bytes()) {
        assert!(!said.contains(&form), "Debug shows a keyed hash: {form}");
    }
    for event in EVENTS {
        assert!(holds(&logged(), event.as_bytes()), "it did not come to this: {event}");
    }
    assert!(holds(&logged(), sid.as_bytes()), "our log names the SID");
    assert!(holds(all().as_bytes(), sid.as_bytes()) && holds(all().as_bytes(), LABEL.as_bytes()));
    (app, entry)
}

/// Every public type whose path has one of these, or none of the others, has shown itself.
#[track_caller]
pub(crate) fn all_types_were_shown(with: &[&str], without: &[&str]) {
    let said = all();
    let shown: HashSet<&str> =
        said.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let mut missing = BTreeSet::new();
    for line in include_str!("../public_api/public-api.txt").lines() {
        let line = line.trim_start_matches("#[non_exhaustive] ").trim_start_matches("#[repr(u8)] ");
        let named = line.strip_prefix("pub struct ").or(line.strip_prefix("pub enum "));
        let Some(path) = named.and_then(|named| named.split(['<', '(', ' ']).next()) else {
            continue;
        };
        let has = |parts: &[&str]| parts.iter().any(|part| path.contains(part));
        let name = path.rsplit("::").next().unwrap_or(path);
        if (with.is_empty() || has(with)) && !has(without) && !shown.contains(name) {
            missing.insert(path);
        }
    }
    assert!(missing.is_empty(), "never shown: {missing:#?}");
}

/// Whether our own part of the log has a keyed hash: drivers of stores log what they are given.
fn logs_hash(log: &[u8], key: &[u8]) -> bool {
    let forms = forms_of_hash(key);
    let text = String::from_utf8_lossy(log);
    let mut ours = text.lines().filter(|line| line.contains(" tower_message_feedback"));
    ours.any(|line| forms.iter().any(|form| line.contains(form)))
}

fn forms_of_hash(key: &[u8]) -> Vec<String> {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    // A number on each line, as `{:#?}` has it, is one form of many: two of them suffice.
    let lines = |depth| {
        let numbers: Vec<String> = key[..4].iter().map(u8::to_string).collect();
        numbers.join(&format!(",\n{}", "    ".repeat(depth)))
    };
    let list = format!("{:?}", &key[..8]);
    let mut forms = vec![hex.to_uppercase(), hex, as_uuid(key), list[1..list.len() - 1].to_owned()];
    forms.extend((0..12).map(lines));
    forms
}

pub(crate) fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

/// Nothing that is marked is in a store's files, and what has to be there is.
#[track_caller]
pub(crate) fn at_rest(place: &str, bytes: &[u8], entry: &LedgerEntry) {
    let sid = entry.sid.to_string();
    let raw: Vec<u8> = (2..34)
        .step_by(2)
        .map(|at| u8::from_str_radix(&sid[at..at + 2], 16).expect("hexadecimal"))
        .collect();
    let known = Search::new([
        ("SID", "raw".to_owned(), raw),
        // The rest of it stands alone in Redis.
        ("key", "raw".to_owned(), entry.key.as_bytes()[4..].to_vec()),
        ("label", "plain".to_owned(), LABEL.as_bytes().to_vec()),
    ]);
    let found = known.all_in(bytes);
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["SID", "key", "label"], "{place}: {found:?}");
    Search::for_markers().finds_nothing_in(place, bytes);
}
