//! How many calls run at once.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tower::{Service, service_fn};
use tower_message_feedback::{
    Confirmation, Credentials, FeedbackBody, Recorded, simulator::Answer,
};

use crate::support::{
    AC, OTHER_AC, Site, World, create, eventually, other_credentials, settle_down,
};

/// A Twilio that answers as many calls as it is told to, and counts.
#[derive(Clone)]
pub(crate) struct Turnstile {
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    pub(crate) permits: Arc<Semaphore>,
}

impl Turnstile {
    pub(crate) fn new() -> Self {
        let permits = Arc::new(Semaphore::new(0));
        Self { inside: Arc::default(), most: Arc::default(), permits }
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.load(SeqCst)
    }

    pub(crate) fn transport(
        &self,
    ) -> impl Service<
        Request<FeedbackBody>,
        Response = Response<Full<bytes::Bytes>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        let turnstile = self.clone();
        service_fn(move |_| {
            let turnstile = turnstile.clone();
            async move {
                let inside = turnstile.inside.fetch_add(1, SeqCst) + 1;
                turnstile.most.fetch_max(inside, SeqCst);
                turnstile.permits.acquire().await.expect("open").forget();
                turnstile.inside.fetch_sub(1, SeqCst);
                Ok(Response::new(Full::default()))
            }
        })
    }
}

#[tokio::test]
async fn an_account_never_has_more_calls_in_flight_than_its_bound() {
    let turnstile = Turnstile::new();
    let transport = turnstile.transport();
    let world = World::with(|builder| builder.max_in_flight(3).transport(transport)).await;
    for n in 0..30 {
        world.act(&format!("id {n}")).await;
    }
    for answered in 0..30 {
        let expected = 3.min(30 - answered);
        eventually(|| turnstile.inside() == expected).await;
        settle_down().await;
        assert_eq!(turnstile.inside(), expected);
        turnstile.permits.add_permits(1);
    }
    assert!(world.flush().await.is_empty());
    assert_eq!(turnstile.most.load(SeqCst), 3);
    assert_eq!(world.feedback.stats().delivery.delivered, 30);
}

#[tokio::test]
async fn the_bound_is_each_accounts_own() {
    let turnstile = Turnstile::new();
    let transport = turnstile.transport();
    let world = World::with(|builder| {
        builder.max_in_flight(2).transport(transport).credentials(other_credentials())
    })
    .await;
    for n in 0..10 {
        world.act_of(AC, &format!("one {n}")).await;
        world.act_of(OTHER_AC, &format!("other {n}")).await;
    }
    eventually(|| turnstile.inside() == 4).await;
    settle_down().await;
    turnstile.permits.add_permits(20);
    assert!(world.flush().await.is_empty());
    assert_eq!(turnstile.most.load(SeqCst), 4);
}

#[tokio::test]
async fn all_accounts_together_have_a_bound_too() {
    let site = Site::new().await;
    let turnstile = Turnstile::new();
    let mut builder = site.builder().max_in_flight(256).transport(turnstile.transport());
    let account = |n: usize| format!("AC{n:032x}");
    for n in 0..3 {
        builder = builder.credentials(Credentials::auth_token(&account(n), "t").expect("one"));
    }
    let world = site.world(builder);
    for n in 0..300 {
        world.act_of(&account(n % 3), &format!("id {n}")).await;
    }
    eventually(|| turnstile.inside() == 256).await;
    settle_down().await;
    turnstile.permits.add_permits(300);
    assert!(world.flush().await.is_empty());
    assert_eq!(turnstile.most.load(SeqCst), 256);
}

#[tokio::test]
async fn a_large_account_does_not_hold_up_a_small_one() {
    let turnstile = Turnstile::new();
    let transport = turnstile.transport();
    let world = World::with(|builder| {
        builder.max_in_flight(2).transport(transport).credentials(other_credentials())
    })
    .await;
    for n in 0..50 {
        world.act_of(AC, &format!("large {n}")).await;
    }
    eventually(|| turnstile.inside() == 2).await;
    world.act_of(OTHER_AC, "small").await;
    eventually(|| turnstile.inside() == 3).await;
    turnstile.permits.add_permits(51);
    assert!(world.flush().await.is_empty());
}

#[tokio::test]
async fn calls_overlap_over_a_real_socket() {
    let world = World::with(|builder| builder.max_in_flight(4)).await;
    world.twilio.answer_feedback(Answer::hang().times(4));
    for n in 0..6 {
        world.act(&format!("id {n}")).await;
    }
    eventually(|| world.calls().len() == 4).await;
    settle_down().await;
    assert_eq!(world.calls().len(), 4);
    assert_eq!(world.feedback.stats().delivery.calls, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirms_from_many_tasks_are_each_reported_once() {
    let world = Arc::new(World::with(|builder| builder.max_in_flight(32)).await);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let world = world.clone();
        tasks.spawn(async move {
            for n in 0..25 {
                let id = format!("id {task} {n}");
                let sid = create(&world.twilio, AC, "").await;
                // Half of the users are faster than the record.
                let early = n % 2 == 0;
                if early {
                    assert_eq!(world.feedback.confirm(&id).await, Confirmation::Unknown);
                }
                let recorded = world.feedback.record(&id, world.sent(AC, sid)).await;
                assert_eq!(recorded, Recorded::Recorded);
                if !early {
                    assert_eq!(world.feedback.confirm(&id).await, Confirmation::Queued);
                }
                if n == 20 {
                    let _ = world.feedback.flush().await;
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    assert!(world.flush().await.is_empty());
    assert_eq!(world.twilio.confirmed().len(), 200);
    assert!(world.twilio.messages().iter().all(|message| message.feedback_count() == 1));
    let stats = world.feedback.stats();
    assert_eq!((stats.confirms.overtaken, stats.confirms.queued), (104, 200));
    assert_eq!((stats.delivery.calls, stats.delivery.delivered), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn an_overload_halves_the_calls_at_once_and_no_other_failure_does() {
    for (status, expected) in [(503, 2), (500, 4), (502, 4)] {
        let world = World::without_socket(|builder| builder.max_in_flight(4)).await;
        world.twilio.answer_feedback(Answer::status(status));
        world.act("id").await;
        world.flush().await;
        world.twilio.answer_feedback(Answer::hang().times(6));
        for n in 0..6 {
            world.act(&format!("id {n}")).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(world.calls().len(), 1 + expected, "{status}");
    }
}
