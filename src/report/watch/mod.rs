//! Being told when conversion falls or volume rises.

mod alert;
mod judge;
mod rule;

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use tracing::debug;

use self::judge::Judge;
pub use self::{
    alert::{Alert, AlertEvent, AlertGroup},
    rule::AlertRule,
};
use crate::{MessageFeedback, Timestamp, feedback::Shared, store::Resolution};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);
/// Feedback that waits for longer lets conversions look fewer than they are.
const DELAYED: Duration = Duration::from_secs(10 * 60);

impl MessageFeedback {
    /// Looks at the report once a minute and tells where a rule applies: that conversion
    /// has fallen, or that volume has risen, against the same country's or label's own
    /// recent past. That is how a broken route or SMS pumping first shows.
    ///
    /// Of each occasion it tells the beginning and the end. Where several processes watch
    /// one store, each of them tells: watch in one, or let whom they tell count them once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_message_feedback::{Credentials, MessageFeedback};
    /// # let feedback = MessageFeedback::builder()
    /// #     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?)
    /// #     .build()?;
    /// use tower_message_feedback::report::AlertRule;
    ///
    /// let mut alerts = feedback.watch([
    ///     AlertRule::conversion_falls().per_country(),
    ///     AlertRule::volume_rises().per_country(),
    /// ]);
    /// let watching = tokio::spawn(async move {
    ///     while let Some(alert) = alerts.next().await {
    ///         tracing::warn!("{alert}");
    ///     }
    /// });
    /// # watching.abort();
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, rules: impl IntoIterator<Item = AlertRule>) -> Watch {
        let shared = self.shared().clone();
        let judge = Judge::new(rules.into_iter().collect());
        Watch { look: Some(look(shared, judge, None)), told: VecDeque::new() }
    }
}

/// A [`Stream`] of [`Alert`]s, made by [`MessageFeedback::watch`].
///
/// It ends when the handle is shut down, or when every clone of it is gone.
#[must_use = "it looks only while it is polled"]
pub struct Watch {
    look: Option<Look>,
    told: VecDeque<Alert>,
}

type Look = Pin<Box<dyn Future<Output = Option<Looked>> + Send>>;

/// What a look saw, and what the next one goes on from.
struct Looked {
    alerts: Vec<Alert>,
    shared: Arc<Shared>,
    judge: Judge,
}

impl Watch {
    /// The next alert; `None` if there will be no more. Cancel safe: no alert is lost if it
    /// is dropped and called again.
    pub async fn next(&mut self) -> Option<Alert> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Watch {
    type Item = Alert;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Alert>> {
        loop {
            if let Some(alert) = self.told.pop_front() {
                return Poll::Ready(Some(alert));
            }
            let Some(looking) = &mut self.look else { return Poll::Ready(None) };
            match ready!(looking.as_mut().poll(cx)) {
                Some(Looked { alerts, shared, judge }) => {
                    self.told.extend(alerts);
                    let next = shared.steady.now() + EVERY;
                    self.look = Some(look(shared, judge, Some(next)));
                }
                None => self.look = None,
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("told", &self.told.len()).finish_non_exhaustive()
    }
}

/// Looks at `at` or at once; nothing once it is over.
fn look(shared: Arc<Shared>, mut judge: Judge, at: Option<Timestamp>) -> Look {
    Box::pin(async move {
        if let Some(at) = at {
            shared.steady.sleep_until(at).await;
        }
        if shared.is_over() {
            return None;
        }
        let alerts = look_now(&shared, &mut judge).await;
        Some(Looked { alerts, shared, judge })
    })
}

async fn look_now(shared: &Shared, judge: &mut Judge) -> Vec<Alert> {
    // What it does not take now shows later.
    let _ = shared.flush_report().await;
    let now = shared.clock.now();
    let to = Resolution::Hour.start(now) + Resolution::Hour.period();
    let from = Resolution::Hour.start(now - judge.longest_past().min(shared.settings.report.hours));
    let read = async {
        let counts = shared.report_counts().await?;
        Ok::<_, crate::store::StoreError>((
            shared.rollups(Resolution::Hour, from, to).await?,
            counts,
        ))
    };
    match read.await {
        Ok((rollups, counts)) => {
            let is_delayed = counts.oldest_outbox_age.is_some_and(|age| age > DELAYED);
            judge.alerts(now, &rollups, is_delayed)
        }
        Err(error) => {
            let error: &(dyn Error + 'static) = &error;
            debug!(error, "the report could not be read; nothing is watched meanwhile");
            Vec::new()
        }
    }
}
