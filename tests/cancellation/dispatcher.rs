//! The dispatcher, dropped in the middle of anything it does.

use std::future::IntoFuture;

use tokio::task::yield_now;
use tower::{ServiceExt, service_fn};
use tower_message_feedback::{Confirmation, DispatcherState, store::LedgerStatus};

use crate::{
    cut::at_each_await,
    support::{CORRELATION_KEY, settle_down},
    support::{Site, SwitchStore, credentials, guarded, seconds},
};

#[tokio::test]
async fn what_it_held_is_anothers_to_deliver() {
    let polls = at_each_await(|cut| async move {
        let site = Site::new().await;
        let store = SwitchStore::new(&site.time).durable().yielding();
        let builder = || {
            let twilio = site.twilio.clone();
            let transport = service_fn(move |request| {
                let twilio = twilio.clone();
                async move {
                    yield_now().await;
                    let response = twilio.service().oneshot(request).await;
                    yield_now().await;
                    response
                }
            });
            site.builder()
                .credentials(credentials())
                .correlation_key(CORRELATION_KEY)
                .store(store.clone())
                .transport(transport)
        };
        let (feedback, dispatcher) = builder().build_pair().expect("a pair");
        let mut sids = Vec::new();
        for id in ["1", "2"] {
            let sent = site.sent().await;
            guarded(feedback.record(id, sent)).await;
            assert_eq!(guarded(feedback.confirm(id)).await, Confirmation::Queued);
            let entries = guarded(feedback.lookup(id)).await.expect("an answer");
            sids.push(entries[0].sid);
        }
        // It ends by itself only when it is asked to.
        let ending = feedback.clone();
        let ending = tokio::spawn(async move { ending.shutdown(seconds(1000)).await });
        let ended = cut.drive(dispatcher.into_future()).await;
        // Whoever waits for it is told.
        guarded(ending).await.expect("no panic");
        assert_eq!(guarded(feedback.health()).await.dispatcher, DispatcherState::Ended);
        let left = guarded(feedback.flush()).await;
        assert!(ended.is_none() || left.outbox == Some(0));

        // What it leased is free when the lease has run out, whatever it was at.
        let next = builder().build().expect("a handle");
        site.time.advance(seconds(3600));
        settle_down().await;
        let left = guarded(next.flush()).await;
        assert_eq!((left.outbox, left.deferred), (Some(0), 0));
        for sid in sids {
            let entry =
                guarded(next.lookup_sid(sid)).await.expect("an answer").expect("it is there");
            assert!(matches!(entry.status, LedgerStatus::Delivered { .. }), "{entry:?}");
            // Twilio had it, and the store was not told: then it has it again.
            let reports = site.twilio.message(sid).expect("a message").feedback_count();
            assert!((1..=2).contains(&reports), "{reports}");
        }
        guarded(next.shutdown(seconds(5))).await;
    })
    .await;
    assert!(polls > 4, "{polls}");
}
