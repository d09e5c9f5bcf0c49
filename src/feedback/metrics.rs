//! What is counted, through the facade `metrics`: for an exporter of the application's.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::{shared::Shared, stats::Stats};
use crate::{
    Channel,
    store::{Counts, Metric, Segment, StoreCounts},
};

const ATTEMPTED: &str = "message_feedback_attempted_total";
const STATUS_OK: &str = "message_feedback_status_ok_total";
const STATUS_OK_REVOKED: &str = "message_feedback_status_ok_revoked_total";
const CONVERSIONS: &str = "message_feedback_conversions_total";
const RESENDS: &str = "message_feedback_resends_total";
const DEAD_LETTERED: &str = "message_feedback_dead_lettered_total";
const LATENCY: &str = "message_feedback_confirm_latency_seconds";
const OUTBOX: &str = "message_feedback_outbox_messages";
const OUTBOX_AGE: &str = "message_feedback_outbox_oldest_age_seconds";
const DEAD_LETTERS: &str = "message_feedback_dead_letters";
const DEFERRED: &str = "message_feedback_deferred_operations";
const CALLS: &str = "message_feedback_calls_total";
const RETRIES: &str = "message_feedback_retries_total";
const THROTTLED: &str = "message_feedback_throttled_total";
const UNAUTHORIZED: &str = "message_feedback_unauthorized_total";
const STORE_ERRORS: &str = "message_feedback_store_errors_total";
const UNTRACKED: &str = "message_feedback_untracked_sends_total";

/// Says what each is, once.
pub(super) fn describe() {
    for (name, words) in [
        (ATTEMPTED, "Messages created with ProvideFeedback and recorded"),
        (STATUS_OK, "Messages that came to be sent, delivered or of unknown delivery"),
        (STATUS_OK_REVOKED, "Messages that were counted as status OK and failed later"),
        (CONVERSIONS, "Messages confirmed by the user, with Twilio's acknowledgement"),
        (RESENDS, "Messages sent in vain before one under the same id converted"),
        (DEAD_LETTERED, "Confirmed messages whose feedback Twilio will never take"),
        (CALLS, "Feedback calls to Twilio"),
        (RETRIES, "Feedback calls that will be repeated"),
        (THROTTLED, "Feedback calls answered with 429"),
        (UNAUTHORIZED, "Feedback calls answered with 401 or 403"),
        (STORE_ERRORS, "Operations of the store that failed or took too long"),
        (UNTRACKED, "Creates that were not tracked, by reason"),
    ] {
        describe_counter!(name, Unit::Count, words);
    }
    describe_histogram!(LATENCY, Unit::Seconds, "From the send to the confirm of a conversion");
    describe_gauge!(OUTBOX, Unit::Count, "Confirmed messages that Twilio has not acknowledged");
    describe_gauge!(OUTBOX_AGE, Unit::Seconds, "How long ago the oldest of them was confirmed");
    describe_gauge!(DEAD_LETTERS, Unit::Count, "Dead letters");
    describe_gauge!(DEFERRED, Unit::Count, "Records and confirms that wait for the store");
}

/// What a metric is told apart by: neither a number nor a SID.
fn labels(segment: &Segment) -> [(&'static str, String); 3] {
    let of = segment.dimensions();
    [
        ("country", of.country.map_or_else(String::new, |country| country.to_string())),
        ("label", segment.label().unwrap_or_default().to_owned()),
        ("channel", of.channel.map_or("", Channel::as_str).to_owned()),
    ]
}

/// Adds what was counted of a segment.
pub(super) fn counted(segment: &Segment, counts: &Counts) {
    for (metric, name) in [
        (Metric::Attempted, ATTEMPTED),
        (Metric::StatusOk, STATUS_OK),
        (Metric::Conversions, CONVERSIONS),
        (Metric::Resends, RESENDS),
        (Metric::DeadLetters, DEAD_LETTERED),
    ] {
        let count = counts.get(metric);
        // A counter only rises: what is taken back has a name of its own.
        match u64::try_from(count) {
            Ok(0) => {}
            Ok(count) => counter!(name, &labels(segment)).increment(count),
            Err(_) if metric == Metric::StatusOk => {
                counter!(STATUS_OK_REVOKED, &labels(segment)).increment(count.unsigned_abs());
            }
            Err(_) => {}
        }
    }
}

pub(super) fn converted(segment: &Segment, latency: Duration) {
    histogram!(LATENCY, &labels(segment)).record(latency.as_secs_f64());
}

/// Sets what stands at this moment.
pub(super) fn stands(shared: &Shared, stats: &Stats, counts: Option<StoreCounts>) {
    if let Some(counts) = counts {
        gauge!(OUTBOX).set(counts.outbox as f64);
        gauge!(DEAD_LETTERS).set(counts.dead_letters as f64);
        gauge!(OUTBOX_AGE).set(counts.oldest_outbox_age.unwrap_or_default().as_secs_f64());
    }
    gauge!(DEFERRED).set(shared.deferred.len() as f64);
    let Stats { sends, confirms, delivery, .. } = stats;
    for (name, value) in [
        (CALLS, delivery.calls),
        (RETRIES, delivery.retried),
        (THROTTLED, delivery.throttled),
        (UNAUTHORIZED, delivery.unauthorized),
        (STORE_ERRORS, delivery.store_errors + confirms.store_errors),
    ] {
        counter!(name).absolute(value);
    }
    for (reason, value) in [
        ("declined", sends.declined),
        ("without_id", sends.without_id),
        ("form_unreadable", sends.form_unreadable),
        ("receipt_unreadable", sends.receipt_unreadable),
        ("abandoned", sends.abandoned),
        ("refused", sends.record_refused),
    ] {
        counter!(UNTRACKED, "reason" => reason).absolute(value);
    }
}
