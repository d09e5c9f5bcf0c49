//! The list of cases, and what runs them.

use std::{io::Write, time::Duration};

use super::{
    Report, Subject, Verdict, batched_tasks, batches, bounds, chaos, clock, confirm,
    erased::{Tested, tested},
    expiry, held, histories, lease, ledger, notes, record, repeat, resends, rollups, settle,
    shared, statuses, tasks, turns,
};

/// Expands to one test a case, so that each is reported by its name: see
/// [`conformance`](crate::store::conformance).
///
/// The argument is an expression that makes the [`Subject`]. It is evaluated for
/// each case, and may await: for a server that the tests start, say.
///
/// ```
/// # use tower_message_feedback::store::{MemoryStore, conformance::{Settings, Subject}};
/// # pub struct Memory;
/// # impl Subject for Memory {
/// #     type Store = MemoryStore;
/// #     async fn open(&self, settings: Settings) -> MemoryStore {
/// #         MemoryStore::builder().clock(settings.clock).build()
/// #     }
/// # }
/// # async fn started() -> Memory { Memory }
/// mod conformance {
///     tower_message_feedback::store_conformance!(super::started().await);
/// }
/// # fn main() {}
/// ```
///
/// The tests stand in modules (`record`, `confirm`, `lease`, …), so the macro
/// wants a module of its own. They are `#[tokio::test]`s on two worker threads:
/// the crate needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_conformance {
    ($subject:expr $(,)?) => {
        $crate::__store_conformance_cases! { tests $subject }
    };
}

macro_rules! cases {
    ($($group:ident { $($case:ident,)* })*) => {
        cases! { @macro ($) $($group { $($case,)* })* }

        /// The names of all cases, `group::case`.
        pub const CASES: &[&str] =
            &[$($(concat!(stringify!($group), "::", stringify!($case)),)*)*];

        async fn dispatch(subject: &Tested, name: &str) -> super::verdict::CaseResult {
            $($(
                if name == concat!(stringify!($group), "::", stringify!($case)) {
                    return Box::pin($group::$case(subject)).await;
                }
            )*)*
            panic!("the suite has no case {name}")
        }
    };
    (@macro ($dollar:tt) $($group:ident { $($case:ident,)* })*) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __store_conformance_cases {
            (tests $dollar subject:expr) => {
                /// Out here, so that the expression's paths lead where they lead
                /// at the call.
                async fn conformance_subject() -> impl $crate::store::conformance::Subject {
                    $dollar subject
                }

                $(
                    mod $group {
                        $(
                            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                            async fn $case() {
                                $crate::store::conformance::run_case(
                                    super::conformance_subject().await,
                                    concat!(stringify!($group), "::", stringify!($case)),
                                )
                                .await;
                            }
                        )*
                    }
                )*
            };
        }
    };
}

cases! {
    record {
        a_message_is_recorded_once_and_its_first_id_stays,
        a_batch_is_answered_item_by_item_in_its_order,
        recording_again_changes_nothing_whatever_became_of_it,
        the_ledger_shows_what_was_recorded,
        a_lookup_shows_the_newest_message_first_whatever_the_order_of_arrival,
        sids_keep_their_prefix_and_letter_case,
        segments_come_back_as_they_were,
        accounts_and_base_urls_are_told_apart,
    }
    confirm {
        an_unknown_id_confirms_nothing,
        confirming_twice_queues_once_even_in_one_batch,
        a_confirm_is_remembered_under_a_lease_beyond_delivery_and_death,
        the_ledger_says_when_it_was_confirmed,
        a_message_can_be_confirmed_by_itself_unrecorded,
        a_message_is_confirmed_by_itself_under_whichever_id_it_was_recorded,
        one_of_several_messages_can_be_confirmed_by_itself,
        a_message_is_confirmed_only_if_it_is_still_recorded,
        a_batch_is_confirmed_as_if_one_after_the_other,
    }
    resends {
        the_newest_by_the_time_it_was_sent_is_confirmed_not_the_last_to_arrive,
        of_messages_sent_at_the_same_time_the_last_to_arrive_is_confirmed,
        a_message_sent_after_a_confirm_is_confirmed_on_its_own,
        the_policy_may_confirm_all_resends,
        a_scheduled_message_does_not_hide_the_one_that_was_sent,
        scheduled_messages_alone_can_be_confirmed,
        a_clock_that_is_ahead_by_seconds_makes_no_scheduled_message,
        when_the_newest_is_forgotten_the_next_is_the_newest,
        what_was_recorded_under_the_previous_key_is_found,
        what_was_recorded_under_the_current_key_comes_before_the_previous_one,
        all_resends_are_confirmed_on_both_sides_of_a_rotation,
    }
    lease {
        an_empty_outbox_leases_nothing_and_is_never_due,
        a_leased_entry_says_all_that_a_call_needs,
        an_entry_under_a_lease_is_leased_to_nobody_else,
        a_lease_that_ran_out_is_anothers_and_the_old_token_settles_nothing,
        no_entry_has_the_same_token_twice,
        the_limit_holds_and_more_due_says_what_is_left,
        each_account_has_its_bound,
        next_due_is_the_time_until_the_next_that_is_not_due_yet,
        next_due_says_nothing_of_accounts_whose_bound_is_zero,
        what_comes_due_is_leased_in_as_many_calls_as_it_takes,
    }
    turns {
        entries_of_an_account_go_in_the_order_of_their_confirms,
        entries_of_an_account_go_in_the_order_they_are_due,
        a_large_account_does_not_starve_a_small_one,
        the_accounts_have_their_turns_across_leases,
        the_turns_go_on_when_the_account_served_last_is_gone,
    }
    settle {
        a_delivered_entry_leaves_the_outbox_for_the_ledger,
        a_dead_entry_leaves_the_outbox_for_the_dead_letters,
        failures_are_kept_as_they_were,
        a_retry_is_due_when_it_says_and_keeps_its_attempts,
        a_lease_that_is_given_back_is_due_at_once,
        a_retry_that_is_due_later_does_not_hold_up_the_others_of_its_account,
        a_lease_that_ran_out_unnoticed_may_still_settle,
        a_batch_is_settled_item_by_item,
    }
    expiry {
        a_message_is_dropped_after_its_time_and_never_before,
        messages_go_in_the_order_of_their_times_and_up_to_the_limit,
        what_lives_on_is_spared_by_every_expire,
        nothing_expires_while_it_is_in_the_outbox,
        a_delivered_message_stays_in_the_ledger_for_its_retention_from_the_delivery,
        a_delivered_message_outlives_the_time_of_its_record,
        a_dead_letter_is_kept_for_its_own_retention,
        a_dead_letter_that_is_sent_again_does_not_expire_in_the_outbox,
        a_message_that_is_over_and_gone_may_come_again,
    }
    ledger {
        dead_letters_are_listed_in_pages_by_their_sids,
        dead_letters_are_in_the_order_of_sids_whatever_their_prefix_and_case,
        a_dead_letter_is_sent_again_at_once_and_starts_anew,
        only_dead_letters_are_sent_again,
        a_dead_letter_may_die_again,
        a_lease_from_before_it_died_settles_nothing_after_a_resend,
        forgetting_removes_every_message_of_an_id_whatever_its_state,
        one_message_can_be_forgotten_and_the_others_of_its_id_stay,
        a_forgotten_message_may_be_recorded_again,
    }
    statuses {
        a_status_only_moves_forward,
        an_error_code_is_that_of_its_status,
        a_batch_is_kept_as_if_one_after_the_other,
        no_account_speaks_for_anothers_message,
        what_was_told_before_the_record_is_unknown,
        it_stays_whatever_becomes_of_the_feedback,
        it_changes_nothing_else,
        it_is_forgotten_with_its_message,
        of_many_that_are_told_at_once_the_furthest_stays,
    }
    notes {
        what_was_noted_last_is_what_is_read,
        a_note_is_found_under_its_previous_key,
        a_note_is_kept_until_its_time,
    }
    rollups {
        what_was_added_is_read_as_it_was,
        what_is_added_adds_up,
        a_batch_is_added_once,
        a_range_begins_with_its_first_and_ends_before_its_last,
        counters_are_kept_until_their_time,
        what_many_add_at_once_adds_up,
    }
    bounds {
        at_the_bound_the_oldest_unconfirmed_message_goes_first,
        a_batch_makes_room_for_each_of_its_messages,
        what_is_known_already_evicts_nothing,
        what_is_in_the_outbox_never_gives_way,
        a_store_full_of_the_outbox_takes_no_message_and_loses_none,
        dead_letters_do_not_give_way_to_messages,
        a_message_that_was_forgotten_and_recorded_again_stands_in_line_anew,
        a_full_outbox_refuses_confirms_until_there_is_room,
        a_message_refused_by_itself_can_be_confirmed_once_there_is_room,
        a_full_outbox_refuses_dead_letters_too,
        of_all_resends_as_many_are_queued_as_fit,
        beyond_their_bound_the_oldest_dead_letter_goes,
    }
    repeat {
        record,
        confirm,
        lease,
        settle,
        expire,
        forget,
        resend,
        questions_change_nothing,
    }
    batches {
        a_batch_of_nothing_is_answered_with_nothing,
        a_thousand_items_are_answered_in_their_order,
        a_hundred_messages_may_share_an_id,
    }
    clock {
        what_was_confirmed_before_a_step_back_is_leased_once_and_not_lost,
        a_lease_holds_across_a_step_back_and_ends_in_its_time,
        a_retry_waits_across_a_step_back,
        nothing_is_dropped_early_by_a_step_back,
        a_message_that_died_before_it_was_confirmed_is_still_a_dead_letter,
        a_message_from_a_clock_that_is_ahead_is_confirmed_after_a_step_back,
        far_times_are_kept_as_they_are,
        far_ends_of_leases_and_retries_are_far,
        what_was_over_when_it_came_may_go_at_once,
    }
    shared {
        what_survives_its_process_can_be_opened_again,
        one_records_another_confirms_a_third_delivers,
        a_worker_that_was_fenced_off_settles_nothing,
        whoever_holds_the_token_may_settle,
        two_lease_what_there_is_between_them,
        what_one_forgets_is_gone_for_the_other,
        what_dies_with_one_is_sent_again_by_the_other,
        segments_places_and_accounts_are_the_same_for_both,
        what_one_object_wrote_outlives_it,
        what_one_is_told_of_a_message_the_other_knows,
        what_one_notes_the_other_reads,
        what_one_counts_the_other_reads,
    }
    held {
        it_queues_with_its_commit,
        it_leaves_nothing_when_it_is_rolled_back,
        committed_the_other_says_already_confirmed,
        rolled_back_the_other_queues,
        of_a_message_by_itself_too,
    }
    tasks {
        of_many_that_confirm_one_id_exactly_one_queues_it,
        of_many_that_confirm_one_unrecorded_message_exactly_one_queues_it,
        a_message_that_many_record_under_several_ids_stays_under_one,
        of_many_that_settle_one_lease_exactly_one_does,
        of_many_that_resend_one_dead_letter_exactly_one_queues_it,
        of_many_that_forget_one_message_exactly_one_removes_it,
    }
    batched_tasks {
        of_many_that_lease_no_two_get_the_same_entry,
        what_many_expire_at_once_goes_once,
        batches_that_overlap_in_any_order_hold_nobody_up,
        confirms_that_overlap_pass_the_outboxs_bound_by_their_number_at_most,
    }
    chaos {
        whatever_many_tasks_do_at_once_the_store_ends_consistent,
        it_ends_consistent_at_its_bounds_too,
    }
    histories {
        it_does_what_a_list_of_messages_would,
        it_does_at_its_bounds_what_a_list_of_messages_would,
    }
}

/// How long a case may take before it fails.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs the case of that name, one of [`CASES`]. A case that does not apply is
/// told on the standard error stream.
///
/// # Panics
///
/// If the store breaks the contract, does not answer for five minutes, or if
/// there is no such case.
pub async fn run_case(subject: impl Subject, name: &str) -> Verdict {
    run_one(&tested(subject), name).await
}

/// Runs all cases one after the other: for a harness that is not `cargo test`.
/// [`store_conformance!`](crate::store_conformance) reports each by its name.
///
/// # Panics
///
/// If the store breaks the contract; the name of the case that ran is told on
/// the standard error stream.
pub async fn run_all(subject: impl Subject) -> Report {
    let subject = tested(subject);
    let mut report = Report::default();
    for name in CASES {
        let named = Named(name);
        report.verdicts.push((name, run_one(&subject, name).await));
        drop(named);
    }
    report
}

/// Tells the name of the case that panics.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tell(&format!("failed: {}", self.0));
        }
    }
}

async fn run_one(subject: &Tested, name: &str) -> Verdict {
    match tokio::time::timeout(LONGEST, dispatch(subject, name)).await {
        Err(_) => panic!("{name} did not end within {LONGEST:?}"),
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(not_applicable)) => {
            tell(&format!("not applicable: {name}: {}", not_applicable.0));
            Verdict::NotApplicable(not_applicable.0)
        }
    }
}

/// Past the test harness, which hides what a passing test prints.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "store conformance: {text}");
}
