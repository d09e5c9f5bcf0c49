//! What the children do.

use std::{sync::Arc, time::Duration};

use tower_message_feedback::{Confirmation, store::FeedbackStore};

use crate::{
    ahead::Ahead,
    application::{self, Application, LEASE},
    children::{hear, say, setting},
    stores::Spec,
    world::NEVER,
};

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future);
}

fn application(store: Arc<dyn FeedbackStore>) -> Application {
    let base_url = setting("BASE_URL");
    Application::new(&base_url, application::builder(&base_url, store))
}

/// Sends and confirms as fast as it can, says each id that was *queued*, and
/// waits to be killed. Every third message is confirmed by nobody.
pub(crate) fn busy() {
    const TASKS: usize = 16;
    block_on(async {
        let application = application(Spec::of_parent().open().await);
        if setting("DELIVERS") == "no" {
            application.feedback.pause_delivery();
        }
        let tasks = (0..TASKS).map(|task| {
            let (application, round) = (application.clone(), setting("ROUND"));
            tokio::spawn(async move {
                for number in 0.. {
                    let never = if number % 3 == 2 { NEVER } else { "" };
                    let id = format!("{round}-{task}-{number}{never}");
                    assert_eq!(application.send(&id).await, 201);
                    if never.is_empty()
                        && application.feedback.confirm(id.as_str()).await == Confirmation::Queued
                    {
                        say(&format!("queued {id}"));
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic in it");
        }
    });
}

/// Delivers until the outbox is empty, and says so. By its clock the leases of
/// the dead have run out.
pub(crate) fn drain() {
    block_on(async {
        let ahead = Ahead::by(2 * LEASE);
        let store = Spec::of_parent().open_at(Some(ahead.clock())).await;
        let feedback = application(store).feedback;
        loop {
            if feedback.flush().await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        say("drained");
        drop(hear());
    });
}
