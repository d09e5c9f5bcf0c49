//! The whole of it, on one store.

use std::time::SystemTime;

use tower_message_feedback::{
    ManualClock,
    store::{FeedbackStore, LedgerEntry},
};

use crate::{
    app::{App, LABEL},
    direct::{self, Trouble},
    encodings::as_uuid,
    incoming,
    markers::{CORRELATION_KEY, RECORDED_ID},
    outgoing,
    said::{all, logged, nobody_told},
    search::Search,
    support::Site,
};

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
    // The log has been read, and what was said: what may stand there does.
    let (sid, key) = (entry.sid.to_string(), entry.key);
    assert!(!logs_hash(&logged(), key.as_bytes()), "our log has a keyed hash");
    assert!(holds(&logged(), sid.as_bytes()), "our log names the SID");
    assert!(holds(all().as_bytes(), sid.as_bytes()) && holds(all().as_bytes(), LABEL.as_bytes()));
    assert!(!all().is_empty() && CORRELATION_KEY.len() >= 16);
    (app, entry)
}

/// Whether our own part of the log has a keyed hash: drivers of stores log what they are given.
fn logs_hash(log: &[u8], key: &[u8]) -> bool {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms = [hex, as_uuid(key), format!("{key:?}")];
    let text = String::from_utf8_lossy(log);
    let mut ours = text.lines().filter(|line| line.contains(" tower_message_feedback"));
    ours.any(|line| forms.iter().any(|form| line.contains(form)))
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
        ("key", "raw".to_owned(), entry.key.as_bytes().to_vec()),
        ("label", "plain".to_owned(), LABEL.as_bytes().to_vec()),
    ]);
    let found = known.all_in(bytes);
    let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["SID", "key", "label"], "{place}: {found:?}");
    Search::for_markers().finds_nothing_in(place, bytes);
}
