//! The handle's own futures.

use tower_message_feedback::{
    Confirmation, ImportLine, MessageStatus, Recorded,
    simulator::Answer,
    store::{LedgerStatus, ResendOutcome, StatusUpdate},
};

use crate::{
    cut::at_each_await,
    support::{AC, Mode, Op, account, eventually, guarded, seconds},
    world::{comes_to_rest, is_sound, total, world, world_with},
};

#[tokio::test]
async fn a_record_that_has_begun_is_done() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        let sid = world.create(AC).await;
        let recorded = cut.drive(world.feedback.record("1", world.sent(AC, sid))).await;
        assert!(recorded.is_none_or(|recorded| recorded == Recorded::Recorded));
        comes_to_rest(&world).await;
        let entry = world.feedback.lookup_sid(sid).await.expect("an answer");
        assert_eq!(entry.is_some(), cut.has_begun());
        let again = world.feedback.record("1", world.sent(AC, sid)).await;
        assert!(matches!(again, Recorded::Recorded | Recorded::AlreadyRecorded));
        assert_eq!(world.feedback.confirm("1").await, Confirmation::Queued);
        is_sound(&world, &[sid]).await;
        let total = total(&world).await;
        assert_eq!((total.attempted, total.conversions), (1, 1));
    })
    .await;
    assert!(polls > 1, "{polls}");
}

#[tokio::test]
async fn a_confirm_that_has_begun_is_done() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        let sid = world.send("1").await;
        let confirmed = cut.drive(world.feedback.confirm("1")).await;
        assert!(confirmed.is_none_or(|confirmed| confirmed == Confirmation::Queued));
        comes_to_rest(&world).await;
        assert_eq!(world.reports(sid), u32::from(cut.has_begun()));
        assert!(guarded(world.feedback.confirm("1")).await.is_confirmed());
        is_sound(&world, &[sid]).await;
        assert_eq!(total(&world).await.conversions, 1);
    })
    .await;
    assert!(polls > 1, "{polls}");
}

#[tokio::test]
async fn a_confirm_by_sid_that_has_begun_is_done() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        let sid = world.create(AC).await;
        let confirmed = cut.drive(world.feedback.confirm_sid(world.sent(AC, sid))).await;
        assert!(confirmed.is_none_or(|confirmed| confirmed == Confirmation::Queued));
        comes_to_rest(&world).await;
        assert_eq!(world.reports(sid), u32::from(cut.has_begun()));
        assert!(guarded(world.feedback.confirm_sid(world.sent(AC, sid))).await.is_confirmed());
        is_sound(&world, &[sid]).await;
    })
    .await;
    assert!(polls > 1, "{polls}");
}

#[tokio::test]
async fn a_confirm_whose_record_comes_later_is_done() {
    at_each_await(|cut| async move {
        let world = world().await;
        let confirmed = cut.drive(world.feedback.confirm("1")).await;
        assert!(confirmed.is_none_or(|confirmed| confirmed == Confirmation::Unknown));
        let sid = world.send("1").await;
        let reported: &[_] = if cut.has_begun() { &[sid] } else { &[] };
        is_sound(&world, reported).await;
    })
    .await;
}

#[tokio::test]
async fn an_import_goes_on_where_it_was_dropped() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        let sids = [world.create(AC).await, world.create(AC).await];
        let lines = || {
            let lines = sids.iter().zip(["1", "2"]);
            lines.map(|(sid, id)| ImportLine::new(id, world.sent(AC, *sid))).collect::<Vec<_>>()
        };
        cut.drive(world.feedback.import(lines())).await;
        let imported = guarded(world.feedback.import(lines())).await.expect("an answer");
        assert_eq!(imported.recorded + imported.already_recorded, 2);
        for id in ["1", "2"] {
            assert_eq!(guarded(world.feedback.confirm(id)).await, Confirmation::Queued);
        }
        is_sound(&world, &sids).await;
    })
    .await;
    assert!(polls > 1, "{polls}");
}

#[tokio::test]
async fn what_is_forgotten_halfway_is_forgotten_by_doing_it_again() {
    for is_by_sid in [false, true] {
        let polls = at_each_await(|cut| async move {
            let world = world().await;
            world.feedback.pause_delivery();
            let sid = world.act("1").await;
            match is_by_sid {
                true => drop(cut.drive(world.feedback.forget_sid(sid)).await),
                false => drop(cut.drive(world.feedback.forget("1")).await),
            }
            guarded(world.feedback.forget("1")).await.expect("an answer");
            assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer"), None);
            world.feedback.resume_delivery();
            is_sound(&world, &[]).await;
        })
        .await;
        assert!(polls > 1, "{polls}");
    }
}

#[tokio::test]
async fn what_only_reads_leaves_nothing() {
    for which in 0..8 {
        let polls = at_each_await(|cut| async move {
            let world = world().await;
            let sid = world.act("1").await;
            let feedback = &world.feedback;
            let day = seconds(24 * 3600);
            match which {
                0 => drop(cut.drive(feedback.lookup("1")).await),
                1 => drop(cut.drive(feedback.lookup_sid(sid)).await),
                2 => drop(cut.drive(feedback.health()).await),
                3 => drop(cut.drive(feedback.dead_letters(None, 9)).await),
                4 => drop(cut.drive(feedback.report(day)).await),
                5 => drop(cut.drive(feedback.report_csv(day)).await),
                6 => drop(cut.drive(feedback.preflight(world.server.base_url())).await),
                _ => drop(cut.drive(feedback.flush()).await),
            }
            // What was on its way into the report arrives there, once.
            comes_to_rest(&world).await;
            let total = total(&world).await;
            assert_eq!((total.attempted, total.conversions), (1, 1));
            let calls = world.calls();
            let preflights = calls.iter().filter(|call| !call.path().contains(&sid.to_string()));
            let preflights = preflights.count();
            assert!(preflights <= usize::from(which == 6));
            assert_eq!(world.reports(sid), 1);
            let remaining = guarded(feedback.shutdown(seconds(5))).await;
            assert_eq!((remaining.outbox, remaining.deferred), (Some(0), 0));
        })
        .await;
        assert!(polls > 1, "{which}: {polls}");
    }
}

#[tokio::test]
async fn a_shutdown_that_is_dropped_can_be_done_again() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        let sid = world.act("1").await;
        cut.drive(world.feedback.shutdown(seconds(5))).await;
        let remaining = guarded(world.feedback.shutdown(seconds(5))).await;
        assert_eq!((remaining.outbox, remaining.deferred), (Some(0), 0));
        assert_eq!(world.reports(sid), 1);
    })
    .await;
    assert!(polls > 1, "{polls}");
}

#[tokio::test]
async fn a_status_that_has_begun_is_kept() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        let sid = world.send("1").await;
        let update = StatusUpdate::new(sid, account(AC), MessageStatus::Delivered);
        cut.drive(world.feedback.record_status(update)).await;
        is_sound(&world, &[]).await;
        let entry = world.feedback.lookup_sid(sid).await.expect("an answer").expect("it is there");
        let expected = cut.has_begun().then_some(MessageStatus::Delivered);
        assert_eq!(entry.message_status, expected);
    })
    .await;
    assert!(polls > 1, "{polls}");
}

#[tokio::test]
async fn a_dead_letter_that_is_sent_again_is_not_left_lying() {
    for is_all in [false, true] {
        let polls = at_each_await(|cut| async move {
            let (world, _) = world_with(|builder| builder).await;
            let sid = world.send("1").await;
            world.twilio.answer_feedback(Answer::status(400));
            assert_eq!(world.feedback.confirm("1").await, Confirmation::Queued);
            world.flush().await;
            assert!(matches!(world.status(sid).await, LedgerStatus::Dead { .. }));
            let died = world.calls().len();
            match is_all {
                true => drop(cut.drive(world.feedback.resend_dead_letters()).await),
                false => drop(cut.drive(world.feedback.resend(sid)).await),
            }
            // Whoever put it into the outbox says so: nobody asks for a flush here.
            let store_has = world.status(sid).await;
            if !matches!(store_has, LedgerStatus::Dead { .. }) {
                eventually(|| world.reports(sid) == 1).await;
            } else {
                let again = guarded(world.feedback.resend(sid)).await.expect("an answer");
                assert_eq!(again, ResendOutcome::Queued);
            }
            comes_to_rest(&world).await;
            assert_eq!((world.reports(sid), world.calls().len()), (1, died + 1));
            let remaining = guarded(world.feedback.shutdown(seconds(5))).await;
            assert_eq!((remaining.outbox, remaining.deferred), (Some(0), 0));
        })
        .await;
        assert!(polls > 1, "{polls}");
    }
}

#[tokio::test]
async fn an_export_goes_on_where_it_was_dropped() {
    let polls = at_each_await(|cut| async move {
        let world = world().await;
        world.twilio.answer_feedback(Answer::status(400));
        let sid = world.act("1").await;
        world.flush().await;
        let mut export = world.feedback.export_dead_letters();
        let first = cut.drive(export.next()).await.transpose().expect("an answer").flatten();
        let mut lines = first.unwrap_or_default();
        while let Some(more) = guarded(export.next()).await.expect("an answer") {
            lines += &more;
        }
        assert_eq!(lines.matches(&sid.to_string()).count(), 1);
    })
    .await;
    assert!(polls > 1, "{polls}");
}

/// A store that does not answer is where callers give up most.
#[tokio::test]
async fn who_gives_up_on_a_store_that_hangs_leaves_nothing_undone() {
    at_each_await(|cut| async move {
        let (world, store) = world_with(|builder| builder.store_timeout(seconds(3600))).await;
        let sid = world.send("1").await;
        store.set(Op::Confirm, Mode::AnswersLate);
        let mut confirmed = None;
        if cut.polls < 5 {
            let confirm = world.feedback.confirm("1");
            confirmed = tokio::time::timeout(seconds(0), cut.drive(confirm)).await.ok().flatten();
        }
        store.set(Op::Confirm, Mode::Works);
        match cut.polls {
            // It is never over while the store hangs.
            5.. => drop(cut.drive(world.feedback.confirm("1")).await),
            _ => assert_eq!(confirmed, None),
        }
        comes_to_rest(&world).await;
        let reported: &[_] = if cut.has_begun() { &[sid] } else { &[] };
        is_sound(&world, reported).await;
    })
    .await;
}
