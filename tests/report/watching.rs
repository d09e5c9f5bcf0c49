//! Alerts, against a past that is written into the store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use tower_message_feedback::{
    MessageFeedback,
    report::{Alert, AlertEvent, AlertGroup, AlertRule, Watch},
    store::{
        Counts, Dimensions, FeedbackStore, MemoryStore, Metric, Resolution, Rollup, RollupBatch,
        Segment,
    },
};

use crate::support::{AC, Site, World, account, credentials, guarded, seconds, settle_down};

const HOUR: Duration = seconds(3600);
const MINUTE: Duration = seconds(60);

struct Past {
    world: World,
    store: Arc<MemoryStore>,
    sequence: AtomicI64,
}

impl Past {
    /// It is the first minute of an hour.
    async fn new() -> Self {
        let site = Site::new().await;
        let store = Arc::new(MemoryStore::builder().clock(site.time.clock()).build());
        let builder = site.builder().credentials(credentials()).store(store.clone());
        let world = site.world(builder);
        let start = Resolution::Hour.start(world.time.now());
        world.time.advance((start + HOUR).since(world.time.now()));
        Self { world, store, sequence: AtomicI64::new(1) }
    }

    /// Adds to the hour that it is.
    async fn add(&self, country: &str, label: &str, attempted: i64, conversions: i64) {
        let now = self.world.time.now();
        let mut counts = Counts::default();
        counts.add(Metric::Attempted, attempted);
        counts.add(Metric::Conversions, conversions);
        let mut dimensions = Dimensions::default();
        dimensions.country = country.parse().ok();
        let segment = Segment::new(Some(label), dimensions);
        let start = Resolution::Hour.start(now);
        let until = now + 1000 * HOUR;
        let rollup = Rollup::new(Resolution::Hour, start, account(AC), segment, counts, until);
        let sequence = self.sequence.fetch_add(1, Relaxed);
        let batch = RollupBatch::new(7, sequence, vec![rollup], until);
        self.store.add_rollups(&batch).await.expect("an answer");
    }

    /// Two usual days, as long as nothing else is added.
    async fn days(&self) {
        for hour in 0..48 {
            // Nights are quiet.
            let busy = if hour % 24 < 8 { 40 } else { 200 };
            self.add("DE", "login", busy, busy * 8 / 10).await;
            self.add("FR", "signup", busy / 2, busy * 4 / 10).await;
            self.pass(HOUR).await;
        }
    }

    async fn pass(&self, time: Duration) {
        self.world.time.advance(time);
        settle_down().await;
    }

    fn watch(&self, rules: impl IntoIterator<Item = AlertRule>) -> Watch {
        self.world.feedback.watch(rules)
    }
}

/// What is told after as much time.
async fn told(past: &Past, watch: &mut Watch, after: Duration) -> Vec<Alert> {
    past.pass(after).await;
    let mut alerts = Vec::new();
    while let Some(alert) = watch.next().now_or_never() {
        alerts.push(alert.expect("more to come"));
    }
    alerts
}

fn country(code: &str) -> AlertGroup {
    AlertGroup::Country(code.parse().ok())
}

fn falls_and_rises() -> [AlertRule; 2] {
    [AlertRule::conversion_falls().per_country(), AlertRule::volume_rises().per_country()]
}

#[tokio::test]
async fn pumping_shows_as_volume_to_a_country_that_had_none() {
    let past = Past::new().await;
    past.days().await;
    let mut watch = past.watch(falls_and_rises());
    past.add("DE", "login", 60, 48).await;
    assert_eq!(told(&past, &mut watch, 20 * MINUTE).await, []);
    past.add("LV", "login", 99, 0).await;
    assert_eq!(told(&past, &mut watch, MINUTE).await, [], "too few to judge");
    past.add("LV", "login", 1, 0).await;
    let alerts = told(&past, &mut watch, MINUTE).await;
    let [Alert { of, event, hour, .. }] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!((of, *hour), (&country("LV"), Resolution::Hour.start(past.world.time.now())));
    assert!(matches!(event, AlertEvent::VolumeRose { attempted: 100, busiest: 0, .. }));
    assert_eq!(alerts[0].to_string(), "100 messages to LV in an hour, and 0 in the busiest before");
    // It is told once, for as long as it goes on.
    past.add("LV", "login", 500, 0).await;
    assert_eq!(told(&past, &mut watch, MINUTE).await, []);
    for _ in 0..3 {
        assert_eq!(told(&past, &mut watch, HOUR).await, []);
        past.add("LV", "login", 500, 0).await;
    }
    assert_eq!(told(&past, &mut watch, HOUR).await, [], "the hour before was none of peace");
    let alerts = told(&past, &mut watch, HOUR).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].of == country("LV") && alerts[0].event == AlertEvent::VolumeRecovered);
    assert_eq!(alerts[0].to_string(), "the volume of messages to LV is as usual again");
}

#[tokio::test]
async fn a_broken_route_shows_as_conversion_that_fell() {
    let past = Past::new().await;
    past.days().await;
    let mut watch = past.watch(falls_and_rises());
    past.add("DE", "login", 150, 60).await;
    past.add("FR", "signup", 110, 85).await;
    assert_eq!(told(&past, &mut watch, 14 * MINUTE).await, [], "too early to judge");
    let alerts = told(&past, &mut watch, 2 * MINUTE).await;
    let [Alert { of, event: AlertEvent::ConversionFell { rate, usual, .. }, .. }] = &alerts[..]
    else {
        panic!("{alerts:?}")
    };
    assert_eq!((of, rate.value, usual.value), (&country("DE"), 0.4, 0.8));
    assert_eq!(alerts[0].to_string(), "conversion of messages to DE fell to 40.0 % from 80.0 %");
    // A quiet hour says nothing; a usual one that it is over.
    past.pass(HOUR).await;
    past.add("DE", "login", 50, 40).await;
    assert_eq!(told(&past, &mut watch, 20 * MINUTE).await, []);
    past.add("DE", "login", 150, 120).await;
    let alerts = told(&past, &mut watch, MINUTE).await;
    assert_eq!(
        alerts.iter().map(|alert| alert.event).collect::<Vec<_>>(),
        [AlertEvent::ConversionRecovered]
    );
}

#[tokio::test]
async fn a_rule_is_for_all_or_for_each_label() {
    let past = Past::new().await;
    past.days().await;
    let mut watch = past.watch([
        AlertRule::conversion_falls(),
        AlertRule::conversion_falls().per_label().by(0.1).min_attempted(20),
        AlertRule::volume_rises().by(1.5),
    ]);
    past.add("DE", "login", 400, 320).await;
    past.add("FR", "signup", 100, 50).await;
    let alerts = told(&past, &mut watch, 20 * MINUTE).await;
    let shown: Vec<String> = alerts.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "conversion of messages labelled \"signup\" fell to 50.0 % from 80.0 %",
            "500 messages in an hour, and 300 in the busiest before",
        ]
    );
}

#[tokio::test]
async fn without_a_past_nothing_is_judged() {
    let past = Past::new().await;
    let mut watch = past.watch(falls_and_rises());
    for _ in 0..25 {
        past.add("DE", "login", 1000, 1).await;
        assert_eq!(told(&past, &mut watch, HOUR).await, []);
    }
    past.add("DE", "login", 10_000, 10).await;
    assert_eq!(told(&past, &mut watch, 20 * MINUTE).await.len(), 1);
}

#[tokio::test]
async fn late_feedback_is_no_fall_of_conversion() {
    let past = Past::new().await;
    past.days().await;
    past.world.feedback.pause_delivery();
    past.world.act("id").await;
    let mut watch = past.watch(falls_and_rises());
    past.add("DE", "login", 150, 0).await;
    assert_eq!(told(&past, &mut watch, 20 * MINUTE).await, []);
    past.world.feedback.resume_delivery();
    past.world.flush().await;
    assert_eq!(told(&past, &mut watch, MINUTE).await.len(), 1);
}

#[tokio::test]
async fn it_ends_with_the_handle_and_does_not_keep_it() {
    let past = Past::new().await;
    let mut watch = past.watch(falls_and_rises());
    assert_eq!(told(&past, &mut watch, MINUTE).await, []);
    let feedback: MessageFeedback = past.world.feedback.clone();
    guarded(feedback.shutdown(seconds(1))).await;
    past.pass(MINUTE).await;
    assert_eq!(guarded(StreamExt::next(&mut watch)).await, None);
    assert_eq!(guarded(watch.next()).await, None);

    let world = World::new().await;
    let mut watch = world.feedback.watch([]);
    let World { feedback, time, .. } = world;
    assert!(watch.next().now_or_never().is_none());
    drop(feedback);
    time.advance(MINUTE);
    assert_eq!(guarded(watch.next()).await, None);
}
