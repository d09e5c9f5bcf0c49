//! Every public async function is dropped at each of its awaits somewhere in here, or there
//! is a reason why it need not be.

use std::collections::BTreeSet;

/// All of the public API, which another test holds to be this.
const API: &str = include_str!("../public_api/public-api.txt");

/// The test that drives each, by its module.
const DRIVEN: &[(&str, &str)] = &[
    ("Confirmed::from_request", "incoming"),
    ("Confirmed::from_request_parts", "incoming"),
    ("DeadLetterExport::next", "handle"),
    ("Dispatcher", "dispatcher"),
    ("JoinPostgres::confirm", "joined"),
    ("JoinPostgres::record", "joined"),
    ("MessageFeedback::confirm", "handle"),
    ("MessageFeedback::confirm_sid", "handle"),
    ("MessageFeedback::dead_letters", "handle"),
    ("MessageFeedback::flush", "handle"),
    ("MessageFeedback::forget", "handle"),
    ("MessageFeedback::forget_sid", "handle"),
    ("MessageFeedback::health", "handle"),
    ("MessageFeedback::import", "handle"),
    ("MessageFeedback::lookup", "handle"),
    ("MessageFeedback::lookup_sid", "handle"),
    ("MessageFeedback::preflight", "handle"),
    ("MessageFeedback::record", "handle"),
    ("MessageFeedback::record_status", "handle"),
    ("MessageFeedback::report", "handle"),
    ("MessageFeedback::report_csv", "handle"),
    ("MessageFeedback::resend", "handle"),
    ("MessageFeedback::resend_dead_letters", "handle"),
    ("MessageFeedback::shutdown", "handle"),
    ("Tracked::confirm", "incoming"),
    ("Tracked::confirm_id", "incoming"),
    ("Tracked::from_request", "incoming"),
    ("Tracked::from_request_parts", "incoming"),
    ("report::Watch::next", "watching"),
    ("webhook::IncomingCall::confirm", "webhooks"),
    ("webhook::IncomingCall::from_request", "webhooks"),
    ("webhook::IncomingMessage::confirm", "webhooks"),
    ("webhook::IncomingMessage::confirm_if", "webhooks"),
    ("webhook::IncomingMessage::from_request", "webhooks"),
    ("webhook::StatusCallback::from_request", "webhooks"),
    ("webhook::StatusCallback::record", "webhooks"),
    ("webhook::status_callback", "webhooks"),
    ("incoming::webhook::status_callback", "webhooks"),
    // What the types of futures are named.
    ("incoming::ConfirmFuture", "incoming"),
    ("incoming::TrackActionsFuture", "incoming"),
    ("outgoing::ResponseFuture", "outgoing"),
    ("store::StoreFuture", "stores"),
    ("store::postgres::PostgresStore::confirm_in", "joined"),
    ("store::postgres::PostgresStore::record_in", "joined"),
];

const MIGRATES: &str = "runs at start, and again if it was dropped: tests/*/migrations.rs";
const OPENS: &str = "makes a new object, or none";
const FOR_TESTS: &str = "is for tests, which nobody drops halfway";

/// Why the others are not.
const EXCUSED: &[(&str, &str)] = &[
    ("CorrelationId::scope", "is as the application's own future is"),
    ("MessageFeedback::from_request_parts", "has no await"),
    ("MessageFeedbackConfig::into_builder", "reads files, and changes nothing"),
    ("ProvideFeedback::Future", "is ResponseFuture, or that of reqwest around the same"),
    ("ProvideFeedbackLayer::handle", "is ProvideFeedback around the rest of a reqwest stack"),
    ("webhook::TwilioSigned::from_request", "reads a body, as IncomingMessage does"),
    ("webhook::VerifyTwilioSignatureFuture", "reads a body, and calls what it wraps"),
    ("simulator::Simulator::serve", FOR_TESTS),
    ("simulator::Simulator::wait_until", FOR_TESTS),
    ("simulator::SimulatorFuture", FOR_TESTS),
    ("simulator::SimulatorService::Future", FOR_TESTS),
    ("simulator::Webhook::send", FOR_TESTS),
    ("simulator::Webhook::send_to", FOR_TESTS),
    ("simulator::Webhooks::deliver", FOR_TESTS),
    ("store::conformance::HeldEnd", FOR_TESTS),
    ("store::conformance::Subject::hold_confirm", FOR_TESTS),
    ("store::conformance::Subject::open", FOR_TESTS),
    ("store::conformance::Subject::open_again", FOR_TESTS),
    ("store::conformance::run_all", FOR_TESTS),
    ("store::conformance::run_case", FOR_TESTS),
    ("store::RedisStoreBuilder::connect", OPENS),
    ("store::RedisStoreBuilder::connect_client", OPENS),
    ("store::RedisStoreBuilder::connect_cluster", OPENS),
    ("store::RedisStoreBuilder::connect_cluster_client", OPENS),
    ("store::SqliteStoreBuilder::migrate", MIGRATES),
    ("store::SqliteStoreBuilder::open", OPENS),
    ("store::StoreUrl::migrate", MIGRATES),
    ("store::StoreUrl::open", OPENS),
    ("store::postgres::PostgresStore::check", "only reads"),
    ("store::postgres::PostgresStore::migrate", MIGRATES),
    ("store::redis::RedisStore::migrate", MIGRATES),
    ("store::sqlite::SqliteStore::migrate", MIGRATES),
    ("store::sqlite::SqliteStore::open", OPENS),
    ("store::sqlite::SqliteStore::settings", "only reads"),
];

/// `a::B<C>::d<'e>` as `a::B::d`.
fn without_parameters(name: &str) -> String {
    let mut depth = 0;
    let outside = |c: &char| {
        depth += i32::from(*c == '<');
        let is_outside = depth == 0;
        depth -= i32::from(*c == '>');
        is_outside
    };
    name.chars().filter(outside).collect()
}

/// Async functions, functions and types that are futures of the crate, and its own futures.
fn asynchronous() -> BTreeSet<String> {
    const FUTURE: &str = "core::future::future::Future";
    let named = API.lines().filter_map(|line| {
        let name = if let Some(name) = line.strip_prefix("pub async fn ") {
            name
        } else if let Some((_, name)) = line.split_once(&format!("{FUTURE} for ")) {
            name.split(" where").next()?
        } else if line.contains(&format!("{FUTURE}<Output")) {
            line.strip_prefix("pub fn ").or(line.strip_prefix("pub type "))?
        } else {
            return None;
        };
        let name = name.strip_prefix("tower_message_feedback::")?;
        let name = without_parameters(name.split(['(', '=']).next()?);
        Some(name.trim().to_owned())
    });
    named.collect()
}

#[test]
fn every_public_future_is_driven_or_excused() {
    let known: BTreeSet<String> =
        DRIVEN.iter().chain(EXCUSED).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known.len(), DRIVEN.len() + EXCUSED.len(), "one is named twice");
    let public = asynchronous();
    assert!(public.len() > 60, "they are no longer found in the list: {public:?}");
    let new: Vec<_> = public.difference(&known).collect();
    assert!(new.is_empty(), "drive these, or say why not: {new:?}");
    let gone: Vec<_> = known.difference(&public).collect();
    assert!(gone.is_empty(), "these are no more: {gone:?}");
}
