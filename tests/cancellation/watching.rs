//! The stream of alerts.

use tower_message_feedback::{
    report::{AlertEvent, AlertRule},
    store::{Counts, FeedbackStore, Metric, Resolution, Rollup, RollupBatch, Segment},
};

use crate::{
    cut::at_each_await,
    support::{AC, account, guarded, seconds},
    world::world_with,
};

const HOUR: u64 = 3600;

#[tokio::test]
async fn no_alert_is_lost_or_told_twice() {
    let polls = at_each_await(|cut| async move {
        let (world, store) = world_with(|builder| builder).await;
        let now = world.time.now();
        // Two usual days, and an hour that is not.
        for hour in 0..=48 {
            let mut counts = Counts::default();
            counts.add(Metric::Attempted, if hour == 0 { 1_000 } else { 100 });
            let start = Resolution::Hour.start(now - seconds(hour * HOUR));
            let of = (Resolution::Hour, start, account(AC), Segment::default());
            let until = now + seconds(1_000 * HOUR);
            let rollup = Rollup::new(of.0, of.1, of.2, of.3, counts, until);
            let batch = RollupBatch::new(7, 1 + hour as i64, vec![rollup], until);
            guarded(store.add_rollups(&batch)).await.expect("an answer");
        }
        let mut watch = world.feedback.watch([AlertRule::volume_rises()]);
        let told = cut.drive(watch.next()).await;
        let told = match told {
            Some(told) => told,
            None => guarded(watch.next()).await,
        };
        let alert = told.expect("an alert");
        assert!(matches!(alert.event, AlertEvent::VolumeRose { .. }), "{alert:?}");
        guarded(world.feedback.shutdown(seconds(5))).await;
        world.time.advance(seconds(2 * HOUR));
        assert_eq!(guarded(watch.next()).await, None);
    })
    .await;
    assert!(polls > 2, "{polls}");
}
