//! Records and confirms while the store fails or hangs.

use std::time::Duration;

use futures_util::FutureExt;
use tower_message_feedback::{
    Confirmation, MessageFeedbackBuilder, Recorded, Refusal,
    store::{FeedbackStore, ForgetTarget, LedgerStatus, MemoryStore, Resends},
};

use crate::support::{
    AC, Mode, Op, Site, SwitchStore, World, credentials, guarded, seconds, settle_down,
};

/// Longer than the longest pause after a failure.
const PAUSE: Duration = seconds(7);

pub(super) async fn world() -> (World, SwitchStore) {
    world_of(10_000).await
}

async fn world_of(max_deferred: usize) -> (World, SwitchStore) {
    world_with(|builder| {
        builder.store_timeout(Duration::from_millis(10)).max_deferred(max_deferred)
    })
    .await
}

async fn world_with(
    configure: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
) -> (World, SwitchStore) {
    let site = Site::new().await;
    let store = SwitchStore::new(&site.time);
    let builder = site.builder().credentials(credentials()).store(store.clone());
    let world = site.world(configure(builder));
    settle_down().await;
    (world, store)
}

/// An action whose confirm the store answers in `mode`.
async fn act_in_vain(world: &World, store: &SwitchStore, mode: Mode) {
    store.set(Op::Confirm, mode);
    assert_eq!(guarded(world.feedback.confirm("id")).await, Confirmation::Deferred);
    settle_down().await;
}

/// Moves the clock until the store has taken everything.
async fn catch_up(world: &World) {
    guarded(async {
        while world.feedback.health().await.deferred > 0 {
            world.time.advance(PAUSE);
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(world.flush().await.is_empty());
}

#[tokio::test]
async fn a_confirm_that_the_store_fails_is_kept_and_delivered_after_healing() {
    for mode in [Mode::Fails, Mode::Hangs] {
        let (world, store) = world().await;
        let sid = world.send("id").await;
        store.set(Op::Confirm, mode);
        let confirmation = guarded(world.feedback.confirm("id")).await;
        assert_eq!(confirmation, Confirmation::Deferred);
        assert!(!confirmation.is_confirmed());
        assert_eq!(world.feedback.health().await.deferred, 1);
        assert!(!world.feedback.health().await.is_ok());
        assert_eq!(world.feedback.stats().confirms.deferred, 1);
        settle_down().await;
        assert!(world.twilio.confirmed().is_empty());
        store.set(Op::Confirm, Mode::Works);
        catch_up(&world).await;
        assert_eq!(world.reports(sid), 1);
        assert_eq!(world.feedback.stats().confirms.queued, 1);
        assert!(world.feedback.stats().confirms.store_errors > 0);
        assert!(world.feedback.health().await.is_ok());
    }
}

#[tokio::test]
async fn while_the_store_hangs_one_send_and_one_route_wait_for_it_and_no_other() {
    let (world, store) = world().await;
    for op in [Op::Record, Op::Confirm] {
        store.set(op, Mode::Hangs);
    }
    let mut sids = Vec::new();
    for n in 0..50 {
        let sid = world.create(AC).await;
        sids.push(sid);
        let id = format!("id {n}");
        let recorded = guarded(world.feedback.record(id.as_str(), world.sent(AC, sid))).await;
        assert_eq!(recorded, Recorded::Deferred);
        let confirmed = guarded(world.feedback.confirm(id)).await;
        assert_eq!(confirmed, Confirmation::Deferred);
    }
    // The first one asked; the others left it to the background.
    assert!(store.calls(Op::Record) <= 3, "{} calls", store.calls(Op::Record));
    assert_eq!(store.calls(Op::Confirm), 0);
    for op in [Op::Record, Op::Confirm] {
        store.set(op, Mode::Works);
    }
    catch_up(&world).await;
    for sid in sids {
        assert_eq!(world.reports(sid), 1);
    }
    // It is asked directly again.
    let sid = world.send("another id").await;
    assert_eq!(world.feedback.confirm("another id").await, Confirmation::Queued);
    assert!(world.flush().await.is_empty());
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn a_failing_store_is_not_asked_in_a_hot_loop() {
    let (world, store) = world().await;
    store.set(Op::Confirm, Mode::Fails);
    for n in 0..20 {
        let _ = world.feedback.confirm(format!("id {n}")).await;
        settle_down().await;
    }
    // Each confirm asks once itself; the background asked once for all.
    let calls = store.calls(Op::Confirm);
    assert!(calls <= 22, "{calls} calls");
    settle_down().await;
    assert_eq!(store.calls(Op::Confirm), calls);
}

#[tokio::test]
async fn a_confirm_that_took_place_without_an_answer_is_reported_once() {
    let (world, store) = world().await;
    let sid = world.send("id").await;
    store.set(Op::Confirm, Mode::FailsAfterwards);
    assert_eq!(world.feedback.confirm("id").await, Confirmation::Deferred);
    settle_down().await;
    store.set(Op::Confirm, Mode::Works);
    world.time.advance(PAUSE);
    // The dispatcher is told of it, though it was in the outbox before.
    guarded(world.twilio.wait_until(|twilio| !twilio.confirmed().is_empty())).await;
    catch_up(&world).await;
    assert_eq!(world.reports(sid), 1);
    assert!(world.feedback.stats().confirms.already_confirmed > 0);
}

#[tokio::test]
async fn a_record_that_the_store_fails_is_kept_and_can_be_confirmed_meanwhile() {
    for mode in [Mode::Fails, Mode::Hangs, Mode::FailsAfterwards] {
        let (world, store) = world().await;
        store.set(Op::Record, mode);
        let sid = world.create(AC).await;
        let recorded = guarded(world.feedback.record("id", world.sent(AC, sid))).await;
        assert_eq!(recorded, Recorded::Deferred);
        let confirmation = world.feedback.confirm("id").await;
        let expected = match mode {
            Mode::FailsAfterwards => Confirmation::Queued,
            // Behind its record, in the order they came.
            Mode::Hangs => Confirmation::Deferred,
            _ => Confirmation::Unknown,
        };
        assert_eq!(confirmation, expected, "{mode:?}");
        store.set(Op::Record, Mode::Works);
        catch_up(&world).await;
        assert_eq!(world.reports(sid), 1, "{mode:?}");
        assert_eq!(world.feedback.stats().sends.record_deferred, 1);
    }
}

#[tokio::test]
async fn what_waits_is_bounded_and_the_rest_refused() {
    let (world, store) = world_of(2).await;
    let mut sids = Vec::new();
    for id in ["one", "two", "three"] {
        sids.push(world.send(id).await);
    }
    let unrecorded = world.create(AC).await;
    store.set(Op::Confirm, Mode::Fails);
    store.set(Op::Record, Mode::Fails);
    assert_eq!(world.feedback.confirm("one").await, Confirmation::Deferred);
    settle_down().await;
    assert_eq!(world.feedback.confirm("two").await, Confirmation::Deferred);
    settle_down().await;
    let refused = Confirmation::Refused(Refusal::QueueFull);
    assert_eq!(world.feedback.confirm("three").await, refused);
    let sent = world.sent(AC, unrecorded);
    assert_eq!(world.feedback.record("four", sent).await, Recorded::Refused);
    assert_eq!(world.feedback.health().await.deferred, 2);
    assert_eq!(world.feedback.stats().confirms.refused, 1);
    assert_eq!(world.feedback.stats().sends.record_refused, 1);
    store.set(Op::Confirm, Mode::Works);
    store.set(Op::Record, Mode::Works);
    catch_up(&world).await;
    let reports: Vec<_> = sids.iter().map(|sid| world.reports(*sid)).collect();
    assert_eq!(reports, [1, 1, 0]);
}

#[tokio::test]
async fn dropping_a_confirm_that_has_begun_does_not_undo_it() {
    let (world, store) = world().await;
    let sid = world.send("id").await;
    store.set(Op::Confirm, Mode::Hangs);
    assert_eq!(world.feedback.confirm("id").now_or_never(), None);
    assert_eq!(world.feedback.health().await.deferred, 1);
    store.set(Op::Confirm, Mode::Works);
    catch_up(&world).await;
    assert_eq!(world.reports(sid), 1);
}

#[tokio::test]
async fn dropping_a_record_that_has_begun_does_not_undo_it() {
    let (world, store) = world().await;
    let sid = world.create(AC).await;
    store.set(Op::Record, Mode::Hangs);
    assert_eq!(world.feedback.record("id", world.sent(AC, sid)).now_or_never(), None);
    store.set(Op::Record, Mode::Works);
    catch_up(&world).await;
    assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
}

#[tokio::test]
async fn a_confirm_that_was_never_polled_never_began() {
    let (world, store) = world().await;
    let sid = world.send("id").await;
    drop(world.feedback.confirm("id"));
    assert_eq!(store.calls(Op::Confirm), 0);
    assert_eq!(world.feedback.health().await.deferred, 0);
    assert_eq!(world.status(sid).await, LedgerStatus::Pending);
}

#[tokio::test]
async fn questions_to_a_failing_store_are_answered_with_its_error() {
    let (world, store) = world().await;
    let sid = world.send("id").await;
    for mode in [Mode::Fails, Mode::Hangs] {
        for op in [Op::Forget, Op::Lookup, Op::DeadLetters, Op::Resend, Op::Counts] {
            store.set(op, mode);
        }
        let feedback = &world.feedback;
        let errors = [
            feedback.forget("id").await.expect_err("forget"),
            feedback.lookup("id").await.expect_err("lookup"),
            feedback.lookup_sid(sid).await.expect_err("lookup"),
            feedback.dead_letters(None, 1).await.expect_err("dead letters"),
            feedback.resend(sid).await.expect_err("resend"),
        ];
        assert!(errors.iter().all(|error| error.is_timeout() == (mode == Mode::Hangs)));
        assert_eq!(world.flush().await.outbox, None);
    }
}

#[tokio::test]
async fn a_store_full_of_queued_messages_takes_no_record() {
    let site = Site::new().await;
    let memory = MemoryStore::builder().max_messages(1).clock(site.time.clock()).build();
    let builder = site.builder().credentials(credentials()).store(memory);
    let (feedback, _dispatcher) = builder.build_pair().expect("a handle");
    assert_eq!(feedback.record("one", site.sent().await).await, Recorded::Recorded);
    assert_eq!(feedback.confirm("one").await, Confirmation::Queued);
    assert_eq!(feedback.record("two", site.sent().await).await, Recorded::Refused);
    assert_eq!(feedback.stats().sends.record_refused, 1);
}

/// The action was on the message that there was then, whether or not the confirm that
/// failed took place.
#[tokio::test]
async fn a_confirm_that_is_repeated_means_no_message_that_was_sent_since() {
    for mode in [Mode::FailsAfterwards, Mode::Fails] {
        let (world, store) = world().await;
        let acted_on = world.send("id").await;
        act_in_vain(&world, &store, mode).await;
        world.time.advance(seconds(6));
        let newer = world.send("id").await;
        store.set(Op::Confirm, Mode::Works);
        catch_up(&world).await;
        assert_eq!((world.reports(acted_on), world.reports(newer)), (1, 0), "{mode:?}");
        assert_eq!(world.feedback.confirm("id").await, Confirmation::Queued);
        catch_up(&world).await;
        assert_eq!((world.reports(acted_on), world.reports(newer)), (1, 1), "{mode:?}");
    }
}

/// What the action was on was never recorded.
#[tokio::test]
async fn a_confirm_that_is_repeated_does_not_confirm_the_next_message_instead() {
    let (world, store) = world().await;
    act_in_vain(&world, &store, Mode::Fails).await;
    world.time.advance(seconds(6));
    let newer = world.send("id").await;
    store.set(Op::Confirm, Mode::Works);
    catch_up(&world).await;
    world.advance(seconds(1)).await;
    assert_eq!(world.reports(newer), 0);
    assert_eq!(world.status(newer).await, LedgerStatus::Pending);
}

/// Another process forgets it after the background has looked it up.
#[tokio::test]
async fn a_message_that_is_forgotten_while_its_confirm_waits_is_not_reported() {
    let (world, store) = world_with(|builder| builder.store_timeout(seconds(30))).await;
    let sid = world.send("id").await;
    act_in_vain(&world, &store, Mode::Fails).await;
    store.set(Op::Confirm, Mode::Works);
    store.set(Op::Lookup, Mode::AnswersLate);
    let lookups = store.calls(Op::Lookup);
    world.time.advance(PAUSE);
    guarded(async {
        while store.calls(Op::Lookup) == lookups {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let forgotten = store.memory.forget(&[ForgetTarget::Message(sid)]).await;
    assert_eq!(forgotten.expect("an answer"), [1]);
    store.set(Op::Lookup, Mode::Works);
    catch_up(&world).await;
    assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer"), None);
    assert_eq!(world.reports(sid), 0);
}

#[tokio::test]
async fn a_confirm_of_all_resends_that_is_repeated_means_those_that_there_were() {
    for mode in [Mode::FailsAfterwards, Mode::Fails] {
        let (world, store) = world_with(|builder| builder.resends(Resends::All)).await;
        let acted_on = [world.send("id").await, world.send("id").await];
        act_in_vain(&world, &store, mode).await;
        world.time.advance(seconds(6));
        let newer = world.send("id").await;
        store.set(Op::Confirm, Mode::Works);
        catch_up(&world).await;
        assert_eq!(acted_on.map(|sid| world.reports(sid)), [1, 1], "{mode:?}");
        assert_eq!(world.reports(newer), 0, "{mode:?}");
    }
}
